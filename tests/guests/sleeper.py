"""A guest that sleeps in RAM and is woken, with stops on the way: on our machine, or on QEMU's."""

from __future__ import annotations

import re
import shutil
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, Self

from guestmap.accel.debug import GuestAccess, WatchKind, Watchpoint
from guestmap.machine import RunState, VirtualMachine, config_of
from guestmap.monitor.hmp import HumanMonitor
from tests.monitor.gdb.client import Debugger
from tests.support.qemu import Qemu

_SPACES = ("memory", "cpu-memory-0", "cpu-smm-0", "I/O")
_FUNCTIONS = (0x00, 0x08, 0x09, 0x0B, 0x10)
"""Host bridge, ISA bridge, IDE, power management, VGA: slot << 3 | function."""
_PORTS = (0x21, 0xA1, 0x4D0, 0x4D1, 0x92, 0xB2, 0xB3)
_SHUTDOWN_STATUS = 0x0F


class Sleeper(Protocol):
    """A machine with the guest on it; a context manager."""

    def sleep(self) -> None:
        """Run until it sleeps; it stood before its first instruction, or at a stop."""

    def stop_at(self, *addresses: int) -> None:
        """Have the next runs stop before instructions at these."""

    def awake(self) -> None:
        """Wait until it wakes, and run to the first stop."""

    def run(self) -> None:
        """Run to the next stop."""

    @property
    def state(self) -> str:
        """QMP's ``RunState``."""

    def hmp(self, line: str) -> str:
        """Execute a command of the human monitor."""

    def inb(self, port: int) -> int: ...

    def inw(self, port: int) -> int: ...

    def inl(self, port: int) -> int: ...

    def outb(self, port: int, value: int) -> None: ...

    def outw(self, port: int, value: int) -> None: ...

    def outl(self, port: int, value: int) -> None: ...

    def read(self, address: int, length: int) -> bytes: ...

    @property
    def log(self) -> list[str]:
        """What firmware and guest have said."""

    @property
    def told(self) -> list[str]:
        """The names of the events since the last look."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_error: object) -> None: ...


def picture(machine: Sleeper) -> dict[str, Any]:
    """Return what a machine that stands shows: its views, configuration registers and ports."""
    text = machine.hmp("info mtree -f")
    shown: dict[str, Any] = {space: _view(text, space) for space in _SPACES}
    before = machine.inl(0xCF8)
    for function in _FUNCTIONS:
        words = []
        for register in range(0, 0x100, 4):
            machine.outl(0xCF8, 0x8000_0000 | function << 8 | register)
            words.append(machine.inl(0xCFC))
        shown[f"function {function:02x}"] = words
    machine.outl(0xCF8, before)
    shown |= {f"port {port:x}h": machine.inb(port) for port in _PORTS}
    machine.outb(0x70, _SHUTDOWN_STATUS)
    shown["shutdown status"] = machine.inb(0x71)
    return shown


def registers(machine: Sleeper) -> dict[str, str]:
    """Return what a CPU shows that has not computed yet."""
    text = machine.hmp("info registers")
    names = ("EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP", "ESP", "EIP", "EFL", "CR0", "CR3",
             "CR4", "SMM", "A20")  # fmt: skip
    found = {name: re.search(rf"\b{name}=(\w+)", text) for name in names}
    found |= {
        name: re.search(rf"^{name} *=(.{{31}})", text, re.MULTILINE) for name in ("CS", "SS", "DS")
    }
    return {name: each[1] if each else "" for name, each in found.items()}


def _view(text: str, space: str) -> list[str]:
    block = next(part for part in text.split("FlatView #") if f'AS "{space}"' in part)
    return [line.rstrip() for line in block.splitlines() if re.match(r"  [0-9a-f]{16}-", line)]


class Ours:
    """Ours."""

    def __init__(self, words: Sequence[str]) -> None:
        config = config_of([*words, "-global", "apic-common.vapic=off"])
        self.vm = VirtualMachine(replace(config, debugcon=True))
        self._monitor = HumanMonitor(self.vm)
        self.hmp = self._monitor.execute
        self._events: list[str] = []
        self.vm.events.subscribe(lambda event: self._events.append(event.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.vm.close()

    def sleep(self) -> None:
        assert self.vm.run() is RunState.SUSPENDED

    def stop_at(self, *addresses: int) -> None:
        def stops(_access: GuestAccess) -> bool:
            return True

        kinds = frozenset({WatchKind.EXECUTE})
        self.vm.watching.set(self, [Watchpoint(at, at, kinds, stops) for at in addresses])

    def awake(self) -> None:
        self.run()

    def run(self) -> None:
        assert self.vm.run() is RunState.PAUSED

    @property
    def state(self) -> str:
        return str(self.vm.state)

    def inb(self, port: int) -> int:
        return int(self.vm.board.io.load(port, 1))

    def inw(self, port: int) -> int:
        return int(self.vm.board.io.load(port, 2))

    def inl(self, port: int) -> int:
        return int(self.vm.board.io.load(port, 4))

    def outb(self, port: int, value: int) -> None:
        self.vm.board.io.store(port, 1, value)

    def outw(self, port: int, value: int) -> None:
        self.vm.board.io.store(port, 2, value)

    def outl(self, port: int, value: int) -> None:
        self.vm.board.io.store(port, 4, value)

    def read(self, address: int, length: int) -> bytes:
        return bytes(self.vm.board.memory.read(address, length))

    @property
    def log(self) -> list[str]:
        return [line.text for line in self.vm.log]

    @property
    def told(self) -> list[str]:
        told, self._events[:] = [*self._events], []
        return told


class Theirs(Qemu):
    """QEMU's, with breakpoints in its gdb stub."""

    def __init__(self, words: Sequence[str]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="guestmap-"))  # short enough for a socket
        self._log, self._gdb = self._folder / "log", self._folder / "gdb"
        super().__init__(
            *words, "-chardev", f"file,id=log,path={self._log}",
            "-device", "isa-debugcon,iobase=0x402,chardev=log",
            "-gdb", f"unix:{self._gdb},server=on,wait=off", machine=False,
        )  # fmt: skip

    def start(self) -> Self:
        super().start()
        wire = socket.socket(socket.AF_UNIX)
        wire.connect(str(self._gdb))
        self._debugger = Debugger(wire)
        self._stops: set[int] = set()
        return self

    def close(self) -> None:
        if hasattr(self, "_debugger"):
            self._debugger.close()
        super().close()
        shutil.rmtree(self._folder)

    def sleep(self) -> None:
        self._go()  # answered at the first stop after the wake-up
        self.events.append(self.wait_event("SUSPEND"))

    def stop_at(self, *addresses: int) -> None:
        for address in self._stops ^ set(addresses):
            letter = "Z" if address in addresses else "z"
            assert self._debugger.ask(f"{letter}1,{address:x},1") == "OK"
        self._stops = set(addresses)

    def awake(self) -> None:
        self._debugger.receive()

    def run(self) -> None:
        self._go()
        self._debugger.receive()

    def _go(self) -> None:
        stops = self._stops  # the stub stops again where it stands
        if stops:
            self.stop_at()
            self._debugger.ask("s")
            self.stop_at(*stops)
        self._debugger.send("c")

    @property
    def state(self) -> str:
        return str(self.qmp("query-status")["status"])

    @property
    def log(self) -> list[str]:
        return self._log.read_text("latin-1").replace("\r", "").splitlines()

    @property
    def told(self) -> list[str]:
        told, self.events[:] = [str(each["event"]) for each in self.events], []
        return [name for name in told if name != "NIC_RX_FILTER_CHANGED"]
