"""What a virtio device is to its driver: a status, features, queues, a configuration.

OASIS virtio specification 1.2, chapters 2 and 3; what it leaves open is QEMU 7.2's, without MSI-X.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, ClassVar, TypeVar

from guestmap.base import ConfigError
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, U16, U32, U64
from guestmap.hw.pci.device import PciFunction
from guestmap.hw.pci.identity import PciIdentity
from guestmap.hw.pci.kind import PciState
from guestmap.hw.virtio import registers as bits
from guestmap.hw.virtio.queue import (
    LARGEST,
    BrokenRingError,
    QueueElement,
    QueueState,
    Virtqueue,
    Work,
)

if TYPE_CHECKING:
    from guestmap.hw.pci.bus import PciBus


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


class VirtioDevice(PciFunction[VirtioStateT]):
    """A virtio device; :class:`guestmap.hw.virtio.pci.VirtioPci` puts it behind PCI.

    Attributes:
        memory: where its rings are. Whoever has it gives it all of the memory: bus mastering is not
            asked for (QEMU's without ``iommu_platform``).
        offered: the features that a driver may have.
        FEATURES: the device's own; QUEUES: the sizes of its queues; CONFIG: bytes of configuration.
    """

    FEATURES: ClassVar[int]
    QUEUES: ClassVar[tuple[int, ...]]
    CONFIG: ClassVar[int]
    OUTLIVES_RESET = (
        *PciFunction.OUTLIVES_RESET, "offered_select", "agreed_select", "agreed", "generation",
        "shown",
    )  # fmt: skip

    def __init__(
        self,
        state: VirtioStateT,
        bus: PciBus,
        devfn: int,
        identity: PciIdentity,
        *,
        multifunction: bool = False,
    ) -> None:
        super().__init__(state, bus, devfn, identity, multifunction=multifunction)
        self.memory = self.bus_master
        self._work = Work()
        self.offered = self.FEATURES | bits.RING_FEATURES
        state.shown = bytes(self.CONFIG)
        self._forget_queues()

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

    def set_status_bits(self, value: int) -> None:
        """Set the status without what a driver's write does."""
        if (self.state.status ^ value) & bits.DRIVER_OK:
            self._start(bool(value & bits.DRIVER_OK))
        self.state.status = value

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
