"""Named tuples whose classes are made without compiling anything.

The standard library compiles a function for each class, and an expression for each field's type:
some 0.3 ms for each of the fifty that a machine has. :class:`NamedTuple` is the library's in all
but that; who makes many of one class gets the library's function, which is quicker by then.
"""

from __future__ import annotations

import collections
import sys
from collections import _tuplegetter  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from typing import NamedTuple

    __all__ = ["NamedTuple"]

_MANY: Final = 50
_namedtuple: Any = collections.namedtuple  # noqa: PYI024 - it is what is made here


class _Kind(type):
    """Makes a class of tuples of what is declared like one with fields."""

    def __new__(cls, name: str, _bases: tuple[type, ...], space: dict[str, Any]) -> Any:
        fields = tuple(space.get("__annotations__", ()))
        defaults = {field: space[field] for field in fields if field in space}
        if fields[len(fields) - len(defaults) :] != tuple(defaults):
            raise TypeError(f"{name}: a field without a default is behind one that has one")
        space = {
            "__slots__": (), "__doc__": f"{name}({', '.join(fields)})", "__repr__": _repr,
            "_make": classmethod(_make), "_replace": _replace, "_asdict": _as_dict,
            "__getnewargs__": _plain, **space, "_fields": fields, "_field_defaults": defaults,
            "__match_args__": fields,
        }  # fmt: skip
        for n, field in enumerate(fields):
            space[field] = _tuplegetter(n, f"Alias for field number {n}")
        space["__new__"] = _new(fields, defaults)
        return type(name, (tuple,), space)


if not TYPE_CHECKING:
    NamedTuple = type.__new__(_Kind, "NamedTuple", (), {})


def _new(fields: tuple[str, ...], defaults: dict[str, Any]) -> Any:
    """Return ``__new__`` of a class; the library's takes its place once it was called often."""
    count = len(fields)
    left = _MANY
    filled = tuple.__new__

    def __new__(cls: type[Any], *args: Any, **named: Any) -> Any:  # noqa: N807 - it becomes that
        nonlocal left
        left -= 1
        if left:
            if not named and len(args) == count:
                return filled(cls, args)
            values = _completed(args, named, fields, defaults)
            if len(values) == count:
                return filled(cls, values)
        owner: Any = next(each for each in cls.__mro__ if each.__dict__.get("_fields") is fields)
        made = _librarys(owner)
        owner.__new__ = staticmethod(made)
        return made(cls, *args, **named)

    return __new__


def _completed(
    args: tuple[Any, ...], named: dict[str, Any], fields: tuple[str, ...], defaults: dict[str, Any]
) -> tuple[Any, ...]:
    """Return all values; none where those that are given do not fit."""
    rest = fields[len(args) :]
    if len(args) > len(fields) or not named.keys() <= set(rest) <= named.keys() | defaults.keys():
        return ()
    return (*args, *(named[field] if field in named else defaults[field] for field in rest))


def _librarys(owner: Any) -> Any:
    """Return what the library makes for a class."""
    defaults = owner._field_defaults.values()
    return _namedtuple(owner.__name__, owner._fields, defaults=defaults).__new__


def _make(cls: Any, values: Any) -> Any:
    """Make one of an iterable."""
    made = tuple.__new__(cls, values)
    if len(made) != len(cls._fields):
        raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
    return made


def _replace(self: Any, /, **named: Any) -> Any:
    """Return one with other values in some fields."""
    made = self._make(map(named.pop, self._fields, self))
    if named:
        error = TypeError if sys.version_info >= (3, 13) else ValueError  # as the library's
        raise error(f"Got unexpected field names: {list(named)!r}")
    return made


def _as_dict(self: Any) -> dict[str, Any]:
    """Return values by the names of fields."""
    return dict(zip(self._fields, self, strict=True))


def _plain(self: Any) -> tuple[Any, ...]:
    """Return what a copy, and a pickle, is made of."""
    return tuple(self)


def _repr(self: Any) -> str:
    pairs = zip(self._fields, self, strict=True)
    return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"
