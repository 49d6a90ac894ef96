"""What is watched of a machine's CPU, for all who watch it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractContextManager

    from guestmap.accel import Vcpu
    from guestmap.accel.debug import Watchpoint


class Watching:
    """The ranges that a CPU is watched at.

    Args:
        vcpu: the CPU.
        exclusive: has it be outside the guest, and nobody else at it.
    """

    def __init__(self, vcpu: Vcpu, exclusive: Callable[[], AbstractContextManager[None]]) -> None:
        self._vcpu = vcpu
        self._exclusive = exclusive
        self._points: dict[object, tuple[Watchpoint, ...]] = {}

    def set(self, owner: object, points: Collection[Watchpoint], *, stepping: bool = False) -> None:
        """Watch these ranges for somebody, instead of those before; from any thread.

        Args:
            owner: for whom.
            points: the ranges.
            stepping: the next run stops after one instruction.

        Raises:
            UnsupportedError: the engine does not tell what its guest does.
        """
        with self._exclusive():
            probe = self._vcpu.probe
            self._points[owner] = tuple(points)
            if not points:
                del self._points[owner]
            probe.watch([each for all_of in self._points.values() for each in all_of],
                        stepping=stepping)  # fmt: skip
