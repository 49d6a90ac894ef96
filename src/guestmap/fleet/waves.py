"""In how many steps a change goes over a fleet: a few first, then a share at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from guestmap.base import ConfigError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class WavePolicy:
    """How a change goes over a fleet.

    Attributes:
        canary: machines of the first wave.
        percent: of all, for each wave after that.
        pause_after: failures after which no further machine is begun; 0: none stops it.

    Raises:
        ConfigError: a number is impossible.
    """

    canary: int = 1
    percent: float = 10.0
    pause_after: int = 1

    def __post_init__(self) -> None:
        if self.canary < 0 or not 0 < self.percent <= 100 or self.pause_after < 0:
            raise ConfigError(
                f"waves of {self.percent:g} % after {self.canary} machines, paused after"
                f" {self.pause_after} failures, cannot be"
            )

    def waves(self, machines: Sequence[_T]) -> Iterator[Sequence[_T]]:
        """Yield the machines wave by wave."""
        at = 0
        size = self.canary
        while at < len(machines):
            if size:
                yield machines[at : at + size]
            at += size
            size = max(1, math.ceil(len(machines) * self.percent / 100))
