"""The part of a PC that is as old as the PC: fixed ports, fixed lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from guestmap.base import Clock, IrqLine
from guestmap.hw.debugcon import DebugConsole
from guestmap.hw.device import Device, Space
from guestmap.hw.fdc import Fdc
from guestmap.hw.hpet import Hpet
from guestmap.hw.i8042 import I8042
from guestmap.hw.i8254 import I8254
from guestmap.hw.i8257 import I8257
from guestmap.hw.ide import IdeChannel
from guestmap.hw.mc146818 import Mc146818
from guestmap.hw.misc_ports import FpuErrorPort, KvmVapic, PostPort, VmPort
from guestmap.hw.pcspk import PcSpeaker
from guestmap.hw.placement import place
from guestmap.hw.port92 import Port92
from guestmap.hw.serial import Serial16550
from guestmap.machine.config import MachineConfig
from guestmap.memory import AddressSpace, MemoryRegion, MemorySystem

_KEYBOARD, _SERIAL, _FLOPPY, _MOUSE, _FPU = 1, 4, 6, 12, 13
_IDE = ((0x1F0, 0x3F6, 14), (0x170, 0x376, 15))
"""Command block, control block and interrupt of each channel."""


class _Device(Protocol):
    """What fixed-port devices have in common."""

    @property
    def regions(self) -> Sequence[tuple[int, MemoryRegion]]: ...

    def reset(self) -> None: ...


class IsaDevices:
    """Timers, DMA, keyboard, clock chip, floppy controller, and the small ports."""

    def __init__(
        self,
        config: MachineConfig,
        memory: MemorySystem,
        clock: Clock,
        lines: Sequence[IrqLine],
        space: AddressSpace,
        hpet: Hpet,
        *,
        epoch_ns: int,
        on_reset: Callable[[str], None],
        on_a20: Callable[[bool], None],
        on_debug_byte: Callable[[int], None],
    ) -> None:
        self.dma = (I8257(memory, space), I8257(memory, space, second=True))
        self._memory = memory
        self.rtc = Mc146818(clock.host, hpet.rtc_input, epoch_ns=epoch_ns)
        self.pit = I8254(clock, hpet.pit_input)
        hpet.pit_enabled = self.pit.irq_enable
        self.speaker = PcSpeaker(memory, self.pit)
        self.floppy = Fdc(memory, clock, lines[_FLOPPY])
        self.keyboard = I8042(
            memory, lines[_KEYBOARD], lines[_MOUSE],
            on_reset=lambda: on_reset("keyboard controller"), on_a20=on_a20,
        )  # fmt: skip
        self.port92 = Port92(memory, on_reset=lambda: on_reset("port 92h"), on_a20=on_a20)
        self.all: list[_Device] = [
            PostPort(memory), FpuErrorPort(memory, lines[_FPU]), *self.dma,
            self.speaker, self.floppy, self.keyboard, VmPort(memory), self.port92,
        ]  # fmt: skip
        if config.vapic:
            self.all.append(KvmVapic(memory))
        self.ide = tuple(IdeChannel(memory, lines[line]) for _command, _control, line in _IDE)
        self.serial: Serial16550 | None = None
        if config.serial:
            self.serial = Serial16550(clock, lines[_SERIAL])
        if config.debugcon:
            self.all.append(DebugConsole(memory, on_debug_byte))

    def place(self, io: MemoryRegion) -> None:
        """Put every region at its port."""
        for device in self.all:
            for port, region in device.regions:
                io.add_subregion(port, region)
        for channel, (command, control, _line) in zip(self.ide, _IDE, strict=True):
            io.add_subregion(command, channel.command)
            io.add_subregion(control, channel.control)
        place(self._memory, {Space.IO: io}, *self.devices)

    @property
    def devices(self) -> tuple[Device[Any], ...]:
        """Those that are one file each."""
        fixed: tuple[Device[Any], ...] = (self.rtc, self.pit)
        return fixed if self.serial is None else (*fixed, self.serial)

    def reset(self) -> None:
        """Reset every device."""
        for device in self.all:
            device.reset()
        for channel in self.ide:
            channel.reset()
        for each in self.devices:
            each.reset()
