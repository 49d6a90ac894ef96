"""The part of a PC that is as old as the PC: fixed ports, fixed lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from guestmap.base import Clock, IrqLine
from guestmap.hw.at_ports import FpuErrorPort, PostPort
from guestmap.hw.debugcon import DebugConsole
from guestmap.hw.device import RegisterBlock
from guestmap.hw.fdc import Fdc
from guestmap.hw.hpet import Hpet
from guestmap.hw.i8254 import I8254
from guestmap.hw.i8257 import I8257
from guestmap.hw.ide.channel import CHANNELS, IdeChannel
from guestmap.hw.kvmvapic import KvmVapic, RomPlace
from guestmap.hw.mc146818 import Mc146818
from guestmap.hw.pcspk import PcSpeaker
from guestmap.hw.port92 import Port92
from guestmap.hw.ps2.i8042 import I8042
from guestmap.hw.vmware import VmMouse, VmPort
from guestmap.memory import AddressSpace

if TYPE_CHECKING:
    from guestmap.hw.ide.identify import Geometry
    from guestmap.hw.parallel import ParallelPort
    from guestmap.hw.serial import Serial16550
    from guestmap.machine.config import MachineConfig

_TIMER, _KEYBOARD, _SERIAL, _FLOPPY, _CLOCK, _MOUSE, _FPU = 0, 1, 4, 6, 8, 12, 13


class IsaDevices:
    """Timers, DMA, keyboard, clock chip, floppy controller, and the small ports."""

    def __init__(
        self,
        config: MachineConfig,
        clock: Clock,
        lines: Sequence[IrqLine],
        space: AddressSpace,
        hpet: Hpet | None,
        *,
        rom_place: RomPlace,
        epoch_ns: int,
        on_reset: Callable[[str], None],
        on_a20: Callable[[bool], None],
        on_debug_byte: Callable[[int], None],
    ) -> None:
        self.dma = (I8257(space), I8257(space, second=True))
        # An HPET takes both interrupts' place where the guest wants that.
        rtc_line = lines[_CLOCK] if hpet is None else hpet.rtc_input
        self.rtc = Mc146818(clock.host, rtc_line, epoch_ns=epoch_ns)
        self.pit = I8254(clock, lines[_TIMER] if hpet is None else hpet.pit_input)
        if hpet is not None:
            hpet.pit_enabled = self.pit.irq_enable
        self.speaker = PcSpeaker(self.pit)
        self.floppy = Fdc(clock, lines[_FLOPPY], self.dma[0])
        self.keyboard = I8042(
            lines[_KEYBOARD], lines[_MOUSE],
            on_reset=lambda: on_reset("keyboard controller"), on_a20=on_a20,
        )  # fmt: skip
        self.port92 = Port92(on_reset=lambda: on_reset("port 92h"), on_a20=on_a20)
        self.vmport, self.vmmouse = VmPort(), VmMouse(self.keyboard)
        self.post, self.fpu = PostPort(), FpuErrorPort(lines[_FPU])
        self.ide = tuple(
            IdeChannel(lines[line], command, control, number=number)
            for number, (command, control, line) in enumerate(CHANNELS)
        )
        self.vapic = KvmVapic(rom_place) if config.vapic else None
        self.serial = _serial_port(clock, lines[_SERIAL]) if config.serial else None
        self.parallel = _parallel_port(lines) if config.parallel else None
        self.debugcon = DebugConsole(on_debug_byte) if config.debugcon else None

    @property
    def blocks(self) -> tuple[RegisterBlock[Any], ...]:
        """All of them, in the order of their making."""
        wanted = (
            self.post, self.fpu, *self.dma, self.rtc, self.pit, self.speaker, self.floppy,
            self.keyboard, self.vmport, self.vmmouse, self.port92, self.vapic, self.debugcon,
            *self.ide, self.serial, self.parallel,
        )  # fmt: skip
        return tuple(each for each in wanted if each is not None)

    def floppy_types(self) -> list[int]:
        """Return the types of both floppy drives, as CMOS names them; 0 for none."""
        return [each.cmos_type if each is not None else 0 for each in self.floppy.drives]

    def disk_shapes(self) -> dict[int, Geometry]:
        """Return the geometries of the hard disks, by their places."""
        units = [unit for channel in self.ide for unit in channel.units]
        if not any(unit.is_there for unit in units):
            return {}
        from guestmap.hw.ide.disk import IdeDisk

        return {at: unit.geometry for at, unit in enumerate(units) if isinstance(unit, IdeDisk)}

    def reset(self) -> None:
        """Reset every device."""
        for each in self.blocks:
            each.reset()


def _serial_port(clock: Clock, line: IrqLine) -> Serial16550:
    from guestmap.hw.serial import Serial16550

    return Serial16550(clock, line)


def _parallel_port(lines: Sequence[IrqLine]) -> ParallelPort:
    from guestmap.hw.parallel import LINE, ParallelPort

    return ParallelPort(lines[LINE])
