"""The I/O APIC: 24 interrupt inputs, each with an entry that says where its interrupts go.

Registers after the Intel 82093AA data sheet (290566), with the EOI register of version 20h, as
QEMU 7.2's ``ioapic`` has them: an index window at 00h, a data window at 10h that answers 32-bit
accesses only, EOI at 40h; the 256 bytes repeat through the page.
"""

from __future__ import annotations

from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Annotated

from guestmap.base import IrqLine
from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.apic.message import DeliveryMode, InterruptMessage
from guestmap.hw.declare import SYS_BUS_DEVICE, declare, setting
from guestmap.hw.device import U8, U64, DeviceModel, IoRegion, Place, Space, levels, restore_levels
from guestmap.memory import MemoryRegionOps
from guestmap.qom import UINT8

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ADDRESS = 0xFEC0_0000
PINS = 24
VERSION = 0x20

_INDEX, _WINDOW, _EOI = 0x00, 0x10, 0x40  # byte offsets in the page
_ID, _VER, _ARB, _REDIRECTION = 0x00, 0x01, 0x02, 0x10  # register numbers

_MASKED = 1 << 16
_LEVEL = 1 << 15
_REMOTE_IRR = 1 << 14
_DELIVERY_STATUS = 1 << 12
_LOGICAL = 1 << 11
_READ_ONLY = _REMOTE_IRR | _DELIVERY_STATUS


@dataclass(slots=True)
class IoApicState:
    """The registers, what is requested, and the levels of the inputs."""

    id: Annotated[int, Meta(ge=0, le=0xF)] = 0
    irr: Annotated[int, Meta(ge=0, lt=1 << PINS)] = 0
    redirection: Annotated[list[U64], Meta(min_length=PINS, max_length=PINS)] = field(
        default_factory=lambda: [_MASKED] * PINS
    )
    index: U8 = 0
    levels: Annotated[list[bool], Meta(max_length=PINS)] | None = None


IOAPIC_COMMON = declare("ioapic-common", SYS_BUS_DEVICE, abstract=True, interfaces=("intctrl",))


class IoApic(DeviceModel[IoApicState]):
    """The device. Input levels that stay high over a reset are noticed when they next change.

    Args:
        deliver: receives each interrupt on its way to the local APICs.
        pic_acknowledge: gives the vector of an entry in ExtINT mode, which is the PIC's.
        address: where it is.

    Attributes:
        on_redirection: called when an entry has changed.
        inputs: the 24 lines in; line 0 (the ISA timer) arrives at pin 2, as PCs wire it.
    """

    TYPE = declare(
        "ioapic",
        IOAPIC_COMMON,
        setting("version", UINT8, VERSION),
        inputs=(("unnamed-gpio-in", PINS),),
    )
    OUTLIVES_RESET = ("levels",)

    def __init__(
        self,
        deliver: Callable[[InterruptMessage], None],
        pic_acknowledge: Callable[[], int] | None = None,
        *,
        address: int = ADDRESS,
    ) -> None:
        super().__init__(IoApicState())
        self._deliver = deliver
        self.pic_acknowledge = pic_acknowledge
        self._address = address
        self.on_redirection: Callable[[], None] = lambda: None
        self.inputs = tuple(
            IrqLine(partial(self.set_irq, line), name=f"ioapic {line}") for line in range(PINS)
        )

    def places(self) -> tuple[Place, ...]:
        """Return ``ioapic``, 4 KiB."""
        ops = MemoryRegionOps(read=self._read, write=self._write)
        return (Place(Space.MEMORY, self._address, IoRegion("ioapic", 0x1000, ops)),)

    @property
    def wires(self) -> Mapping[str, IrqLine]:
        """The lines in."""
        return {f"unnamed-gpio-in[{n}]": line for n, line in enumerate(self.inputs)}

    @property
    def irr(self) -> int:
        """The pins that ask."""
        return self.state.irr

    @property
    def redirection(self) -> list[int]:
        """The 24 entries."""
        return self.state.redirection

    def save(self) -> IoApicState:
        """Return the registers and the levels of the inputs."""
        self.state.levels = levels(self.inputs)
        return super().save()

    def load(self, state: IoApicState) -> None:
        """Go on from there."""
        super().load(state)
        restore_levels(self.inputs, self.state.levels or [False] * PINS)

    def messages(self) -> list[InterruptMessage]:
        """Return what each entry would send; of one in ExtINT mode, with its own vector."""
        return [self._decoded(entry, entry & 0xFF) for entry in self.state.redirection]

    # Interrupts

    def set_irq(self, line: int, level: bool) -> None:
        """Drive input ``line``; an edge that meets a masked entry is lost (data sheet, IRR)."""
        pin = 2 if line == 0 else line
        if not 0 <= pin < PINS:
            return
        bit = 1 << pin
        entry = self.state.redirection[pin]
        if entry & _LEVEL:
            if not level:
                self.state.irr &= ~bit
                return
            self.state.irr |= bit
            if not entry & _REMOTE_IRR:
                self._service()
        elif level and not entry & _MASKED:
            self.state.irr |= bit
            self._service()

    def end_of_interrupt(self, vector: int) -> None:
        """A local APIC has finished with level-triggered ``vector``: let its pins ask again."""
        for pin, entry in enumerate(self.state.redirection):
            if entry & _LEVEL and entry & _REMOTE_IRR and entry & 0xFF == vector:
                self.state.redirection[pin] = entry & ~_REMOTE_IRR
        self._service()

    def _service(self) -> None:
        """Send what is requested and not masked; level entries wait for their EOI."""
        for pin in range(PINS):
            bit = 1 << pin
            entry = self.state.redirection[pin]
            if not self.state.irr & bit or entry & _MASKED:
                continue
            if entry & _LEVEL:
                if entry & _REMOTE_IRR:
                    continue
                self.state.redirection[pin] |= _REMOTE_IRR
            else:
                self.state.irr &= ~bit
            self._deliver(self._message(entry))

    def _message(self, entry: int) -> InterruptMessage:
        mode = DeliveryMode(entry >> 8 & 7)
        vector = entry & 0xFF
        if mode == DeliveryMode.EXT_INT and self.pic_acknowledge is not None:
            vector = self.pic_acknowledge()
        return self._decoded(entry, vector)

    @staticmethod
    def _decoded(entry: int, vector: int) -> InterruptMessage:
        return InterruptMessage(
            destination=entry >> 56,
            logical=bool(entry & _LOGICAL),
            mode=DeliveryMode(entry >> 8 & 7),
            vector=vector,
            level=bool(entry & _LEVEL),
        )

    # Registers

    def _read(self, offset: int, size: int) -> int:
        offset &= 0xFF
        if offset == _INDEX:
            return self.state.index
        if offset != _WINDOW or size != 4:
            return 0
        if self.state.index in (_ID, _ARB):
            return self.state.id << 24
        if self.state.index == _VER:
            return VERSION | (PINS - 1) << 16
        pin = (self.state.index - _REDIRECTION) >> 1
        if 0 <= pin < PINS:
            return self.state.redirection[pin] >> (32 * (self.state.index & 1)) & 0xFFFFFFFF
        return 0

    def _write(self, offset: int, value: int, size: int) -> None:
        offset &= 0xFF
        if offset == _INDEX:
            self.state.index = value & 0xFF
        elif size != 4:
            return
        elif offset == _WINDOW:
            self._write_register(value)
        elif offset == _EOI:
            self.end_of_interrupt(value)

    def _write_register(self, value: int) -> None:
        if self.state.index == _ID:
            self.state.id = value >> 24 & 0xF
            return
        pin = (self.state.index - _REDIRECTION) >> 1
        if not 0 <= pin < PINS:
            return
        entry = self.state.redirection[pin]
        if self.state.index & 1:
            new = entry & 0xFFFFFFFF | value << 32
        else:
            new = entry & ~0xFFFFFFFF | value & 0xFFFFFFFF
        new = new & ~_READ_ONLY | entry & _READ_ONLY
        if not new & _LEVEL:
            new &= ~_REMOTE_IRR
        self.state.redirection[pin] = new
        self.on_redirection()
        self._service()
