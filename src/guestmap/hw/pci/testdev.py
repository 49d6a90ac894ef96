"""The test device ``pci-testdev`` (1b36:0005).

QEMU docs/specs/pci-testdev describes it: a write of a test's number to byte 0 of the memory or I/O
window starts the test, whose header then reads back from either window; a write of the right
datum to the test's offset counts. The tests that QEMU serves with an ioeventfd never count here
either: their matching writes go to the event, not to the counter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import declare, setting
from guestmap.hw.device import U32, IoRegion
from guestmap.hw.pci import registers as reg
from guestmap.hw.pci.device import PciFunction
from guestmap.hw.pci.identity import PciIdentity
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE, PciState
from guestmap.memory import Endianness, MemoryRegionOps
from guestmap.qom import SIZE

if TYPE_CHECKING:
    from guestmap.hw.pci.bus import PciBus
    from guestmap.qom import JsonValue

MEMORY_BAR_SIZE, IO_BAR_SIZE = 4096, 256

_IDENTITY = PciIdentity(0x1B36, 0x0005, 0x00FF)
_KINDS = ("no-eventfd", "wildcard-eventfd", "datamatch-eventfd")
_WILDCARD, _DATAMATCH = 1, 2
_MATCH, _NO_MATCH = 0xFA, 0xCE
_FIRST_OFFSETS = {"mmio": 0x800, "portio": 0x80}
_NAMES = ("mmio", "portio")


class _Test:
    """One test: what its header says, and how often it was hit."""

    __slots__ = ("count", "data", "kind", "name", "number", "offset")

    def __init__(self, number: int) -> None:
        space, self.kind = _NAMES[number // len(_KINDS)], number % len(_KINDS)
        self.number = number
        self.name = f"{space}-{_KINDS[self.kind]}"
        self.offset = _FIRST_OFFSETS[space] + number
        self.data = _NO_MATCH if self.kind == _WILDCARD else _MATCH
        self.count = 0

    def header(self) -> bytes:
        """Return number, width 1, offset, datum and count, and the name."""
        fields = (self.offset, self.data, self.count)
        words = b"".join(field.to_bytes(4, "little") for field in fields)
        return bytes((self.number, 1, 0, 0)) + words + self.name.encode() + b"\0"

    def matches(self, offset: int, value: int) -> bool:
        """Whether a byte written counts."""
        return offset == self.offset and (self.kind == _WILDCARD or value == self.data)

    def takes_event(self, offset: int, value: int, size: int) -> bool:
        """Whether an access goes to the test's event instead of the device."""
        if size != 1 or offset != self.offset:
            return False
        return self.kind == _WILDCARD or (self.kind == _DATAMATCH and value == self.data)


@dataclass(slots=True)
class TestDeviceState(PciState):
    """Which test runs, and how often it was hit."""

    __test__ = False

    test: Annotated[int, Meta(ge=0, lt=2 * len(_KINDS))] | None = None
    count: U32 = 0


class PciTestDevice(PciFunction[TestDeviceState]):
    """The test device, with a memory window, an I/O window and, if asked for, a third one.

    Args:
        bus: the bus that it sits on.
        devfn: slot << 3 | function.
        membar: bytes of the 64-bit window BAR 2 (a power of two), in which nobody answers; 0: none.
        multifunction: whether its slot has further functions.

    Raises:
        ConfigError: ``membar`` is not a power of two, or the slot is taken.
    """

    TYPE = declare(
        "pci-testdev",
        PCI_DEVICE,
        setting("membar", SIZE, 0),
        interfaces=IS_PCI,
        user_creatable=True,
    )
    CHOICES = ("membar", "multifunction")

    def __init__(
        self, bus: PciBus, devfn: int, *, membar: int = 0, multifunction: bool = False
    ) -> None:
        super().__init__(TestDeviceState(), bus, devfn, _IDENTITY, multifunction=multifunction)
        self._membar = membar
        self._test: _Test | None = None
        for slot, (name, size, first, kind) in enumerate(
            (
                ("pci-testdev-mmio", MEMORY_BAR_SIZE, 0, 0),
                ("pci-testdev-portio", IO_BAR_SIZE, len(_KINDS), reg.BAR_IO),
            )
        ):
            ops = MemoryRegionOps(
                read=self._read,
                write=lambda offset, value, size, first=first: self._write(  # type: ignore[misc]
                    first, offset, value, size
                ),
                endianness=Endianness.LITTLE,
            )
            self.add_bar(slot, self.make(IoRegion(name, size, ops)), kind)
        if membar:
            region = self.make(IoRegion("pci-testdev-membar", membar, None, is_container=True))
            self.add_bar(2, region, reg.BAR_MEMORY_64 | reg.BAR_PREFETCH)

    @classmethod
    def plugged(cls, bus: PciBus, devfn: int, choices: dict[str, Any]) -> PciTestDevice:
        """Make one as the user wants it."""
        return cls(bus, devfn, **choices)

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value."""
        return self._membar if name == "membar" else super().value(name, fallback)

    def save(self) -> TestDeviceState:
        """Return the registers, and the test that runs."""
        test = self._test
        self.state.test, self.state.count = (test.number, test.count) if test else (None, 0)
        return super().save()

    def load(self, state: TestDeviceState) -> None:
        """Go on from there."""
        super().load(state)
        self._test = None if self.state.test is None else _Test(self.state.test)
        if self._test is not None:
            self._test.count = self.state.count

    def _read(self, offset: int, size: int) -> int:
        if self._test is None:
            return 0
        return int.from_bytes(self._test.header()[offset : offset + size], "little")

    def _write(self, first: int, offset: int, value: int, size: int) -> None:
        if self._test is not None and self._test.takes_event(offset, value, size):
            return
        for index in range(size):
            self._write_byte(first, offset + index, value >> (8 * index) & 0xFF)

    def _write_byte(self, first: int, offset: int, value: int) -> None:
        if offset == 0:
            self._test = _Test(first + value) if value < len(_KINDS) else None
        elif self._test is not None and self._test.matches(offset, value):
            self._test.count = (self._test.count + 1) & 0xFFFF_FFFF

    def reset(self) -> None:
        """Forget the test that was running."""
        super().reset()
        self._test = None
