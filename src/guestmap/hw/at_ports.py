"""Ports of the IBM PC AT that hardly do anything: 80h and F0h."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, IoRegion, Place, RegisterBlock, Space, Stateless
from guestmap.hw.portio import all_ones
from guestmap.memory import AccessSizes, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.base import IrqLine

POST_PORT, FPU_PORT = 0x80, 0xF0

_BYTE = AccessSizes(min=1, max=1)


@dataclass(slots=True)
class PostState:
    """The byte written last."""

    last: U8 = 0


class PostPort(RegisterBlock[PostState]):
    """Port 80h: programs write it to wait a microsecond, firmware to show how far it came."""

    def __init__(self) -> None:
        super().__init__(PostState())

    @property
    def last(self) -> int:
        """The byte written last."""
        return self.state.last

    def places(self) -> tuple[Place, ...]:
        """Return ``ioport80``, 1 byte; reads as FFh."""
        ops = MemoryRegionOps(read=all_ones, write=self._write, impl=_BYTE)
        return (Place(Space.IO, POST_PORT, IoRegion("ioport80", 1, ops)),)

    def _write(self, offset: int, value: int, size: int) -> None:
        self.state.last = value & 0xFF


class FpuErrorPort(RegisterBlock[Stateless]):
    """Port F0h: any write clears the coprocessor's error interrupt (IBM PC/AT, IRQ 13)."""

    def __init__(self, irq: IrqLine) -> None:
        super().__init__(Stateless())
        self._irq = irq

    def places(self) -> tuple[Place, ...]:
        """Return ``ioportF0``, 1 byte; reads as FFh."""
        ops = MemoryRegionOps(read=all_ones, write=self._write, impl=_BYTE)
        return (Place(Space.IO, FPU_PORT, IoRegion("ioportF0", 1, ops)),)

    def reset(self) -> None:
        """Lower the line."""
        self._irq.set(False)

    def _write(self, offset: int, value: int, size: int) -> None:
        self._irq.set(False)
