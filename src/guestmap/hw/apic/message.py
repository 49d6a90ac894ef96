"""An interrupt on its way to local APICs: what an I/O APIC, an MSI write or an ICR write says."""

from __future__ import annotations

from enum import IntEnum

from guestmap.base.named_tuple import NamedTuple


class DeliveryMode(IntEnum):
    """How a message is delivered (Intel SDM volume 3, "Local Vector Table" and "ICR")."""

    FIXED = 0
    LOWEST_PRIORITY = 1
    SMI = 2
    RESERVED = 3
    NMI = 4
    INIT = 5
    STARTUP = 6
    EXT_INT = 7


_MSI, _ASSERT = 0xFEE0_0000, 1 << 14


class InterruptMessage(NamedTuple):
    """One message on the interrupt bus.

    Attributes:
        destination: 8-bit APIC ID, or a logical address.
        logical: ``destination`` is a logical address.
        mode: the delivery mode.
        vector: the 8-bit vector.
        level: level-triggered: the receiver's TMR bit is set and its EOI is broadcast.
    """

    destination: int
    logical: bool
    mode: DeliveryMode
    vector: int
    level: bool

    def to_msi(self) -> tuple[int, int]:
        """Return the address and the data of the write that says the same."""
        address = _MSI | self.destination << 12 | self.logical << 2
        return address, self.vector | self.mode << 8 | _ASSERT | self.level << 15

    @classmethod
    def from_msi(cls, address: int, data: int) -> InterruptMessage:
        """Decode a message-signalled interrupt: a 32-bit write of ``data`` to ``address``.

        Only the low 20 bits of the address count (Intel SDM volume 3, "Message Signalled
        Interrupts"): destination in bits 19:12, destination mode in bit 2.
        """
        return cls(
            destination=address >> 12 & 0xFF,
            logical=bool(address & 0x4),
            mode=DeliveryMode(data >> 8 & 7),
            vector=data & 0xFF,
            level=bool(data & 0x8000),
        )
