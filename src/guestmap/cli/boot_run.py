"""Running the machine of ``guestmap boot``: until a phase, or for whoever manages it."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console

from guestmap.base import ConfigError
from guestmap.machine import Phase, VirtualMachine

_LOOK_S = 0.5


def run_until(vm: VirtualMachine, until: Phase) -> bool:
    """Run the machine; tell whether Ctrl-C ended it."""
    try:
        vm.run(until=until)
    except KeyboardInterrupt:
        return True
    return False


def run_managed(
    vm: VirtualMachine, addresses: list[str], console: Console, *, paused: bool
) -> bool:
    """Run the machine for those who manage it; tell whether Ctrl-C ended it."""
    from guestmap.monitor import MonitorServer

    with MonitorServer(vm, addresses) as server:
        for address in server.addresses:
            console.print(f"QMP at {address}", markup=False)
        try:
            vm.start(paused=paused)
            while not vm.wait(_LOOK_S):
                pass  # so that Ctrl-C gets through
        except KeyboardInterrupt:
            vm.quit("host-signal")
            vm.wait()
            return True
    return False


class serial_sink:  # noqa: N801 (used as a function)
    """Connects the serial port to a file or to stdout for the time of a ``with``."""

    def __init__(self, vm: VirtualMachine, target: str) -> None:
        self._file = None
        port = vm.pc.isa.serial
        if port is None:
            return
        write: Callable[[bytes], object]
        if target == "stdio":
            write, flush = sys.stdout.buffer.write, sys.stdout.buffer.flush
        else:
            try:
                self._file = open(target, "wb")  # noqa: SIM115 (closed in __exit__)
            except OSError as error:
                raise ConfigError(f"--serial {target}: {error.strerror}") from error
            write, flush = self._file.write, self._file.flush

        def sink(byte: int) -> None:
            write(bytes((byte,)))
            if byte == 0x0A:
                flush()

        port.sink = sink

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            self._file.close()
