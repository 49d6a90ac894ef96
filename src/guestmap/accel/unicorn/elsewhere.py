"""Hooks for accesses to what is no RAM, and not on RAM where that can be avoided.

A memory hook of any kind that covers an address makes each store there slow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base.addrrange import merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SMALLEST = 1 << 18
"""Bytes from which on RAM is left out: firmware turns smaller ones on and off, one by one."""

_TOP = 1 << 64


class Elsewhere:
    """The hooks, at first on all addresses.

    Args:
        uc: the Unicorn instance.
        hooks: kinds of hooks, and what is called.
    """

    def __init__(self, uc: Any, hooks: Mapping[int, Callable[..., bool]]) -> None:
        self._uc = uc
        self._hooks = hooks
        self._covered: list[tuple[int, int]] = []
        self._handles: list[Any] = []
        self._cover([(0, _TOP)])

    def leave_out(self, ram: Iterable[tuple[int, int]]) -> None:
        """Have the hooks on all addresses but these ranges; small ranges are not worth it."""
        covered, at = [], 0
        for start, end in merged(list(ram)):
            if end - start >= SMALLEST:
                if at < start:
                    covered.append((at, start))
                at = end
        covered.append((at, _TOP))
        if covered != self._covered:
            self._cover(covered)

    def _cover(self, ranges: list[tuple[int, int]]) -> None:
        old, self._covered = self._handles, ranges
        self._handles = [
            self._uc.hook_add(kind, callback, None, start, end - 1)
            for kind, callback in self._hooks.items()
            for start, end in ranges
        ]
        for handle in old:  # only now: no moment without
            self._uc.hook_del(handle)
