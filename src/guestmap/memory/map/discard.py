"""RAM that is there in parts: who says which parts, and who must be told.

A device such as virtio-mem owns a RAM region of which only some blocks are *populated*; the others
hold no host memory, and must not be touched. Whoever maps guest memory for others (VFIO, vhost)
listens and maps the populated parts only. The terms and the order of events are QEMU's
(``RamDiscardManager``, ``RamDiscardListener`` in include/exec/memory.h).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from guestmap.base import ConfigError, StateError
from guestmap.memory.map.checks import checked_kind, checked_number
from guestmap.memory.map.region import MemoryRegion
from guestmap.memory.map.section import MemoryRegionSection


class RamDiscardListener:
    """Base class: override what you want to hear of.

    Attributes:
        double_discard_supported: whether parts that are not populated may be discarded again:
            then one call can discard everything.
    """

    double_discard_supported = False

    def populate(self, section: MemoryRegionSection) -> None:
        """``section`` is about to be used. To raise refuses that."""

    def discard(self, section: MemoryRegionSection) -> None:
        """``section`` is not used any more: let go of it. Must not fail."""


class RamDiscardManager:
    """Which blocks of a RAM region are populated; none at first.

    One block is one bit of state; all offsets and lengths are multiples of ``granularity``.
    Methods that change something are the owner device's, and only one thread's at a time;
    questions may be asked by any.

    Args:
        region: the RAM.
        granularity: bytes of a block; a power of two, and whole pages of the host.

    Raises:
        ConfigError: the region is not RAM, or is not made of whole blocks.
    """

    def __init__(self, region: MemoryRegion, granularity: int) -> None:
        checked_kind("discard manager of", region, MemoryRegion).check_open()
        if not region.ram or region.ram_block is None:
            raise ConfigError(f"region {region.name!r} is not RAM: there is nothing to discard")
        granularity = checked_number(f"region {region.name!r}: granularity", granularity)
        page = region.ram_block.page_size
        if granularity < page or granularity & (granularity - 1) or region.size % granularity:
            raise ConfigError(
                f"region {region.name!r} of 0x{region.size:x} bytes does not consist of blocks of"
                f" 0x{granularity:x}: give a power of two that divides it, at least 0x{page:x}"
            )
        self.region = region
        self.granularity = granularity
        self._populated = bytearray(region.size // granularity)
        self._listeners: list[tuple[RamDiscardListener, MemoryRegionSection]] = []

    # -- questions -------------------------------------------------------------------------------

    def is_populated(self, section: MemoryRegionSection) -> bool:
        """Tell whether all of a section of the region is populated."""
        first = section.offset_within_region // self.granularity
        end = -(-(section.offset_within_region + section.size) // self.granularity)
        return self._populated.find(0, first, end) < 0

    @property
    def populated_bytes(self) -> int:
        """How many bytes are populated."""
        return self._populated.count(1) * self.granularity

    def replay_populated(
        self, section: MemoryRegionSection, call: Callable[[MemoryRegionSection], None]
    ) -> None:
        """Call with each populated part of ``section``, as large as can be, lowest first."""
        for part in self._parts(section, 1):
            call(part)

    def replay_discarded(
        self, section: MemoryRegionSection, call: Callable[[MemoryRegionSection], None]
    ) -> None:
        """Call with each part of ``section`` that is not populated."""
        for part in self._parts(section, 0):
            call(part)

    def _parts(self, section: MemoryRegionSection, state: int) -> Iterator[MemoryRegionSection]:
        offset, size = section.offset_within_region, section.size
        index, stop = offset // self.granularity, -(-(offset + size) // self.granularity)
        while True:
            start = self._populated.find(state, index, stop)
            if start < 0:
                return
            index = self._populated.find(1 - state, start, stop)
            index = stop if index < 0 else index
            part = crop(section, start * self.granularity, (index - start) * self.granularity)
            assert part is not None
            yield part

    # -- listeners -------------------------------------------------------------------------------

    def register_listener(self, listener: RamDiscardListener, section: MemoryRegionSection) -> None:
        """Tell ``listener`` of a section of the region: what is populated now, and all changes.

        Raises:
            ConfigError: the section is another region's.
            StateError: it is registered already.
            whatever the listener raises; what it was told before is taken back.
        """
        checked_kind(f"region {self.region.name!r}: discard", listener, RamDiscardListener)
        checked_kind(f"region {self.region.name!r}: discard", section, MemoryRegionSection)
        if section.region is not self.region:
            raise ConfigError(
                f"a section of {section.region.name!r} is not one of {self.region.name!r}"
            )
        if any(each is listener for each, _ in self._listeners):
            raise StateError(f"this listener of {self.region.name!r} is registered already")
        told: list[MemoryRegionSection] = []
        try:
            for part in self._parts(section, 1):
                listener.populate(part)
                told.append(part)
        except BaseException:
            for part in reversed(told):
                listener.discard(part)
            raise
        self._listeners.append((listener, section))

    def unregister_listener(self, listener: RamDiscardListener) -> None:
        """Tell ``listener`` that all is discarded, and nothing more.

        Raises:
            StateError: it is not registered.
        """
        found = [each for each in self._listeners if each[0] is listener]
        if not found:
            raise StateError(f"this listener of {self.region.name!r} is not registered")
        self._listeners.remove(found[0])
        section = found[0][1]
        if listener.double_discard_supported:
            listener.discard(section)
        else:
            self.replay_populated(section, listener.discard)

    # -- changes ---------------------------------------------------------------------------------

    def populate(self, offset: int, length: int) -> None:
        """Make blocks be there, if every listener agrees.

        Raises:
            ConfigError: not whole blocks of the region.
            StateError: some of them are populated already.
            whatever a listener raises: nothing is populated then, and those listeners that had
                agreed are told to discard.
        """
        first, end = self._blocks(offset, length)
        if self._populated.find(1, first, end) >= 0:
            raise StateError(
                f"0x{length:x} bytes at 0x{offset:x} of {self.region.name!r} are partly populated"
                " already"
            )
        agreed: list[tuple[RamDiscardListener, MemoryRegionSection]] = []
        try:
            for listener, section in self._listeners:
                part = crop(section, offset, length)
                if part is not None:
                    listener.populate(part)
                    agreed.append((listener, part))
        except BaseException:
            for listener, part in agreed:
                listener.discard(part)
            raise
        self._populated[first:end] = b"\1" * (end - first)

    def discard(self, offset: int, length: int) -> None:
        """Make blocks not be there, and give their host memory back.

        Blocks that were not populated stay so; listeners hear of those that were, or of all in
        one call if they support that.

        Raises:
            ConfigError: not whole blocks of the region.
            HostError: the host refused; the blocks are discarded all the same.
        """
        first, end = self._blocks(offset, length)
        for listener, section in self._listeners:
            part = crop(section, offset, length)
            if part is None:
                continue
            if listener.double_discard_supported:
                listener.discard(part)
            else:
                self.replay_populated(part, listener.discard)
        self._populated[first:end] = bytes(end - first)
        block = self.region.ram_block
        assert block is not None
        if block.host is not None:
            block.discard(offset, length)

    def _blocks(self, offset: int, length: int) -> tuple[int, int]:
        self.region.check_open()
        offset = checked_number(f"region {self.region.name!r}: offset", offset)
        length = checked_number(f"region {self.region.name!r}: length", length)
        step, size = self.granularity, len(self._populated) * self.granularity
        if offset % step or length % step or not 0 <= offset < offset + length <= size:
            raise ConfigError(
                f"{length:#x} bytes at {offset:#x} of {self.region.name!r} are not whole blocks"
                f" of 0x{step:x} in its 0x{size:x} bytes"
            )
        return offset // step, (offset + length) // step


def crop(section: MemoryRegionSection, offset: int, length: int) -> MemoryRegionSection | None:
    """Return the part of a section in ``length`` bytes at ``offset`` of its region, or None."""
    start = max(offset, section.offset_within_region)
    end = min(offset + length, section.offset_within_region + section.size)
    if start >= end:
        return None
    shift = start - section.offset_within_region
    return section._replace(
        offset_within_region=start,
        size=end - start,
        offset_within_address_space=section.offset_within_address_space + shift,
    )
