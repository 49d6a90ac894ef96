"""What a drive has asked of its medium: how often, how much, and how long that took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any

from guestmap.base.dataclass import dataclass

if TYPE_CHECKING:
    from guestmap.hw.medium import Medium


@dataclass(slots=True)
class Requests:
    """Requests of one sort.

    Attributes:
        done: how many were carried out.
        failed: how many the medium could not carry out.
        invalid: how many went beyond the medium, and were never asked of it.
        size: bytes of those that were carried out.
        time_ns: how long all that were asked took, ns.
    """

    done: int = 0
    failed: int = 0
    invalid: int = 0
    size: int = 0
    time_ns: int = 0


@dataclass(slots=True)
class DriveCounts:
    """Requests of one drive, since it was made.

    Attributes:
        reads, writes, flushes: by sort.
        highest: the offset behind the last byte that was ever written; 0 before that.
        last_ns: when the last request ended, on the host's clock, ns; None before the first.
    """

    reads: Requests = field(default_factory=Requests)
    writes: Requests = field(default_factory=Requests)
    flushes: Requests = field(default_factory=Requests)
    highest: int = 0
    last_ns: int | None = None


class CountedMedium:
    """Another medium, with what is asked of it counted.

    Args:
        base: the medium.
        counts: where that is written.
        now_ns: the host's clock, ns.
    """

    def __init__(
        self, base: Medium, counts: DriveCounts, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.base, self._counts, self._now_ns = base, counts, now_ns

    @property
    def size(self) -> int:
        """Bytes."""
        return self.base.size

    @property
    def readonly(self) -> bool:
        """Whether it takes no writes."""
        return self.base.readonly

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.base.name

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes."""
        found: bytes = self._done(self._counts.reads, length, self.base.read, offset, length)
        return found

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes there."""
        self._done(self._counts.writes, len(data), self.base.write, offset, data)
        self._counts.highest = max(self._counts.highest, offset + len(data))

    def flush(self) -> None:
        """Have everything that was written outlive the program and the host."""
        self._done(self._counts.flushes, 0, self.base.flush)

    def close(self) -> None:
        """Let go of it."""
        self.base.close()

    def _done(self, sort: Requests, size: int, do: Callable[..., Any], *what: Any) -> Any:
        begun = self._now_ns()
        try:
            found = do(*what)
        except BaseException:
            sort.failed += 1
            raise
        else:
            sort.done += 1
            sort.size += size
            return found
        finally:
            self._counts.last_ns = self._now_ns()
            sort.time_ns += self._counts.last_ns - begun
