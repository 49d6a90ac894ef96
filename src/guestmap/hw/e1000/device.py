"""Intel's 82540EM (8086:100e): QEMU's ``e1000``, as far as drivers look at it and send.

Registers, EEPROM, PHY and interrupts are there; what is sent is taken from memory and reaches
nobody, and nothing is ever received. Negotiation is over at once, and no interrupt is held back.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any

from guestmap.base import ConfigError
from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import SWITCH, choice, declare, setting
from guestmap.hw.device import U16, U32, IoRegion
from guestmap.hw.e1000 import registers as reg
from guestmap.hw.e1000.eeprom import Microwire, MicrowireState
from guestmap.hw.pci.device import PciFunction
from guestmap.hw.pci.identity import PciIdentity
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE, PciState
from guestmap.hw.pci.registers import BAR_IO, INTERRUPT_PIN
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps
from guestmap.qom import BOOL, INT32, STR

if TYPE_CHECKING:
    from guestmap.hw.pci.bus import PciBus
    from guestmap.qom import JsonValue

_IDENTITY = PciIdentity(0x8086, 0x100E, 0x0200, revision=3)
_MMIO_SIZE, _IO_SIZE = 128 << 10, 64
_ADDRESS = bytes((0x52, 0x54, 0x00, 0x12, 0x34, 0x56))
_WORDS = AccessSizes(min=4, max=4)
_EERD_START, _EERD_DONE = 0x01, 0x10
_MDIC_READY, _MDIC_ERROR, _MDIC_INTERRUPT = 0x1000_0000, 0x4000_0000, 0x2000_0000
_MDIC_READ, _MDIC_WRITE, _PHY_NUMBER = 0x0800_0000, 0x0400_0000, 1
_SENDING, _DESCRIPTOR, _REPORT, _DONE, _STALE = 0x02, 16, 0x1800_0000, 0x01, 0x0E


def _phy() -> list[int]:
    return [reg.PHY_RESET.get(number, 0) for number in range(32)]


@dataclass(slots=True)
class E1000State(PciState):
    """The registers.

    Attributes:
        values: registers that are not as after a reset, by their offsets.
        phy: the PHY's registers.
        cause, mask: interrupts that wait, and those that are let through.
        eeprom: how far a word of the EEPROM has been clocked out.
    """

    values: dict[int, U32] = field(default_factory=dict)
    phy: Annotated[list[U16], Meta(min_length=32, max_length=32)] = field(default_factory=_phy)
    cause: U32 = 0
    mask: U32 = 0
    eeprom: MicrowireState = field(default_factory=MicrowireState)


E1000_BASE = declare("e1000-base", PCI_DEVICE, abstract=True, interfaces=IS_PCI)


class E1000(PciFunction[E1000State]):
    """The network card.

    Args:
        bus: the bus that it sits on.
        devfn: slot << 3 | function.
        mac: its address, six bytes in hexadecimal with colons; QEMU's by default.
        multifunction: whether the slot has more functions.

    Raises:
        ConfigError: the slot is taken, or the address is none.
    """

    TYPE = declare(
        "e1000",
        E1000_BASE,
        setting("mac", STR, description="Ethernet 6-byte MAC Address, example: 52:54:00:12:34:56"),
        setting("netdev", STR, description="ID of a netdev to use as a backend"),
        setting("autonegotiation", BOOL, True, SWITCH),
        setting("mitigation", BOOL, True, SWITCH),
        setting("extra_mac_registers", BOOL, True, SWITCH),
        setting("migrate_tso_props", BOOL, True, SWITCH),
        setting("init-vet", BOOL, True, SWITCH),
        choice("bootindex", INT32, -1),
        user_creatable=True,
    )
    OUTLIVES_RESET = (*PciFunction.OUTLIVES_RESET, "eeprom")
    CHOICES = ("mac", "multifunction")
    ROM_FILE = "efi-e1000.rom"

    def __init__(
        self, bus: PciBus, devfn: int, *, mac: str = "", multifunction: bool = False
    ) -> None:
        number = sum(isinstance(each, E1000) for each in bus.devices.values())
        super().__init__(E1000State(), bus, devfn, _IDENTITY, multifunction=multifunction)
        last = _ADDRESS[-1] + number & 0xFF
        self.address_bytes = _address(mac) if mac else _ADDRESS[:-1] + bytes([last])
        self._microwire = Microwire(lambda: self.state.eeprom, reg.eeprom(self.address_bytes))
        self._kept = reg.kept_bits()
        self._fresh = reg.RESET | {
            reg.RAL: int.from_bytes(self.address_bytes[:4], "little"),
            reg.RAH: int.from_bytes(self.address_bytes[4:], "little") | reg.RAH_VALID,
        }
        self.config.set(INTERRUPT_PIN, 1)
        ops = MemoryRegionOps(
            read=lambda offset, _size: self._read(offset & ~3),
            write=lambda offset, value, _size: self._write(offset & ~3, value),
            endianness=Endianness.LITTLE,
            impl=_WORDS,
        )
        nothing = MemoryRegionOps(read=lambda _offset, _size: 0, endianness=Endianness.LITTLE)
        self.add_bar(0, self.make(IoRegion("e1000-mmio", _MMIO_SIZE, ops)))
        self.add_bar(1, self.make(IoRegion("e1000-io", _IO_SIZE, nothing)), BAR_IO)

    @classmethod
    def plugged(cls, bus: PciBus, devfn: int, choices: dict[str, Any]) -> E1000:
        """Make one as the user wants it."""
        return cls(bus, devfn, **choices)

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value."""
        return self.address_bytes.hex(":") if name == "mac" else super().value(name, fallback)

    # -- registers ---------------------------------------------------------------------------------

    def _value(self, offset: int) -> int:
        return self.state.values.get(offset, self._fresh.get(offset, 0))

    def _read(self, offset: int) -> int:
        state = self.state
        if offset == reg.EECD:
            return self._microwire.read()
        if offset == reg.EERD:
            return self._read_eeprom(self._value(offset))
        if offset in (reg.ICR, reg.ICS):
            value = state.cause
            if offset == reg.ICR:
                self._set_cause(0)
            return value
        return state.mask if offset == reg.IMS else self._value(offset)

    def _read_eeprom(self, request: int) -> int:
        if not request & _EERD_START:
            return request
        request &= ~_EERD_START
        at = request >> 8
        word = self._microwire.words[at] if at < reg.EEPROM_WORDS else 0
        return word << 16 | _EERD_DONE | request

    def _write(self, offset: int, value: int) -> None:
        state = self.state
        if offset in self._kept:
            state.values[offset] = value & self._kept[offset]
        if offset == reg.CTRL:
            state.values[offset] = value & ~reg.CTRL_RESET
        elif offset == reg.EECD:
            self._microwire.write(value)
        elif offset == reg.EERD:
            state.values[offset] = value
        elif offset == reg.MDIC:
            self._write_phy(value)
        elif offset in (reg.TDT, reg.TCTL):
            self._send()
        else:
            self._write_interrupts(offset, value)

    # -- interrupts --------------------------------------------------------------------------------

    def _write_interrupts(self, offset: int, value: int) -> None:
        state = self.state
        if offset == reg.ICR:
            self._set_cause(state.cause & ~value)
        elif offset == reg.ICS:
            self._set_cause(state.cause | value)
        elif offset == reg.IMS:
            state.mask |= value
            self._set_cause(state.cause)
        elif offset == reg.IMC:
            state.mask &= ~value
            self._set_cause(state.cause)

    def _set_cause(self, cause: int) -> None:
        self.state.cause = cause
        self.set_interrupt(bool(cause & self.state.mask))

    # -- the PHY -----------------------------------------------------------------------------------

    def _write_phy(self, value: int) -> None:
        state, number = self.state, value >> 16 & 0x1F
        if value >> 21 & 0x1F != _PHY_NUMBER:
            value = self._value(reg.MDIC) | _MDIC_ERROR
        elif value & _MDIC_READ:
            if number in reg.PHY_READABLE:
                value = value & ~0xFFFF | state.phy[number]
            else:
                value |= _MDIC_ERROR
        elif value & _MDIC_WRITE:
            if number not in reg.PHY_WRITABLE:
                value |= _MDIC_ERROR
            elif number == reg.PHY_CONTROL:
                self._control_phy(value & 0xFFFF)
            else:
                state.phy[number] = value & 0xFFFF
        state.values[reg.MDIC] = value | _MDIC_READY
        if value & _MDIC_INTERRUPT:
            self._set_cause(state.cause | reg.CAUSE_PHY)

    def _control_phy(self, value: int) -> None:
        phy = self.state.phy
        phy[reg.PHY_CONTROL] = value & ~reg.PHY_SELF_CLEARING
        if value & reg.PHY_RESTART:
            phy[reg.PHY_STATUS] |= reg.PHY_LINK | reg.PHY_NEGOTIATED
            phy[reg.PHY_PARTNER] |= reg.PHY_PARTNER_AGREES
            self._set_cause(self.state.cause | reg.CAUSE_LINK)

    # -- sending -----------------------------------------------------------------------------------

    def _send(self) -> None:
        """Take what the ring has up to its tail; each descriptor is done once it is taken."""
        values = self.state.values
        if not self._value(reg.TCTL) & _SENDING:
            return
        base = self._value(reg.TDBAH) << 32 | self._value(reg.TDBAL) & ~0xF
        count = self._value(reg.TDLEN) // _DESCRIPTOR
        first = head = self._value(reg.TDH)
        cause = reg.CAUSE_QUEUE_EMPTY
        while head != self._value(reg.TDT):
            cause |= self._take(base + _DESCRIPTOR * head & (1 << 64) - 1)
            head = head + 1 if head + 1 < count else 0
            values[reg.TDH] = head
            if head == first or first >= count:
                break
        self._set_cause(self.state.cause | cause)

    def _take(self, at: int) -> int:
        """Take a descriptor; return the interrupt that it asks for."""
        command = self.bus_master.load(at + 8, 4)
        if not command & _REPORT:
            return 0
        status = self.bus_master.load(at + 12, 4)
        self.bus_master.store(at + 12, 4, (status | _DONE) & ~_STALE)
        return reg.CAUSE_SENT


def _address(text: str) -> bytes:
    try:
        found = bytes(int(part, 16) for part in text.replace("-", ":").split(":"))
    except ValueError:
        found = b""
    if len(found) != len(_ADDRESS):
        raise ConfigError(f"e1000: mac={text}: give six bytes, as 52:54:00:12:34:56")
    return found
