"""The local APICs of all CPUs, the page they share, and the messages between them.

Each CPU sees its own registers at FEE00000h; the same megabyte takes message-signalled interrupts
from devices (Intel SDM volume 3, "Message Signalled Interrupts"). As in QEMU, an access that no
CPU makes (a debugger's, a device's) reads 0 and writes messages only.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from guestmap.hw.apic.local import LocalApic
from guestmap.hw.apic.message import DeliveryMode, InterruptMessage
from guestmap.hw.device import IoRegion, Place, RegisterBlock, Space
from guestmap.memory import AccessSizes, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from guestmap.base import Clock
    from guestmap.hw.placement import Changing
    from guestmap.memory import MemoryRegion

ADDRESS = 0xFEE0_0000
PRIORITY = 4096
"""Higher than anything: messages to the APIC never reach memory."""
_PAGE = 0x1000
_BROADCAST = 0xFF
_VECTORED = (DeliveryMode.FIXED, DeliveryMode.LOWEST_PRIORITY, DeliveryMode.EXT_INT)
_FLAT = 0xF  # destination format register: one bit for each CPU; 0 is the cluster model


class ApicBus:
    """The APICs and their region.

    Args:
        clock: for the APICs' timers.
        apic_ids: the IDs after reset, one for each CPU.
        vapic: see :class:`LocalApic`.

    Attributes:
        regions: what its place has become, see :class:`guestmap.hw.device.RegisterBlock`.
        changing: see there, too.
        apics: one for each CPU.
        current: the number of the CPU whose accesses are being made, None for nobody's. An engine
            sets it; so a program without a CPU sees what QEMU's qtest sees.
        outside: takes each message in place of these APICs, where they are not what CPUs use.
        broadcast_eoi: told the vector at the end of each level-triggered interrupt; the machine
            connects the I/O APIC here.
    """

    def __init__(self, clock: Clock, apic_ids: Sequence[int] = (0,), *, vapic: bool = True) -> None:
        self.regions: Sequence[MemoryRegion] = ()
        self.changing: Changing = nullcontext
        self.apics = tuple(
            LocalApic(cpu, apic_id, clock, vapic=vapic) for cpu, apic_id in enumerate(apic_ids)
        )
        self.current: int | None = None
        self.outside: Callable[[InterruptMessage], None] | None = None
        self.broadcast_eoi: Callable[[int], None] | None = None
        for apic in self.apics:
            apic.send_ipi = self._send_ipi
            apic.broadcast_eoi = self._end_of_interrupt

    @property
    def blocks(self) -> Mapping[str, RegisterBlock[Any]]:
        """The APICs have no registers of their own in the map."""
        return {}

    def places(self) -> tuple[Place, ...]:
        """Return ``apic-msi``, 1 MiB at FEE00000h."""
        ops = MemoryRegionOps(read=self._read, write=self._write, valid=AccessSizes(1, 4))
        return (Place(Space.MEMORY, ADDRESS, IoRegion("apic-msi", 0x100000, ops), PRIORITY),)

    def reset(self) -> None:
        """Reset every APIC."""
        for apic in self.apics:
            apic.reset()

    def set_pic_intr(self, level: bool) -> None:
        """Drive LINT0 of every CPU: the wire from the PIC's INTR output."""
        for apic in self.apics:
            apic.set_pic_intr(level)

    def deliver(self, message: InterruptMessage) -> None:
        """Give ``message`` to the APICs that it is for; one for nobody is lost."""
        if self.outside is not None:
            self.outside(message)
            return
        self._deliver_to(self._destinations(message.destination, message.logical), message)

    def send_msi(self, address: int, data: int) -> None:
        """Deliver a message-signalled interrupt: a device's write of ``data`` to ``address``."""
        self.deliver(InterruptMessage.from_msi(address, data))

    def _destinations(self, destination: int, logical: bool) -> list[LocalApic]:
        if not logical:
            if destination == _BROADCAST:
                return [*self.apics]
            return [apic for apic in self.apics if apic.id == destination][:1]
        return [apic for apic in self.apics if _answers(apic, destination)]

    def _deliver_to(self, targets: Sequence[LocalApic], message: InterruptMessage) -> None:
        if message.mode == DeliveryMode.LOWEST_PRIORITY:
            targets = targets[:1]
        for apic in targets:
            if message.mode in _VECTORED:
                apic.request(message.vector, level=message.level)
            elif message.mode == DeliveryMode.SMI:
                apic.smi.pulse()
            elif message.mode == DeliveryMode.NMI:
                apic.nmi.pulse()
            elif message.mode == DeliveryMode.INIT:
                apic.init_reset()
                apic.init.pulse()
            elif message.mode == DeliveryMode.STARTUP and apic.startup is not None:
                apic.startup(message.vector)

    def _send_ipi(self, sender: LocalApic) -> None:
        """Send what the interrupt command register says (Intel SDM, "ICR")."""
        command = sender.state.icr
        message = InterruptMessage(
            destination=sender.state.icr_high >> 24,
            logical=bool(command & 1 << 11),
            mode=DeliveryMode(command >> 8 & 7),
            vector=command & 0xFF,
            level=bool(command & 1 << 15),
        )
        if message.mode == DeliveryMode.INIT and message.level and not command & 1 << 14:
            return  # INIT level de-assert sets arbitration IDs, which nobody sees
        shorthand = command >> 18 & 3
        if shorthand == 0:
            targets = self._destinations(message.destination, message.logical)
        elif shorthand == 1:
            targets = [sender]
        elif shorthand == 2:
            targets = [*self.apics]
        else:
            targets = [apic for apic in self.apics if apic is not sender]
        self._deliver_to(targets, message)

    def _end_of_interrupt(self, vector: int) -> None:
        if self.broadcast_eoi is not None:
            self.broadcast_eoi(vector)

    # -- the page --------------------------------------------------------------------------------

    def _apic(self) -> LocalApic | None:
        current = self.current
        if current is None or not 0 <= current < len(self.apics):
            return None
        return self.apics[current]

    def _read(self, offset: int, size: int) -> int:
        apic = self._apic()
        if size < 4 or apic is None:
            return 0
        return apic.read(offset >> 4 & 0xFF)

    def _write(self, offset: int, value: int, size: int) -> None:
        if size < 4:
            return
        register = offset >> 4 & 0xFF
        if offset >= _PAGE or not register:
            # Registers and messages share addresses: on real buses they never meet.
            self.send_msi(offset, value)
            return
        apic = self._apic()
        if apic is not None:
            apic.write(register, value)


def _answers(apic: LocalApic, destination: int) -> bool:
    """Tell whether a logical address means this APIC (Intel SDM, "Logical Destination Mode")."""
    if apic.state.destination_format == _FLAT:
        return bool(destination & apic.state.logical_id)
    if apic.state.destination_format == 0:
        same_cluster = destination & 0xF0 == apic.state.logical_id & 0xF0
        return same_cluster and bool(destination & apic.state.logical_id & 0xF)
    return False
