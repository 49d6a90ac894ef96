"""A tiny machine for engine tests: RAM, a ROM with the reset vector, one device, ports that log."""

from __future__ import annotations

import struct
import threading
from typing import TYPE_CHECKING, Any, Self

from guestmap.accel import (
    Accelerator,
    Exit,
    Register,
    RunLoop,
    Segment,
    SegmentRegister,
    open_accelerator,
)
from guestmap.base import Clock, HostClock
from guestmap.memory import AccessSizes, MemoryRegionOps, MemorySystem

if TYPE_CHECKING:
    from collections.abc import Callable

RAM_SIZE = 0x200000
ROM_BASE, ROM_SIZE = 0xFFFF0000, 0x10000
DEVICE, DEVICE_SIZE = 0xE0000000, 0x800
CODE, STACK = 0x1000, 0x8000
DIMM = 0x1000000
_ANY = AccessSizes(min=1, max=4, unaligned=True)
_REAL_CODE = Segment(0, 0, 0xFFFF, 0x9B00)
_REAL_DATA = Segment(0, 0, 0xFFFF, 0x9300)
FLAT_CODE = Segment(8, 0, 0xFFFFFFFF, 0x00CF9B00)
FLAT_DATA = Segment(16, 0, 0xFFFFFFFF, 0x00CF9300)
_DATA_SEGMENTS = (
    SegmentRegister.DS,
    SegmentRegister.ES,
    SegmentRegister.SS,
    SegmentRegister.FS,
    SegmentRegister.GS,
)


class Line:
    """An interrupt controller with one line and a queue of vectors."""

    def __init__(self) -> None:
        self.vectors: list[int] = []

    @property
    def pending(self) -> bool:
        return bool(self.vectors)

    def acknowledge(self) -> int:
        return self.vectors.pop(0) if self.vectors else 0xFF


class Guest:
    """The machine. ``ports`` and ``device_log`` say what the guest did; ``on_port`` and ``on_read``
    answer."""

    def __init__(self, name: str = "unicorn", clock: Clock | None = None, **options: Any) -> None:
        self.system = MemorySystem()
        self.clock = clock or HostClock()
        self.line = Line()
        self.ports: list[tuple[int, int, int]] = []
        self.reads: list[tuple[int, int]] = []
        self.device_log: list[tuple[str, int, int, int]] = []
        self.on_device: Callable[[], None] = lambda: None
        self.on_port: dict[int, Callable[[int], None]] = {}
        self.on_read: dict[int, Callable[[], int]] = {}
        self.answer = 0
        self.root = self.system.container("system", 1 << 64)
        self.ram = self.system.ram("ram", RAM_SIZE)
        self.rom = self.system.rom("rom", ROM_SIZE)
        self.device = self.system.io(
            "device",
            DEVICE_SIZE,
            MemoryRegionOps(read=self._device_read, write=self._device_write),
        )
        self.root.add_subregion(0, self.ram)
        self.root.add_subregion(ROM_BASE, self.rom)
        self.root.add_subregion(DEVICE, self.device)
        io_root = self.system.io(
            "io",
            0x10000,
            MemoryRegionOps(read=self._in, write=self._out, valid=_ANY, impl=_ANY),
        )
        self.memory = self.system.address_space("memory", self.root)
        self.io = self.system.address_space("I/O", io_root)
        self.accelerator: Accelerator
        name, _, documented = name.partition("-") if "," not in name else (name, "", "")
        if name == "unicorn" and not options:
            options = {"internals": not documented}
        if options:
            from guestmap.accel.unicorn.accelerator import UnicornAccelerator

            self.accelerator = UnicornAccelerator(self.memory, self.io, [self.line], **options)
        else:
            self.accelerator = open_accelerator(name, self.memory, self.io, [self.line])
        self.vcpu: Any = self.accelerator.vcpu()
        self.loop = RunLoop(self.vcpu, self.clock)

    def _in(self, offset: int, size: int) -> int:
        self.reads.append((offset, size))
        if offset in self.on_read:
            return self.on_read[offset]()
        return self.answer

    def _out(self, offset: int, value: int, size: int) -> None:
        self.ports.append((offset, value, size))
        action = self.on_port.get(offset)
        if action is not None:
            action(value)

    def _device_read(self, offset: int, size: int) -> int:
        self.on_device()
        self.device_log.append(("r", offset, size, 0))
        return 0x44332211 + offset

    def _device_write(self, offset: int, value: int, size: int) -> None:
        self.on_device()
        self.device_log.append(("w", offset, size, value))

    # -- programs --------------------------------------------------------------------------------

    def vector(self, number: int, offset: int, segment: int = 0) -> None:
        """Set an entry of the real-mode vector table."""
        self.memory.write(number * 4, struct.pack("<HH", offset, segment))

    def real(self, code: bytes, **registers: int) -> None:
        """Put the CPU at ``code`` in real mode, interrupts off, all segments 0."""
        self.memory.write(CODE, code)
        self.loop.reset()
        self._start(0x10, _REAL_CODE, _REAL_DATA, registers)

    def flat(self, code: bytes, **registers: int) -> None:
        """Put the CPU at ``code`` in flat 32-bit protected mode."""
        self.memory.write(CODE, code)
        self.loop.reset()
        self._start(0x11, FLAT_CODE, FLAT_DATA, registers)

    def _start(self, cr0: int, code: Segment, data: Segment, registers: dict[str, int]) -> None:
        vcpu = self.vcpu
        vcpu.write_register(Register.CR0, cr0)
        for each in _DATA_SEGMENTS:
            vcpu.write_segment(each, data)
        vcpu.write_segment(SegmentRegister.CS, code)
        for name, value in ({"esp": STACK, "eip": CODE} | registers).items():
            vcpu.write_register(Register(name), value)

    def interrupt(self, vector: int) -> None:
        """Raise the interrupt line."""
        self.line.vectors.append(vector)
        self.loop.interrupts_changed()

    def run(self) -> Exit:
        return self.loop.run()

    def value(self, port: int = 0x80) -> list[int]:
        """Return what was written to a port."""
        return [value for at, value, _ in self.ports if at == port]

    def register(self, name: str) -> int:
        return self.vcpu.read_register(Register(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.accelerator.close()


def later(action: Callable[[], None], delay: float = 0.01) -> threading.Timer:
    """Call ``action`` from another thread, soon."""
    timer = threading.Timer(delay, action)
    timer.start()
    return timer
