"""Bounds of what a saved state holds, for msgspec, which checks them.

That library is imported when a state is saved or loaded, which happens to few machines: each start
would wait for it. Annotations of fields are text until then; a type that several of them share is
:func:`bounded`.
"""

from __future__ import annotations

from typing import Annotated, Any, Union


def Meta(**bounds: Any) -> Any:  # noqa: N802 - it stands for the library's class
    """Return msgspec's bounds of a number (``ge``, ``lt``...) or a length (``min_length``...)."""
    import msgspec

    return msgspec.Meta(**bounds)


class _Bounded:
    """A type by another name, as :class:`typing.NewType` makes them, which says late what it is.

    Not a reference in a text, as typing has them too: to compile the first text takes Python 1 ms.
    """

    __slots__ = ("_bounds", "_kind")

    def __init__(self, kind: type[Any], bounds: dict[str, int]) -> None:
        self._kind = kind
        self._bounds = bounds

    @property
    def __supertype__(self) -> Any:
        return Annotated[self._kind, Meta(**self._bounds)]

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007 - the other way to write it comes here

    def __call__(self, value: Any) -> Any:  # what can be called passes for a type
        return value


def bounded(kind: type[Any], **bounds: int) -> Any:
    """Return a built-in type with bounds, which are looked at when a state is checked."""
    return _Bounded(kind, bounds)
