"""The registers of the standard VGA in memory: BAR 2, ``vga.mmio``.

QEMU docs/specs/standard-vga: the display's identity (EDID), the VGA's ports from 3C0h on, Bochs'
registers, and the order of bytes in the frame buffer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.device import IoRegion
from guestmap.hw.vga.edid import edid
from guestmap.hw.vga.state import BIG, LITTLE
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps
from guestmap.memory.map import UNASSIGNED_IO_OPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.vga.dispi import Dispi
    from guestmap.hw.vga.ports import VgaPorts
    from guestmap.hw.vga.state import VgaState

_PORTS_AT, _PORTS_SIZE, _FIRST_PORT = 0x400, 0x20, 0x3C0
_DISPI_AT, _DISPI_SIZE = 0x500, 2 * 11
_EXTENDED_AT, _EXTENDED_SIZE = 0x600, 8
_IDENTITY_SIZE, _MMIO_SIZE = 0x180, 4096
_WIDEST = AccessSizes(min=1, max=4)
_ORDER, _WORD = 4, 4


class VgaMmio:
    """The registers.

    Args:
        registers: returns the state that they show.
        ports: the VGA's ports.
        dispi: Bochs' registers.
        size: width and height that the identity tells, in dots.
    """

    def __init__(
        self,
        registers: Callable[[], VgaState],
        ports: VgaPorts,
        dispi: Dispi,
        size: tuple[int, int],
    ) -> None:
        self._registers = registers
        self._ports = ports
        self._dispi = dispi
        self._size = size

    def region(self) -> IoRegion:
        """Return ``vga.mmio``, 4 KiB: the display's identity, the ports, Bochs' registers."""
        halves = AccessSizes(min=1, max=2)
        ports = MemoryRegionOps(
            read=self._read_port, write=self._write_port, endianness=Endianness.LITTLE,
            valid=_WIDEST, impl=halves,
        )  # fmt: skip
        words = AccessSizes(min=2, max=2)
        dispi = MemoryRegionOps(
            read=self._read_dispi, write=self._write_dispi, endianness=Endianness.LITTLE,
            valid=_WIDEST, impl=words,
        )  # fmt: skip
        blob = edid(*self._size)
        identity = MemoryRegionOps(
            read=lambda offset, size: int.from_bytes(blob[offset : offset + size], "little"),
            endianness=Endianness.LITTLE, valid=_WIDEST, impl=_WIDEST,
        )  # fmt: skip
        extended = MemoryRegionOps(
            read=self._read_extended, write=self._write_extended,
            endianness=Endianness.LITTLE, valid=_WIDEST, impl=_WIDEST,
        )  # fmt: skip
        return IoRegion(
            "vga.mmio", _MMIO_SIZE, UNASSIGNED_IO_OPS,
            (
                (0, IoRegion("edid", _IDENTITY_SIZE, identity)),
                (_PORTS_AT, IoRegion("vga ioports remapped", _PORTS_SIZE, ports)),
                (_DISPI_AT, IoRegion("bochs dispi interface", _DISPI_SIZE, dispi)),
                (_EXTENDED_AT, IoRegion("qemu extended regs", _EXTENDED_SIZE, extended)),
            ),
        )  # fmt: skip

    def _read_port(self, offset: int, size: int) -> int:
        port = _FIRST_PORT + offset
        low = self._ports.read(port)
        return low if size == 1 else low | self._ports.read(port + 1) << 8

    def _write_port(self, offset: int, value: int, size: int) -> None:
        port = _FIRST_PORT + offset
        self._ports.write(port, value & 0xFF)
        if size > 1:
            self._ports.write(port + 1, value >> 8 & 0xFF)

    def _read_dispi(self, offset: int, _size: int) -> int:
        self._dispi.write_index(offset >> 1)
        return self._dispi.read()

    def _write_dispi(self, offset: int, value: int, _size: int) -> None:
        self._dispi.write_index(offset >> 1)
        self._dispi.write(value)

    def _read_extended(self, offset: int, size: int) -> int:
        if size != _WORD:
            return 0
        return (
            _EXTENDED_SIZE
            if offset == 0
            else self._registers().byte_order
            if offset == _ORDER
            else 0
        )

    def _write_extended(self, offset: int, value: int, size: int) -> None:
        if size == _WORD and offset == _ORDER and value in (LITTLE, BIG):
            self._registers().byte_order = value
