"""The pair of Intel 8259A interrupt controllers of a PC, and the edge/level registers beside them.

Fifteen lines come in, one line (INTR) goes to the processor, which answers with an acknowledge
cycle and gets a vector. Register meanings are those of the Intel 8259A data sheet (initialization
and operation command words); the edge/level control registers at 4D0h and 4D1h are those of the
Intel 82371AB (PIIX4) data sheet. Where silicon and QEMU 7.2 differ, this is QEMU: ICW1's
level-triggered bit is ignored (4D0h/4D1h decide), and a request on an edge-triggered line is kept
when the line drops before the acknowledge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import IrqLine
from guestmap.hw.declare import ISA_DEVICE, declare, output, setting
from guestmap.hw.device import (
    DeviceModel,
    IoRegion,
    Place,
    Space,
    levels,
    restore_levels,
)
from guestmap.hw.i8259.state import LINES, PicState
from guestmap.memory import AccessSizes, MemoryRegionOps
from guestmap.qom import BOOL, UINT8, UINT32

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guestmap.qom import JsonValue

MASTER_PORT, SLAVE_PORT = 0x20, 0xA0
MASTER_ELCR_PORT, SLAVE_ELCR_PORT = 0x4D0, 0x4D1

_ELCR_MASKS = (0xF8, 0xDE)  # lines 0, 1, 2, 8 and 13 are always edge-triggered
_NOWHERE = 0xFFFF_FFFF
_BYTES = AccessSizes(min=1, max=1)


PIC_COMMON = declare(
    "pic-common",
    ISA_DEVICE,
    setting("iobase", UINT32, _NOWHERE),
    setting("elcr_addr", UINT32, _NOWHERE),
    setting("elcr_mask", UINT8, 0xFF),
    setting("master", BOOL, False, "on/off"),
    abstract=True,
    interfaces=("intctrl",),
)


class I8259(DeviceModel[PicState]):
    """One 8259A chip.

    Args:
        on_output: told the level of INT whenever that was worked out.
        out: where INT goes.
        master: whether it is the first of a pair.

    Attributes:
        inputs: its lines.
    """

    TYPE = declare(
        "isa-i8259",
        PIC_COMMON,
        once_realized=(output(),),
        inputs=(("unnamed-gpio-in", LINES),),
    )
    OUTLIVES_RESET = ("levels",)

    def __init__(
        self, on_output: Callable[[bool], None], out: IrqLine | None = None, *, master: bool
    ) -> None:
        self._elcr_mask = _ELCR_MASKS[0 if master else 1]
        self._ports = (MASTER_PORT, MASTER_ELCR_PORT) if master else (SLAVE_PORT, SLAVE_ELCR_PORT)
        settings: dict[str, JsonValue] = dict(
            zip(("iobase", "elcr_addr"), self._ports, strict=True), elcr_mask=self._elcr_mask
        )
        super().__init__(PicState(), settings | ({"master": True} if master else {}))
        self._on_output = on_output
        self._out = out
        self._master = master
        first = 0 if master else LINES
        self.inputs = tuple(
            IrqLine(self._input(line), name=f"irq{first + line}") for line in range(LINES)
        )

    def _input(self, line: int) -> Callable[[bool], None]:
        def receive(level: bool) -> None:
            self.set_line(line, level)

        return receive

    def places(self) -> tuple[Place, ...]:
        """Return ``pic``, 2 bytes, and ``elcr``, 1 byte: a set bit makes a line level-triggered."""
        ops = MemoryRegionOps(read=self._read, write=self._write, impl=_BYTES)
        elcr_ops = MemoryRegionOps(read=self._read_elcr, write=self._write_elcr, impl=_BYTES)
        port, elcr_port = self._ports
        return (
            Place(Space.IO, port, IoRegion("pic", 2, ops)),
            Place(Space.IO, elcr_port, IoRegion("elcr", 1, elcr_ops)),
        )

    @property
    def wires(self) -> Mapping[str, IrqLine]:
        """The eight lines in, and INT."""
        inputs = {f"unnamed-gpio-in[{n}]": line for n, line in enumerate(self.inputs)}
        return inputs | ({"unnamed-gpio-out[0]": self._out} if self._out is not None else {})

    @property
    def irr(self) -> int:
        """The request register."""
        return self.state.irr

    @property
    def isr(self) -> int:
        """The in-service register."""
        return self.state.isr

    @property
    def imr(self) -> int:
        """The mask register."""
        return self.state.imr

    @property
    def irq_base(self) -> int:
        """The vector of line 0 (ICW2)."""
        return self.state.irq_base

    @property
    def output(self) -> bool:
        """Whether INT is high."""
        return self.state.output

    def save(self) -> PicState:
        """Return the registers and the levels of the lines."""
        self.state.levels = levels(self.inputs)
        return super().save()

    def load(self, state: PicState) -> None:
        """Go on from there."""
        super().load(state)
        restore_levels(self.inputs, self.state.levels or [False] * LINES)
        if self._master and self._out is not None:
            self._out.level = self.state.output

    def reset(self) -> None:
        """Go back to the state at power-on: all lines edge-triggered, nothing masked or asked."""
        super().reset()
        self._update()

    def set_line(self, line: int, level: bool) -> None:
        """Tell the chip the level of input ``line`` (0-7)."""
        self.state.set_line(line, level)
        self._update()

    def highest(self) -> int:
        """Return the line to serve next, or -1 where none asks loudly enough."""
        return self.state.highest(master=self._master)

    def take(self, line: int) -> None:
        """Put ``line`` in service: what an acknowledge cycle or a poll does."""
        self.state.take(line)
        self._update()

    def _update(self) -> None:
        # Told even when nothing changed: the receiver may have forgotten (ICW1 clears its latch).
        self.state.output = self.highest() >= 0
        self._on_output(self.state.output)

    def _read(self, offset: int, size: int) -> int:
        if self.state.poll:
            self.state.poll = False
            line = self.highest()
            if line < 0:
                return 0
            self.take(line)
            return line | 0x80
        if offset:
            return self.state.imr
        return self.state.isr if self.state.read_isr else self.state.irr

    def _write(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        if offset:
            self._write_data(value)
        elif value & 0x10:
            self.state = self.state.started_over()
            self._update()
            self.state.icw = 2
            self.state.needs_icw4 = bool(value & 0x01)
            self.state.single = bool(value & 0x02)
        elif value & 0x08:
            self._write_ocw3(value)
        elif self.state.command(value):
            self._update()

    def _write_data(self, value: int) -> None:
        match self.state.icw:
            case 0:
                self.state.imr = value
                self._update()
            case 2:
                self.state.irq_base = value & 0xF8
                self.state.icw = (4 if self.state.needs_icw4 else 0) if self.state.single else 3
            case 3:
                self.state.icw = 4 if self.state.needs_icw4 else 0
            case _:
                self.state.fully_nested = bool(value & 0x10)
                self.state.auto_eoi = bool(value & 0x02)
                self.state.icw = 0

    def _write_ocw3(self, value: int) -> None:
        if value & 0x04:
            self.state.poll = True
        if value & 0x02:
            self.state.read_isr = bool(value & 0x01)
        if value & 0x40:
            self.state.special_mask = bool(value & 0x20)

    def _read_elcr(self, offset: int, size: int) -> int:
        return self.state.elcr

    def _write_elcr(self, offset: int, value: int, size: int) -> None:
        self.state.elcr = value & self._elcr_mask
