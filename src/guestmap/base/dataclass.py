"""Dataclasses whose methods are made when they are first called.

The standard library compiles the text of up to six functions as it decorates a class: 0.2 to 0.4 ms
for each, which for the eighty classes of a machine is a third of its start. Of most of them only
``__init__`` is ever called, if that. :func:`dataclass` is the library's decorator in all but time:
``__init__`` is compiled at the first call, and the library makes ``__repr__``, ``__eq__`` and
``__hash__`` at the first call of one of these.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass

    __all__ = ["dataclass"]
else:

    def dataclass(cls=None, /, *, frozen=False, slots=False, eq=True, kw_only=False, **rest):
        """Decorate a class as :func:`dataclasses.dataclass` does."""

        def decorate(cls):
            if rest or _takes_more(cls):
                return dataclasses.dataclass(
                    frozen=frozen, slots=slots, eq=eq, kw_only=kw_only, **rest
                )(cls)
            return _Made(cls, frozen=frozen, slots=slots, eq=eq, kw_only=kw_only).cls

        return decorate if cls is None else decorate(cls)


def _takes_more(cls: type[Any]) -> bool:
    """Tell whether a class needs what only the library does: inherited fields, ``InitVar``."""
    declared = map(str, cls.__annotations__.values())
    return hasattr(cls, "__dataclass_fields__") or any("InitVar" in each for each in declared)


class _Made:
    """A decorated class, and the making of its methods.

    Attributes:
        cls: the class.
    """

    def __init__(self, cls: type[Any], *, frozen: bool, slots: bool, eq: bool, kw_only: bool):
        own = cls.__dict__
        self._options = {"frozen": frozen, "eq": eq, "kw_only": kw_only}
        self._missing = {"__init__", "__repr__"} - own.keys()
        hashed = eq and own.get("__hash__") is None
        if eq and "__eq__" not in own:
            self._missing.add("__eq__")
        if not cls.__doc__:
            cls.__doc__ = cls.__name__  # else the library writes a signature, which takes long
        self.cls: type[Any] = dataclasses.dataclass(
            init=False, repr=False, eq=False, slots=slots, kw_only=kw_only
        )(cls)
        params: Any = self.cls.__dict__["__dataclass_params__"]
        params.init, params.repr, params.eq, params.frozen = True, True, eq, frozen
        if hashed and frozen:
            self._missing.add("__hash__")
        elif hashed:
            self.cls.__hash__ = None  # type: ignore[assignment]  # as the library has it
        for name in self._missing:
            setattr(self.cls, name, self._stand_in(name))
        if frozen:
            _freeze(self.cls, pickled_by_slots=slots)

    def _stand_in(self, name: str) -> Any:
        def method(instance: Any, *args: Any, **kwargs: Any) -> Any:
            if name == "__init__":
                self.cls.__init__ = self._init()
            else:
                self._make()
            return getattr(self.cls, name)(instance, *args, **kwargs)

        method.__name__, method.__qualname__ = name, f"{self.cls.__qualname__}.{name}"
        return method

    def _make(self) -> None:
        """Have the library make the methods, from a class with the same fields and no more."""
        declared = self.cls.__dict__["__dataclass_fields__"]
        space = {
            "__module__": self.cls.__module__,
            "__qualname__": self.cls.__qualname__,
            "__annotations__": {name: each.type for name, each in declared.items()},
            **declared,
        }
        model: Any = type(self.cls.__name__, (), space)
        dataclasses.dataclass(init=False, **self._options)(model)
        for name in self._missing - {"__init__"}:
            setattr(self.cls, name, model.__dict__[name])

    def _init(self) -> Any:
        """Return ``__init__``, as the library would make it."""
        names: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
        every = fields(self.cls)
        taken = [each for each in every if each.init]
        by_name = [_parameter(each, names) for each in taken if each.kw_only]
        words = ["self", *(_parameter(each, names) for each in taken if not each.kw_only)]
        words += ["*", *by_name] if by_name else []
        lines = [
            f"_set(self, {each.name!r}, {value})" if self._options["frozen"]
            else f"self.{each.name} = {value}"
            for each in every if (value := _value(each, names))
        ]  # fmt: skip
        if hasattr(self.cls, "__post_init__"):
            lines.append("self.__post_init__()")
        body = "\n ".join(lines or ["pass"])
        exec(f"def __init__({', '.join(words)}):\n {body}", names)  # fields' names alone
        init = names["__init__"]
        init.__module__, init.__qualname__ = (
            self.cls.__module__,
            f"{self.cls.__qualname__}.__init__",
        )
        return init


def _parameter(field: Field[Any], names: dict[str, Any]) -> str:
    """Return how ``__init__`` declares a field."""
    if field.default_factory is not MISSING:
        return f"{field.name}=_MISSING"
    if field.default is MISSING:
        return field.name
    names[f"_default_{field.name}"] = field.default
    return f"{field.name}=_default_{field.name}"


def _value(field: Field[Any], names: dict[str, Any]) -> str:
    """Return what ``__init__`` sets a field to; "" for nothing."""
    if field.default_factory is not MISSING:
        names[f"_make_{field.name}"] = field.default_factory
        made = f"_make_{field.name}()"
        return f"{made} if {field.name} is _MISSING else {field.name}" if field.init else made
    if field.init:
        return field.name
    if field.default is MISSING:
        return ""
    names[f"_default_{field.name}"] = field.default
    return f"_default_{field.name}"


def _freeze(cls: type[Any], *, pickled_by_slots: bool) -> None:
    names = frozenset(each.name for each in fields(cls))

    def refuse_set(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def refuse_delete(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    cls.__setattr__ = refuse_set  # type: ignore[assignment]
    cls.__delattr__ = refuse_delete  # type: ignore[assignment]
    if pickled_by_slots and "__getstate__" not in cls.__dict__:
        cls.__getstate__ = _state  # type: ignore[assignment]
        cls.__setstate__ = _set_state


def _state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for each, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)
