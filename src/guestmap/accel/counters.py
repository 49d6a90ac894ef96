"""What an engine counts while it runs."""

from __future__ import annotations

from guestmap.accel.types import EngineStatistics


class Counters:
    """:class:`EngineStatistics` that can be counted up."""

    __slots__ = tuple(EngineStatistics.__dataclass_fields__)

    entries: int
    maps: int
    unmaps: int
    open_windows: int
    invalidations: int
    port_reads: int
    port_writes: int
    mmio_reads: int
    mmio_writes: int
    rom_writes: int
    interrupts: int
    software_interrupts: int
    exceptions: int
    halts: int
    strings: int

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    def freeze(self) -> EngineStatistics:
        """Return the counts of this moment."""
        return EngineStatistics(**{name: getattr(self, name) for name in self.__slots__})
