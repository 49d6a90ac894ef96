"""The real GDB on SeaBIOS, in real and protected mode."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.monitor import TcpAddress
from guestmap.monitor.gdb import GdbServer

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.gdb]

_ENTRY = 0xFE05B  # where the reset vector jumps to, fixed for PC BIOSes since the first


@pytest.fixture
def server() -> Iterator[GdbServer]:
    with VirtualMachine(MachineConfig()) as vm, GdbServer(vm, TcpAddress("127.0.0.1", 0)) as server:
        vm.start(paused=True)
        yield server


def gdb(server: GdbServer, *commands: str) -> str:
    """Return what GDB says to these commands."""
    address = server.address
    assert isinstance(address, TcpAddress)
    lines = ["set confirm off", f"target remote {address.host}:{address.port}", *commands]
    words = ["gdb", "-q", "-nx", "-batch"]
    for line in lines:
        words += ["-ex", line]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=True)
    return done.stdout + done.stderr


def test_real_mode_code_is_read_and_a_breakpoint_is_known_as_gdb_s_own(server):
    said = gdb(
        server, "set architecture i8086", "x/i $pc", f"break *{_ENTRY:#x}", "continue", "p/x $pc",
        "p/x $ip", "p/x $cs", "awatch *(char *) 0x413", "continue",
    )  # fmt: skip
    assert re.search(r"0xfffffff0:\s+ljmp\s+\$0xf000,\$0xe05b", said)
    assert f"Breakpoint 1, 0x{_ENTRY:08x} in" in said
    assert f"$1 = {_ENTRY:#x}" in said
    assert "$2 = 0xe05b" in said
    assert "$3 = 0xf000" in said
    assert "Hardware access (read/write) watchpoint 2" in said.partition("$3")[2]
    assert "Value = " in said or "New value = " in said  # it went on from its own breakpoint


def test_protected_mode_memory_and_watchpoints(server):
    # The BIOS data area: the size of base memory in KiB, a word that POST sets once and lowers.
    said = gdb(
        server, "watch *(unsigned short *) 0x413", "continue", "p/x $cr0", "p/x $cs",
        "p *(unsigned short *) 0x413", "set var *(int *) 0x100000 = 0x1234", "x/x 0x100000",
        "set var $eax = 0x55", "p/x $eax", "x/x 0xfed00000", "info threads", "delete", "detach",
    )  # fmt: skip
    assert "Hardware watchpoint 1: *(unsigned short *) 0x413" in said
    assert "Old value = 0" in said
    assert "$1 = 0x11" in said  # protection is on
    assert "$2 = 0x8" in said
    assert re.search(r"\$3 = 6[0-9]{2}\b", said)  # 640, less what the firmware keeps
    assert "0x100000:\t0x00001234" in said
    assert "$4 = 0x55" in said
    assert "Cannot access memory at address 0xfed00000" in said
    assert "Thread 1 (CPU#0)" in said
    assert "[Inferior 1 (Remote target) detached]" in said


def test_a_machine_outlives_a_gdb_that_ends(server):
    gdb(server, "stepi")
    assert "0xfffffff0" not in gdb(server, "p/x $pc")
