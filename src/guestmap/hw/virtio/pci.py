"""The PCI transport: a legacy driver's ports and a modern driver's registers, both at once.

OASIS virtio specification 1.2, sections 4.1.4 (structures) and 4.1.4.10 (legacy); what it leaves
open is QEMU 7.2's, without MSI-X. A device derives from :class:`VirtioPci` and says what its queues
do (:meth:`~VirtioPci.serve`) and what its configuration is.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from guestmap.base import ConfigError
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import SWITCH, declare, setting
from guestmap.hw.device import U8, U16, U32, U64, IoRegion
from guestmap.hw.pci import registers as reg
from guestmap.hw.pci.device import PciFunction
from guestmap.hw.pci.identity import PciIdentity
from guestmap.hw.pci.kind import PCI_DEVICE, PciState
from guestmap.hw.virtio import common, legacy
from guestmap.hw.virtio import registers as bits
from guestmap.hw.virtio.queue import (
    LARGEST,
    BrokenRingError,
    QueueElement,
    QueueState,
    Virtqueue,
    Work,
)
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


@dataclass(slots=True)
class VirtioState(PciState):
    """What a driver has said.

    Attributes:
        status: the device status field.
        isr: what the interrupt is for.
        features: what it has agreed to; offered, agreed: its two halves as they are looked at and
            written, 32 bits each, by the two selectors.
        selected: the queue that registers are of.
        generation: how often the configuration has changed.
        broken: whether a ring was none; until a reset nothing is looked at.
        disabled: whether bus mastering was taken away.
        started: whether queues are served.
        on_kick: whether a legacy driver's first notification starts it.
        shown: the configuration, as it was last read or written.
        queues: the queues.
    """

    status: U8 = 0
    isr: U8 = 0
    features: U64 = 0
    offered_select: U32 = 0
    agreed_select: U32 = 0
    agreed: tuple[U32, U32] = (0, 0)
    selected: U16 = 0
    generation: U32 = 0
    broken: bool = False
    disabled: bool = False
    started: bool = False
    on_kick: bool = False
    shown: bytes = b""
    queues: list[QueueState] = field(default_factory=list)


VirtioStateT = TypeVar("VirtioStateT", bound=VirtioState)


class VirtioPci(PciFunction[VirtioStateT]):
    """A virtio device behind PCI, for legacy and modern drivers.

    Args:
        state: as it is at power-on.
        bus: the bus that it sits on.
        devfn: slot << 3 | function.
        multifunction: whether its slot has further functions.

    Attributes:
        memory: where its rings are. Whoever has it gives it all of the memory: bus mastering is not
            asked for (QEMU's without ``iommu_platform``).
        NAME: of the device, in regions' names.
        DEVICE_ID: the specification's number of the device; LEGACY_ID: what a legacy driver finds.
        FEATURES: the device's own; QUEUES: the sizes of its queues; CONFIG: bytes of configuration.
    """

    NAME: ClassVar[str]
    DEVICE_ID: ClassVar[int]
    LEGACY_ID: ClassVar[int]
    FEATURES: ClassVar[int]
    QUEUES: ClassVar[tuple[int, ...]]
    CONFIG: ClassVar[int]
    OUTLIVES_RESET = (
        *PciFunction.OUTLIVES_RESET, "offered_select", "agreed_select", "agreed", "generation",
        "shown",
    )  # fmt: skip

    def __init__(
        self, state: VirtioStateT, bus: PciBus, devfn: int, *, multifunction: bool = False
    ) -> None:
        identity = PciIdentity(
            _VENDOR, _LEGACY_DEVICE + self.LEGACY_ID, _CLASS_OTHER,
            subsystem=(_VENDOR, self.DEVICE_ID),
        )  # fmt: skip
        super().__init__(state, bus, devfn, identity, multifunction=multifunction)
        self.memory = self.bus_master
        self._work = Work()
        self.offered = self.FEATURES | bits.RING_FEATURES
        state.shown = bytes(self.CONFIG)
        self._forget_queues()
        self.config.set(reg.INTERRUPT_PIN, 1)
        self._add_capabilities()
        self._add_windows()

    # -- what a device says ------------------------------------------------------------------------

    def serve(self, number: int) -> None:
        """Do what the driver has made available in a queue.

        Raises:
            BrokenRingError: it is no ring.
        """
        raise NotImplementedError

    def configuration(self) -> bytes:
        """Return the device's configuration as it is now."""
        raise NotImplementedError

    def configured(self, data: bytes) -> None:
        """Take the configuration that a driver wrote."""
        raise NotImplementedError

    def forget(self) -> None:
        """Forget what a reset by the driver forgets."""

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

    def load(self, state: VirtioStateT) -> None:
        """Go on from there.

        Raises:
            ConfigError: queues or a configuration that it has not.
        """
        sizes = [each.size for each in state.queues] if isinstance(state.queues, list) else []
        if len(sizes) != len(self.QUEUES) or not all(1 <= size <= LARGEST for size in sizes):
            raise ConfigError(f"saved state of {self.title}: its queues are others")
        if len(state.shown) != self.CONFIG:
            raise ConfigError(f"saved state of {self.title}: its configuration is another's")
        super().load(state)

    # -- the status of driver and device -----------------------------------------------------------

    def has(self, feature: int) -> bool:
        """Whether the driver has agreed to a feature."""
        return bool(self.state.features & feature)

    def agree(self, features: int) -> None:
        """Take what the driver wants of what is offered."""
        state = self.state
        if state.status & bits.FEATURES_OK:
            return
        state.features = features & self.offered
        if not state.started and not self.has(bits.VERSION_1):
            state.on_kick = True

    def set_status(self, value: int) -> None:
        """Take the driver's status; 0 is a reset."""
        state = self.state
        if (state.status ^ value) & bits.DRIVER_OK:
            self._start(bool(value & bits.DRIVER_OK))
        state.status = value
        if not value:
            self.driver_reset()

    def _start(self, on: bool) -> None:
        self.state.started = on
        if on:
            self.state.on_kick = False

    def driver_reset(self) -> None:
        """Go back to where a driver begins."""
        self.forget()
        state = self.state
        state.status = state.features = state.selected = 0
        state.broken = state.disabled = state.started = state.on_kick = False
        state.isr = 0
        self._update()
        self._forget_queues()

    def _forget_queues(self) -> None:
        self.state.queues = [QueueState(size) for size in self.QUEUES]

    def reset(self) -> None:
        """Reset the function and the device."""
        super().reset()
        self.driver_reset()

    # -- queues ------------------------------------------------------------------------------------

    @property
    def queue(self) -> QueueState | None:
        """The queue that is selected; None where there is none of that number."""
        queues, number = self.state.queues, self.state.selected
        return queues[number] if number < len(queues) else None

    def virtqueue(self, number: int) -> Virtqueue:
        """Return what can be done with a queue."""
        return Virtqueue(
            self.state.queues[number], self.memory, self._work,
            has_event_index=self.has(bits.EVENT_INDEX),
            notifies_when_empty=self.has(bits.NOTIFY_ON_EMPTY),
        )  # fmt: skip

    def kick(self, number: int) -> None:
        """Serve a queue of which the driver says that there is something in it."""
        state = self.state
        if number >= len(state.queues) or state.broken or not state.queues[number].desc:
            return
        self._work = Work()
        try:
            self.serve(number)
        except BrokenRingError:
            self.break_off()
        if state.on_kick:
            self._start(True)

    def take(self, number: int) -> QueueElement | None:
        """Take what is available next in a queue; None for nothing."""
        return None if self.state.disabled or self.state.broken else self.virtqueue(number).pop()

    def give_back(self, number: int, element: QueueElement, written: int = 0) -> None:
        """Give an element back, and tell the driver where it wants to hear."""
        queue, state = self.virtqueue(number), self.state
        if state.disabled or state.broken:
            state.queues[number].in_use = max(0, state.queues[number].in_use - 1)
        else:
            queue.push(element, written)
        if queue.must_notify():
            self.interrupt(bits.ISR_QUEUE)

    def break_off(self) -> None:
        """Look at nothing any more: a modern driver is told that a reset is needed."""
        if self.has(bits.VERSION_1):
            self.state.status |= bits.NEEDS_RESET
            self.configuration_changed()
        self.state.broken = True

    # -- interrupts --------------------------------------------------------------------------------

    def interrupt(self, cause: int) -> None:
        """Interrupt the driver."""
        self.state.isr |= cause
        self._update()

    def configuration_changed(self) -> None:
        """Tell a driver that works that the configuration is another one."""
        if self.state.status & bits.DRIVER_OK:
            self.state.generation = self.state.generation + 1 & 0xFFFF_FFFF
            self.interrupt(bits.ISR_QUEUE | bits.ISR_CONFIG)

    def read_isr(self) -> int:
        """Return what the interrupt is for, which ends it."""
        value, self.state.isr = self.state.isr, 0
        self.set_interrupt(False)
        return value

    def _update(self) -> None:
        self.set_interrupt(bool(self.state.isr & bits.ISR_QUEUE))

    # -- configuration -----------------------------------------------------------------------------

    def read_configuration(self, offset: int, size: int) -> int:
        """Answer a read of the device's configuration."""
        if offset + size > self.CONFIG:
            return (1 << 8 * size) - 1
        self.state.shown = self.configuration()
        return int.from_bytes(self.state.shown[offset : offset + size], "little")

    def write_configuration(self, offset: int, value: int, size: int) -> None:
        """Take a write of the device's configuration."""
        if offset + size > self.CONFIG:
            return
        shown = bytearray(self.state.shown)
        shown[offset : offset + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        self.state.shown = bytes(shown)
        self.configured(self.state.shown)

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

    def set_status_bits(self, value: int) -> None:
        """Set the status without what a driver's write does."""
        if (self.state.status ^ value) & bits.DRIVER_OK:
            self._start(bool(value & bits.DRIVER_OK))
        self.state.status = value

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
