"""What is watched of a machine's CPUs, for all who watch it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import AbstractContextManager

    from guestmap.accel import Vcpu
    from guestmap.accel.debug import Watchpoint


class Watching:
    """The ranges that CPUs are watched at.

    Args:
        vcpus: the CPUs.
        exclusive: has them be outside the guest, and nobody else at them.
    """

    def __init__(
        self, vcpus: Sequence[Vcpu], exclusive: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._vcpus = vcpus
        self._exclusive = exclusive
        self._points: dict[object, tuple[Watchpoint, ...]] = {}

    def set(self, owner: object, points: Collection[Watchpoint], *, stepping: bool = False) -> None:
        """Watch these ranges for somebody, instead of those before; from any thread.

        Args:
            owner: for whom.
            points: the ranges.
            stepping: the next run stops after one instruction of the first CPU.

        Raises:
            UnsupportedError: the engine does not tell what its guest does; what was watched is.
        """
        with self._exclusive():
            probes = [each.probe for each in self._vcpus]
            kept = {**self._points, owner: tuple(points)}
            if not points:
                del kept[owner]
            wanted = [each for all_of in kept.values() for each in all_of]
            for number, probe in enumerate(probes):
                probe.watch(wanted, stepping=stepping and not number)
            self._points = kept
