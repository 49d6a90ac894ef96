"""Bounds of what a saved state holds, for msgspec, which checks them.

That library is imported when a state is saved or loaded, which happens to few machines: each start
would wait for it. Annotations of fields are text until then; a type that several of them share is
:func:`bounded`.
"""

from __future__ import annotations

from typing import Annotated, Any, ForwardRef

_NAMES = (Annotated,)  # in the texts of :func:`bounded`


def Meta(**bounds: Any) -> Any:  # noqa: N802 - it stands for the library's class
    """Return msgspec's bounds of a number (``ge``, ``lt``...) or a length (``min_length``...)."""
    import msgspec

    return msgspec.Meta(**bounds)


def bounded(kind: type[Any], **bounds: int) -> Any:
    """Return a built-in type with bounds, which are looked at when a state is checked."""
    words = ", ".join(f"{name}={value}" for name, value in bounds.items())
    return ForwardRef(f"Annotated[{kind.__name__}, Meta({words})]", module=__name__)
