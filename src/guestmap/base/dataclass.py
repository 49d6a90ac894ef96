"""Dataclasses whose methods are made when they are first called.

The standard library looks at each field and compiles the text of up to six functions as it
decorates a class: 0.2 to 0.4 ms for each, which for the eighty classes of a machine is a third of
its start. Of most of them only ``__init__`` is ever called, if that. :func:`dataclass` is the
library's decorator in all but time: ``__init__`` is compiled once it was called often
(:mod:`~guestmap.base.dataclass_init`); the library makes ``__repr__``, ``__eq__`` and ``__hash__``
at the first call of one of these, and says what fields there are when it is asked.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from typing import TYPE_CHECKING, Any, Final

from guestmap.base.dataclass_init import Initializer, compiled

_FEW: Final = 20
_FIELDS: Final = "__dataclass_fields__"
_SAID: Final = _FIELDS, "__dataclass_params__", "__match_args__"

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
    """Tell whether a class has what only the library understands: pseudo-fields."""
    declared = [getattr(base, "__annotations__", {}) for base in cls.__mro__]
    words = [str(kind) for each in declared for kind in each.values()]
    return any("InitVar" in each or "KW_ONLY" in each for each in words)


class _Late:
    """What the library says of a class, until somebody asks for it."""

    def __init__(self, made: _Made, name: str) -> None:
        self._made = made
        self._name = name

    def __get__(self, _instance: object, _owner: type[Any]) -> Any:
        self._made.settle()
        return self._made.cls.__dict__[self._name]


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
        self._given = {
            name: own.get(name, MISSING)
            for name, kind in cls.__annotations__.items()
            if "ClassVar" not in str(kind)
        }
        every = _inherited(cls) | self._given
        self._initializer = Initializer(every, frozen=frozen, kw_only=kw_only)
        self.cls = _with_slots(cls, every) if slots else _with_defaults(cls, self._given)
        if hashed and frozen:
            self._missing.add("__hash__")
        elif hashed:
            self.cls.__hash__ = None  # type: ignore[assignment]  # as the library has it
        for name in self._missing:
            setattr(self.cls, name, self._stand_in(name))
        for name in _SAID:
            setattr(self.cls, name, _Late(self, name))
        if frozen:
            _freeze(self.cls, frozenset(every), pickled_by_slots=slots)

    def _stand_in(self, name: str) -> Any:
        few = _FEW

        def method(instance: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal few
            if name == "__init__":
                few -= 1
                if few > 0 and self._initializer.fill(instance, args, kwargs):
                    return None
                self.cls.__init__ = compiled(self._initializer, self.cls)
            else:
                self._make()
            return getattr(self.cls, name)(instance, *args, **kwargs)

        method.__name__, method.__qualname__ = name, f"{self.cls.__qualname__}.{name}"
        return method

    def settle(self) -> None:
        """Have the library say what the class consists of."""
        options = self._options | {
            "eq": False,
            "frozen": self._options["frozen"] and bool(self._bases),
        }
        model = self._model(init=False, repr=False, **options)
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
        space = {
            "__module__": self.cls.__module__,
            "__qualname__": self.cls.__qualname__,
            "__annotations__": self.cls.__annotations__,
            "__doc__": self.cls.__doc__,
            **{name: given for name, given in self._given.items() if given is not MISSING},
        }
        return dataclasses.dataclass(**options)(type(self.cls.__name__, self._bases, space))

    @property
    def _bases(self) -> tuple[type[Any], ...]:
        """The classes that it has inherited fields from."""
        return tuple(base for base in self.cls.__bases__ if hasattr(base, _FIELDS))


def _inherited(cls: type[Any]) -> dict[str, Any]:
    """Return the fields of the classes that a class inherits from."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__[1:]):
        if _FIELDS in base.__dict__:
            found |= {each.name: each for each in fields(base)}
    return found


def _with_defaults(cls: type[Any], given: dict[str, Any]) -> type[Any]:
    """Return the class, each ``field()`` of it replaced by its default."""
    for name, each in given.items():
        if isinstance(each, Field):
            if each.default is MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, each.default)
    return cls


def _with_slots(cls: type[Any], every: dict[str, Any]) -> type[Any]:
    """Return the class made once more, with a slot for each field."""
    left = {"__dict__", "__weakref__", *every}
    space = {name: value for name, value in cls.__dict__.items() if name not in left}
    inherited = {slot for base in cls.__mro__[1:-1] for slot in base.__dict__.get("__slots__", ())}
    space["__slots__"] = tuple(name for name in every if name not in inherited)
    space["__qualname__"] = cls.__qualname__
    kind: Any = type(cls)
    made: type[Any] = kind(cls.__name__, cls.__bases__, space)
    return made


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
