"""The published cell: one reference that readers load and an updater replaces."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class RcuCell(Generic[T]):
    """A reference that is replaced as a whole (QEMU's atomic_rcu_read and atomic_rcu_set).

    A reader sees the old object or the new one, each complete, if the updater keeps one rule: an
    object is finished before it is set, and never changed while a reader can reach it. A change
    is a changed copy. A reader that needs several facts to agree loads once and takes them all
    from what it got; a second :meth:`read` may return something newer.

    Updaters serialise among themselves; readers need no lock.

    Attributes:
        value: what is published. Loading and assigning it is what :meth:`read` and :meth:`set` do,
            without the price of a call.
    """

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def read(self) -> T:
        """Return what is published; inside a read section it stays unreclaimed until the end."""
        return self.value

    def set(self, value: T) -> None:
        """Publish ``value``: readers that come from now on find it."""
        self.value = value

    def replace(self, value: T) -> T:
        """Publish ``value`` and return what it replaced, which the caller then reclaims."""
        old = self.value
        self.value = value
        return old

    def __repr__(self) -> str:
        return f"RcuCell({self.value!r})"
