"""The PCI transport: a legacy driver's ports and a modern driver's registers, both at once.

OASIS virtio specification 1.2, sections 4.1.4 (structures) and 4.1.4.10 (legacy); what it leaves
open is QEMU 7.2's, without MSI-X. A device derives from :class:`VirtioPci` and says what its queues
do (:meth:`~VirtioPci.serve`) and what its configuration is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from guestmap.hw.declare import SWITCH, declare, setting
from guestmap.hw.device import IoRegion
from guestmap.hw.pci import registers as reg
from guestmap.hw.pci.identity import PciIdentity
from guestmap.hw.pci.kind import PCI_DEVICE
from guestmap.hw.virtio import common, legacy
from guestmap.hw.virtio import registers as bits
from guestmap.hw.virtio.device import VirtioDevice, VirtioStateT
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps
from guestmap.qom import BOOL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.hw.pci.bus import PciBus
    from guestmap.memory import MemoryRegion

_VENDOR, _LEGACY_DEVICE, _CLASS_OTHER = 0x1AF4, 0x1000, 0x00FF
_PAGE, _NOTIFY_STEP, _PARTS = 0x1000, 4, ("common", "isr", "device", "notify")
_CAPABILITY, _VENDOR_SPECIFIC = 0x40, 0x09
_CFG, _CFG_BAR, _CFG_OFFSET, _CFG_LENGTH, _CFG_DATA = 0x84, 0x88, 0x8C, 0x90, 0x94
_BAR, _LEGACY_BAR = 4, 0

VIRTIO_PCI = declare(
    "virtio-pci", PCI_DEVICE,
    setting("virtio-pci-bus-master-bug-migration", BOOL, False, SWITCH),
    setting("migrate-extra", BOOL, True, SWITCH),
    setting("modern-pio-notify", BOOL, False, SWITCH),
    setting("x-disable-pcie", BOOL, False, SWITCH),
    setting("page-per-vq", BOOL, False, SWITCH),
    setting("x-ignore-backend-features", BOOL, False),
    setting("ats", BOOL, False, SWITCH),
    setting("x-ats-page-aligned", BOOL, True, SWITCH),
    setting("x-pcie-deverr-init", BOOL, True, SWITCH),
    setting("x-pcie-lnkctl-init", BOOL, True, SWITCH),
    setting("x-pcie-pm-init", BOOL, True, SWITCH),
    setting("x-pcie-flr-init", BOOL, True, SWITCH),
    setting("aer", BOOL, False, SWITCH),
    abstract=True,
)  # fmt: skip


class VirtioPci(VirtioDevice[VirtioStateT]):
    """A virtio device behind PCI, for legacy and modern drivers.

    Args:
        state: as it is at power-on.
        bus: the bus that it sits on.
        devfn: slot << 3 | function.
        multifunction: whether its slot has further functions.

    Attributes:
        NAME: of the device, in regions' names.
        DEVICE_ID: the specification's number of the device; LEGACY_ID: what a legacy driver finds.
    """

    NAME: ClassVar[str]
    DEVICE_ID: ClassVar[int]
    LEGACY_ID: ClassVar[int]

    def __init__(
        self, state: VirtioStateT, bus: PciBus, devfn: int, *, multifunction: bool = False
    ) -> None:
        identity = PciIdentity(
            _VENDOR, _LEGACY_DEVICE + self.LEGACY_ID, _CLASS_OTHER,
            subsystem=(_VENDOR, self.DEVICE_ID),
        )  # fmt: skip
        super().__init__(state, bus, devfn, identity, multifunction=multifunction)
        self.config.set(reg.INTERRUPT_PIN, 1)
        self._add_capabilities()
        self._add_windows()

    # -- what it is made of ------------------------------------------------------------------------

    def _add_capabilities(self) -> None:
        config, at = self.config, _CAPABILITY
        for number, (kind, length) in enumerate(((1, 16), (3, 16), (4, 16), (2, 20))):
            self._add_structure(at, kind, length, number * _PAGE, _PAGE)
            at += length
        config.set(at - 4, _NOTIFY_STEP, 4)
        self._add_structure(_CFG, 5, 20, 0, 0)
        config.set(_CFG_BAR, 0)
        config.allow_write(_CFG_BAR, 0xFF)
        for register in (_CFG_OFFSET, _CFG_LENGTH, _CFG_DATA):
            config.allow_write(register, 0xFFFF_FFFF, 4)

    def shown_regions(self) -> Iterable[MemoryRegion]:
        """Return its view of the memory, its windows, the modern first, and one that is nowhere."""
        yield self._master.container
        yield from (bar.region for bar in reversed(self.bars))
        yield self._nowhere

    def _add_structure(self, at: int, kind: int, length: int, offset: int, size: int) -> None:
        self.add_capability(_VENDOR_SPECIFIC, at, length)
        self.config.set(at + 2, length | kind << 8, 2)
        self.config.set(at + 4, _BAR, 4)
        self.config.set(at + 8, offset, 4)
        self.config.set(at + 12, size, 4)

    def _add_windows(self) -> None:
        size = 1 << (legacy.SIZE + self.CONFIG - 1).bit_length()
        ports = _ops(
            lambda offset, size: legacy.read(self, offset, size),
            lambda offset, value, size: legacy.write(self, offset, value, size),
        )
        self.add_bar(_LEGACY_BAR, self.make(IoRegion("virtio-pci", size, ports)), reg.BAR_IO)
        self._parts = tuple(
            IoRegion(f"virtio-pci-{name}-{self.NAME}", _PAGE, ops)
            for name, ops in zip(_PARTS, self._part_ops(), strict=True)
        )
        inner = tuple((number * _PAGE, part) for number, part in enumerate(self._parts))
        window = self.make(
            IoRegion("virtio-pci", len(inner) * _PAGE, None, inner, is_container=True)
        )
        self.add_bar(_BAR, window, reg.BAR_MEMORY_64 | reg.BAR_PREFETCH)
        pio = IoRegion(f"virtio-pci-notify-pio-{self.NAME}", _NOTIFY_STEP, self._parts[-1].ops)
        self._nowhere = self.make(pio)  # where it would be with QEMU's modern-pio-notify

    def _part_ops(self) -> tuple[MemoryRegionOps, ...]:
        return (
            _ops(lambda at, _size: common.read(self, at),
                 lambda at, value, _size: common.write(self, at, value)),
            _ops(lambda _at, _size: self.read_isr(), lambda _at, _value, _size: None),
            _ops(self.read_configuration, self.write_configuration),
            _ops(lambda _at, _size: 0, lambda at, _value, _size: self.kick(at // _NOTIFY_STEP)),
        )  # fmt: skip

    # -- PCI's configuration space -----------------------------------------------------------------

    def config_read(self, offset: int, size: int) -> int:
        """Answer a read; one of the window into the structures reads there first."""
        if found := self._through_window(offset, size):
            part, at, length = found
            assert part.ops is not None
            assert part.ops.read is not None
            value = part.ops.read(at & -length, length)
            self.config.set(_CFG_DATA, value & (1 << 8 * length) - 1, length)
        return super().config_read(offset, size)

    def config_write(self, offset: int, value: int, size: int) -> None:
        """Take a write; one of the window into the structures goes there."""
        super().config_write(offset, value, size)
        if offset <= reg.COMMAND < offset + size:
            self._mastering_changed()
        if found := self._through_window(offset, size):
            part, at, length = found
            assert part.ops is not None
            assert part.ops.write is not None
            part.ops.write(at & -length, self.config.read(_CFG_DATA, length), length)

    def _mastering_changed(self) -> None:
        is_on = bool(self.command & reg.COMMAND_MASTER)
        self.state.disabled = not is_on
        if not is_on:
            self.set_status_bits(self.state.status & ~bits.DRIVER_OK)

    def _through_window(self, offset: int, size: int) -> tuple[IoRegion, int, int] | None:
        """Return the structure, the offset and the length that the window shows; None if none."""
        if not (offset < _CFG_DATA + 4 and offset + size > _CFG_DATA):
            return None
        at, length = self.config.read(_CFG_OFFSET, 4), self.config.read(_CFG_LENGTH, 4)
        number, at = divmod(at, _PAGE)
        if length not in (1, 2, 4) or number >= len(self._parts) or at + length > _PAGE:
            return None
        return self._parts[number], at, length


def _ops(read: Any, write: Any) -> MemoryRegionOps:
    return MemoryRegionOps(
        read=read, write=write, endianness=Endianness.LITTLE, impl=AccessSizes(min=1, max=4)
    )
