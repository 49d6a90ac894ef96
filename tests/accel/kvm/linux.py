"""A stock Linux on our own machine in this process, told what to do over its serial port."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Self

from guestmap.base import GIB, MIB
from guestmap.machine import MachineConfig, VirtualMachine
from tests.support.linux_guest import prepared

if TYPE_CHECKING:
    from pathlib import Path

_LINE_FEED = ord("\n")
_TELL_S = 60
_MARK = re.compile(r"-- (\w+) --\r*\n")


class Linux:
    """The guest, in its shell.

    Args:
        folder: for its initial RAM disk.
        engine: the accelerator.
        append: more of the kernel's command line.
        timeout_s: how long it may be silent.
        cpus: how many it has.
        irqchip: who has its interrupt controllers (``kernel-irqchip``).

    Attributes:
        vm: the machine.
        told: what its observer heard of a CPU that stands still.
    """

    def __init__(
        self,
        folder: Path,
        engine: str,
        append: str = "",
        *,
        timeout_s: float = 120,
        cpus: int = 1,
        irqchip: str = "off",
    ) -> None:
        kernel, initrd, line = prepared(folder, agent=False)
        self._timeout_s = timeout_s
        self._text = self._line = ""
        self._changed = threading.Condition()
        self.vm = VirtualMachine(
            MachineConfig(
                ram_size=256 * MIB, slots=2, max_ram=GIB, serial=True, debugcon=True, cpus=cpus,
                options={"kernel-irqchip": irqchip},
                kernel=kernel, initrd=initrd, append=f"{line} {append}",
            ),
            engine=engine,
        )  # fmt: skip
        port = self.vm.board.serial
        assert port is not None
        port.sink = self._heard
        self._port = port

    def _heard(self, byte: int) -> None:
        self._line += chr(byte)
        if byte == _LINE_FEED:  # for whoever looks, and so that it is seen to be alive
            print(self._line.rstrip(), flush=True)
            self._line = ""
        with self._changed:
            self._text += chr(byte)
            self._changed.notify_all()

    def _wait(self) -> None:
        """Wait for a byte; meanwhile tell how it is, for who takes silence for a standstill."""
        deadline = time.monotonic() + self._timeout_s
        while not self._changed.wait(_TELL_S):
            print(f"silent: {self.vm.accelerator.statistics()}", flush=True)
            assert time.monotonic() < deadline, f"silent after {self._text[-2000:]!r}"

    def __enter__(self) -> Self:
        self.vm.start()
        assert self._answer()[1] == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self.vm.close()

    def run(self, command: str) -> str:
        """Run a line of shell in the guest and return what it prints."""
        for byte in f"{command}\n".encode():
            while not self._sent(byte):
                time.sleep(0.001)
        text, status = self._answer()
        assert status == "0", (command, status, text)
        return text.replace("\r\n", "\n")

    def _sent(self, byte: int) -> bool:
        with self.vm.exclusive():
            if not self._port.room:
                return False
            self._port.receive(bytes((byte,)))
            return True

    @property
    def memory(self) -> int:
        """What the guest's kernel manages, in bytes (MemTotal)."""
        return int(self.run("grep MemTotal /proc/meminfo").split()[1]) << 10

    def until(self, command: str, wanted: str) -> None:
        """Wait until a command prints something."""
        deadline = time.monotonic() + self._timeout_s
        while wanted not in (said := self.run(command)):
            assert time.monotonic() < deadline, said
            time.sleep(0.2)

    def local_timers(self) -> list[int]:
        """Return how many interrupts of its own timer each CPU has had."""
        line = self.run("grep LOC: /proc/interrupts")
        return [int(word) for word in line.split() if word.isdecimal()]

    def _answer(self) -> tuple[str, str]:
        with self._changed:
            while (mark := _MARK.search(self._text)) is None:
                self._wait()
            text, self._text = self._text[: mark.start()], self._text[mark.end() :]
            return text, mark[1]
