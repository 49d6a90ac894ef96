"""Dataclasses whose methods are made when they are first called.

The standard library looks at each field and compiles the text of up to six functions as it
decorates a class: 0.2 to 0.4 ms for each, which for the eighty classes of a machine is a third of
its start. Of most of them only ``__init__`` is ever called, if that. :func:`dataclass` is the
library's decorator in all but time: ``__init__`` is compiled once it was called often; the library
makes ``__repr__``, ``__eq__`` and ``__hash__`` at the first call of one of these, and says what
fields there are when it is asked.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields
from typing import TYPE_CHECKING, Any, Final

_FEW: Final = 20
_SAID: Final = "__dataclass_fields__", "__dataclass_params__", "__match_args__"

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
    """Tell whether a class needs what only the library does: inherited fields, pseudo-fields."""
    declared = cls.__annotations__.values()
    return hasattr(cls, "__dataclass_fields__") or any(
        "InitVar" in each or "KW_ONLY" in each for each in map(str, declared)
    )


class _Late:
    """What the library says of a class, until somebody asks for it."""

    def __init__(self, made: _Made, name: str) -> None:
        self._made = made
        self._name = name

    def __get__(self, _instance: object, _owner: type[Any]) -> Any:
        self._made.settle()
        return self._made.cls.__dict__[self._name]


class _Plan:
    """How an instance is filled.

    Attributes:
        plain: the fields that are given by their place.
        given: all that may be given.
        others: each field, its default, and what makes one.
        goes_on: there is a ``__post_init__``.
    """

    __slots__ = ("given", "goes_on", "others", "plain")

    def __init__(
        self,
        plain: tuple[str, ...],
        given: frozenset[str],
        others: tuple[tuple[str, Any, Any], ...],
        goes_on: bool,
    ) -> None:
        self.plain, self.given, self.others, self.goes_on = plain, given, others, goes_on


class _Made:
    """A decorated class, and the making of its methods.

    Attributes:
        cls: the class.
    """

    def __init__(self, cls: type[Any], *, frozen: bool, slots: bool, eq: bool, kw_only: bool):
        own = cls.__dict__
        self._few = _FEW
        self._plan: _Plan | None = None
        self._options = {"frozen": frozen, "eq": eq, "kw_only": kw_only}
        self._missing = {"__init__", "__repr__"} - own.keys()
        hashed = eq and own.get("__hash__") is None
        if eq and "__eq__" not in own:
            self._missing.add("__eq__")
        if not cls.__doc__:
            cls.__doc__ = cls.__name__  # else the library writes a signature, which takes long
        self._given = {
            name: own.get(name, MISSING)
            for name, kind in cls.__annotations__.items()
            if "ClassVar" not in str(kind)
        }
        self.cls = _with_slots(cls, self._given) if slots else _with_defaults(cls, self._given)
        if hashed and frozen:
            self._missing.add("__hash__")
        elif hashed:
            self.cls.__hash__ = None  # type: ignore[assignment]  # as the library has it
        for name in self._missing:
            setattr(self.cls, name, self._stand_in(name))
        for name in _SAID:
            setattr(self.cls, name, _Late(self, name))
        if frozen:
            _freeze(self.cls, frozenset(self._given), pickled_by_slots=slots)

    def _stand_in(self, name: str) -> Any:
        def method(instance: Any, *args: Any, **kwargs: Any) -> Any:
            if name == "__init__":
                if self._filled(instance, args, kwargs):
                    return None
                self.cls.__init__ = self._init()
            else:
                self._make()
            return getattr(self.cls, name)(instance, *args, **kwargs)

        method.__name__, method.__qualname__ = name, f"{self.cls.__qualname__}.{name}"
        return method

    def _filled(self, instance: Any, args: tuple[Any, ...], named: dict[str, Any]) -> bool:
        """Fill an instance without ``__init__``, for the few of which there are not many.

        False where it was done often, or what is given is not right: the library's words say how.
        """
        self._few -= 1
        if self._few <= 0:
            return False
        plan = self._plan
        if plan is None:
            plan = self._plan = self._planned()
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
        if plan.goes_on:
            instance.__post_init__()
        return True

    def _planned(self) -> _Plan:
        every = {name: _as_field(given) for name, given in self._given.items()}
        return _Plan(
            tuple(name for name, each in every.items() if each.init and not self._is_named(each)),
            frozenset(name for name, each in every.items() if each.init),
            tuple((name, each.default, each.default_factory) for name, each in every.items()),
            hasattr(self.cls, "__post_init__"),
        )

    def _is_named(self, each: Field[Any]) -> bool:
        """Tell whether a field is given by name alone."""
        return self._options["kw_only"] if each.kw_only is MISSING else bool(each.kw_only)

    def settle(self) -> None:
        """Have the library say what the class consists of."""
        model = self._model(init=False, repr=False, eq=False, kw_only=self._options["kw_only"])
        for name in _SAID:
            setattr(self.cls, name, model.__dict__[name])
        params: Any = self.cls.__dict__["__dataclass_params__"]
        params.init, params.repr = True, True
        params.eq, params.frozen = self._options["eq"], self._options["frozen"]

    def _make(self) -> None:
        """Have the library make the methods."""
        model = self._model(init=False, **self._options)
        for name in self._missing - {"__init__"}:
            setattr(self.cls, name, model.__dict__[name])

    def _model(self, **options: bool) -> Any:
        """Return a class of the library's with the same fields and no more."""
        declared = self.cls.__annotations__
        space = {
            "__module__": self.cls.__module__,
            "__qualname__": self.cls.__qualname__,
            "__annotations__": declared,
            "__doc__": self.cls.__doc__,
            **{name: given for name, given in self._given.items() if given is not MISSING},
        }
        return dataclasses.dataclass(**options)(type(self.cls.__name__, (), space))

    def _init(self) -> Any:
        """Return ``__init__``, as the library would make it."""
        names: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
        every = {name: _as_field(given) for name, given in self._given.items()}
        words: list[str] = ["self"]
        by_name: list[str] = []
        for name, each in every.items():
            if each.init:
                (by_name if self._is_named(each) else words).append(_parameter(name, each, names))
        words += ["*", *by_name] if by_name else []
        line = "_set(self, {!r}, {})" if self._options["frozen"] else "self.{} = {}"
        values = {name: _value(name, each, names) for name, each in every.items()}
        lines = [line.format(name, value) for name, value in values.items() if value]
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


def _as_field(given: Any) -> Field[Any]:
    return given if isinstance(given, Field) else field(default=given)


def _with_defaults(cls: type[Any], given: dict[str, Any]) -> type[Any]:
    """Return the class, each ``field()`` of it replaced by its default."""
    for name, each in given.items():
        if isinstance(each, Field):
            if each.default is MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, each.default)
    return cls


def _with_slots(cls: type[Any], given: dict[str, Any]) -> type[Any]:
    """Return the class made once more, with a slot for each field."""
    left = {"__dict__", "__weakref__", *given}
    space = {name: value for name, value in cls.__dict__.items() if name not in left}
    inherited = {slot for base in cls.__mro__[1:-1] for slot in base.__dict__.get("__slots__", ())}
    space["__slots__"] = tuple(name for name in given if name not in inherited)
    space["__qualname__"] = cls.__qualname__
    kind: Any = type(cls)
    made: type[Any] = kind(cls.__name__, cls.__bases__, space)
    return made


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


def _freeze(cls: type[Any], names: frozenset[str], *, pickled_by_slots: bool) -> None:
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
