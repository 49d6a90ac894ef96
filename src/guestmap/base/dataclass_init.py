"""``__init__`` of a dataclass: done field by field for the first instances, compiled for more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, field
from functools import cached_property
from typing import Any


class Initializer:
    """What ``__init__`` of a class does.

    Args:
        given: the fields: what stands behind each name in its class, ``MISSING`` for nothing.
        frozen: whether attributes cannot be set.
        kw_only: whether fields are given by name alone, where they do not say.

    Attributes:
        frozen: as given.
    """

    def __init__(self, given: Mapping[str, Any], *, frozen: bool, kw_only: bool) -> None:
        self._given = given
        self._kw_only = kw_only
        self.frozen = frozen

    @cached_property
    def fields(self) -> dict[str, Field[Any]]:
        """The fields, by name."""
        return {
            name: each if isinstance(each, Field) else field(default=each)
            for name, each in self._given.items()
        }

    def is_named(self, each: Field[Any]) -> bool:
        """Tell whether a field is given by name alone."""
        return self._kw_only if each.kw_only is MISSING else bool(each.kw_only)

    def fill(self, instance: Any, args: tuple[Any, ...], named: dict[str, Any]) -> bool:
        """Fill an instance.

        Returns:
            False, and nothing that counts is done, where what is given is not right: a compiled
            function's words say how.
        """
        plan = self._plan
        values = dict(zip(plan.plain, args, strict=False))
        values.update(named)
        if len(values) != len(args) + len(named) or not plan.given.issuperset(values):
            return False
        put = object.__setattr__
        for name, default, make in plan.others:
            if name not in values:
                if default is not MISSING:
                    put(instance, name, default)
                elif make is not MISSING:
                    put(instance, name, make())
                elif name in plan.given:
                    return False
        for name, value in values.items():
            put(instance, name, value)
        if hasattr(instance, "__post_init__"):
            instance.__post_init__()
        return True

    @cached_property
    def _plan(self) -> _Plan:
        plain: list[str] = []
        given: list[str] = []
        others: list[tuple[str, Any, Any]] = []
        make: Any
        for name, each in self._given.items():
            default, make = each, MISSING
            is_given, by_name = True, self._kw_only
            if isinstance(each, Field):  # few are more than a default
                default, make = each.default, each.default_factory
                is_given, by_name = each.init, self.is_named(each)
            others.append((name, default, make))
            if is_given:
                given.append(name)
            if is_given and not by_name:
                plain.append(name)
        return _Plan(tuple(plain), frozenset(given), tuple(others))


class _Plan:
    """How an instance is filled.

    Attributes:
        plain: the fields that are given by their place.
        given: all that may be given.
        others: each field, its default, and what makes one.
    """

    __slots__ = ("given", "others", "plain")

    def __init__(
        self,
        plain: tuple[str, ...],
        given: frozenset[str],
        others: tuple[tuple[str, Any, Any], ...],
    ) -> None:
        self.plain, self.given, self.others = plain, given, others


def compiled(initializer: Initializer, cls: type[Any]) -> Any:
    """Return ``__init__``, as the library would make it."""
    names: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
    words: list[str] = ["self"]
    by_name: list[str] = []
    for name, each in initializer.fields.items():
        if each.init:
            chosen = by_name if initializer.is_named(each) else words
            chosen.append(_parameter(name, each, names))
    words += ["*", *by_name] if by_name else []
    line = "_set(self, {!r}, {})" if initializer.frozen else "self.{} = {}"
    values = {name: _value(name, each, names) for name, each in initializer.fields.items()}
    lines = [line.format(name, value) for name, value in values.items() if value]
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n ".join(lines or ["pass"])
    exec(f"def __init__({', '.join(words)}):\n {body}", names)  # fields' names alone
    init = names["__init__"]
    init.__module__, init.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
    return init


def _parameter(name: str, each: Field[Any], names: dict[str, Any]) -> str:
    """Return how ``__init__`` declares a field."""
    if each.default_factory is not MISSING:
        return f"{name}=_MISSING"
    if each.default is MISSING:
        return name
    names[f"_default_{name}"] = each.default
    return f"{name}=_default_{name}"


def _value(name: str, each: Field[Any], names: dict[str, Any]) -> str:
    """Return what ``__init__`` sets a field to; "" for nothing."""
    if each.default_factory is not MISSING:
        names[f"_make_{name}"] = each.default_factory
        made = f"_make_{name}()"
        return f"{made} if {name} is _MISSING else {name}" if each.init else made
    if each.init:
        return name
    if each.default is MISSING:
        return ""
    names[f"_default_{name}"] = each.default
    return f"_default_{name}"
