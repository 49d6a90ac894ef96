"""PCI functions as QMP tells of them, and the devices of the object tree that they are.

Sources: PCI Local Bus Specification 3.0, chapter 6 (BARs, command register); PCI-to-PCI Bridge
Architecture Specification 1.2, chapter 3 (bus numbers, windows); QEMU QMP Reference Manual
(query-pci, qom-list).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guestmap.inspect.map.report import Report

BarType = Literal["memory", "io"]
WindowKind = Literal["io", "memory", "prefetchable"]

ROM_BAR = 6
"""The number under which QEMU tells of the expansion ROM's base address register."""


@dataclass(frozen=True, slots=True)
class DeviceRegion(Report):
    """A memory region that a device owns.

    Attributes:
        name: as the map has it.
        path: of its object.
        size: bytes, at most 2**64.
        addr: offset in its container.
        container: path of the region that it is in; "" where it is in none.
    """

    name: str
    path: str
    size: int
    addr: int
    container: str


@dataclass(frozen=True, slots=True)
class QomDevice(Report):
    """A device of the object tree that owns memory regions, or is a PCI function.

    Attributes:
        devfn: slot * 8 + function, as PCI numbers them; None: it is no PCI function.
        bus: path of the bus that it is on; "" where not told.
    """

    path: str
    driver: str
    regions: tuple[DeviceRegion, ...]
    devfn: int | None = None
    bus: str = ""

    @property
    def name(self) -> str:
        """Its id where it has one, else the last part of its path."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class PciBar(Report):
    """A base address register: 0 to 5, or the expansion ROM's.

    Attributes:
        size: bytes; 0: not told.
        address: where it decodes; None: nowhere. QEMU does not tell whether it was given no
            address, or decoding is off in the command register.
    """

    number: int
    type: BarType
    size: int
    address: int | None
    prefetch: bool = False
    mem_type_64: bool = False

    @property
    def title(self) -> str:
        """What people call it."""
        return "expansion ROM" if self.number == ROM_BAR else f"BAR {self.number}"


@dataclass(frozen=True, slots=True)
class Window(Report):
    """What a bridge passes on of one kind: ``base`` to ``limit``, both included."""

    kind: WindowKind
    base: int
    limit: int

    @property
    def is_open(self) -> bool:
        """Whether its registers let anything through: not with the base above the limit."""
        return self.base <= self.limit

    def holds(self, start: int, size: int) -> bool:
        """Tell whether the window passes all of a range on."""
        return self.base <= start and start + size - 1 <= self.limit


@dataclass(frozen=True, slots=True)
class Bridge(Report):
    """What makes a function a PCI-to-PCI bridge; buses are 0 until firmware has numbered them."""

    secondary: int
    subordinate: int
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Function(Report):
    """A PCI function.

    Attributes:
        bus: its number; None: the bridge above has given none yet, and QMP tells nothing more.
        above: index of the bridge in front of it among all functions; None: on a root bus.
        device: the object that it is, where it was found.
    """

    bus: int | None
    slot: int
    function: int
    vendor: int
    product: int
    description: str
    bars: tuple[PciBar, ...]
    bridge: Bridge | None = None
    above: int | None = None
    device: QomDevice | None = None

    @property
    def address(self) -> str:
        """``00:02.0``; the bus is ``??`` while it has no number."""
        bus = "??" if self.bus is None else f"{self.bus:02x}"
        return f"{bus}:{self.slot:02x}.{self.function}"

    @property
    def title(self) -> str:
        """Its address, and what it is called."""
        words = [self.device.name, self.device.driver] if self.device else []
        return f"{self.address} ({', '.join([*words, self.description])})"

    def regions_of(self, bar: PciBar) -> tuple[DeviceRegion, ...]:
        """Return the region behind a BAR; several where all that is told fits more than one."""
        regions = self.device.regions if self.device else ()
        own = {each.path for each in regions}
        fitting = tuple(
            each for each in regions if each.size == bar.size and each.container not in own
        )
        exact = tuple(each for each in fitting if each.container and each.addr == bar.address)
        if bar.address is not None and exact:
            return exact
        return tuple(each for each in fitting if not each.container)


@dataclass(frozen=True, slots=True)
class PciDevices(Report):
    """All PCI functions of a machine, a bridge before what is behind it, and its other devices."""

    source: str
    version: str
    functions: tuple[Function, ...]
    others: tuple[QomDevice, ...]
