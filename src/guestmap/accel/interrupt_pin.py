"""A CPU's INTR pin, and what was acknowledged there and has not reached its handler yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.accel.vcpu import InterruptSource


class InterruptPin:
    """An interrupt source whose first vector may be one that another CPU had accepted already.

    The controller has ended that one's acknowledge cycle long ago and will not offer it again: it
    waits here until this CPU takes it.

    Args:
        source: the controller.

    Attributes:
        accepted: the vector that waits; None for none.
    """

    def __init__(self, source: InterruptSource) -> None:
        self._source = source
        self.accepted: int | None = None

    @property
    def pending(self) -> bool:
        """Whether there is an interrupt to take."""
        return self.accepted is not None or self._source.pending

    def acknowledge(self) -> int:
        """Return the vector to take: what waits, or else the controller's."""
        vector, self.accepted = self.accepted, None
        return self._source.acknowledge() if vector is None else vector
