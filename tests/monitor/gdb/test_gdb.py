"""The real GDB on SeaBIOS, in real and protected mode."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from guestmap.accel.vcpu_state import EFER
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.monitor import TcpAddress
from guestmap.monitor.gdb import GdbServer

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.gdb]

_CODE, _HIGH = 0x100000, 0xFFFFFFFF80000000
_ENTRY = 0xFE05B  # where the reset vector jumps to, fixed for PC BIOSes since the first


@pytest.fixture
def server() -> Iterator[GdbServer]:
    with VirtualMachine(MachineConfig()) as vm, GdbServer(vm, TcpAddress("127.0.0.1", 0)) as server:
        vm.start(paused=True)
        yield server


@pytest.fixture
def long_mode() -> Iterator[GdbServer]:
    """A machine in 64-bit code at 1 MiB: 2 MiB are mapped to themselves, and high."""
    with VirtualMachine(MachineConfig()) as vm, GdbServer(vm, TcpAddress("127.0.0.1", 0)) as server:
        memory = vm.board.cpu_memory
        for table, entry, value in (
            (0x1000, 0, 0x2003), (0x1000, 511, 0x2003),  # of the top level: low half and high half
            (0x2000, 0, 0x3003), (0x2000, 510, 0x3003), (0x3000, 0, 0x83),
        ):  # fmt: skip
            memory.store(table + 8 * entry, 8, value)
        memory.write(_CODE, bytes.fromhex("49ffc0 4889042500001100 ebf3"))
        state = vm.vcpu.save()
        state.control |= {0: 0x80000011, 3: 0x1000, 4: 0x20}
        state.msrs |= {EFER: 0x500}
        flat = (0x18, 0, 0xFFFFFFFF, 0x00CF9300)
        high = (0x18, _HIGH, 0xFFFFFFFF, 0x00CF9300)
        state.segments[:6] = [flat, (0x10, 0, 0xFFFFFFFF, 0x00AF9B00), flat, flat, high, flat]
        state.rip, state.general[8] = _CODE, 0x1122334455667788
        vm.vcpu.load(state)
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


def test_long_mode_has_its_registers_addresses_and_breakpoints(long_mode):
    said = gdb(
        long_mode, "show architecture", "p/x $r8", "x/2i $rip", "stepi", "p/x $r8", "p/x $efer",
        "set var $rax = 0xfedcba9876543210", "watch *(long *) 0x110000", "continue",
        f"p/x *(long *) {_HIGH + 0x110000:#x}", "delete", f"break *{_CODE:#x}", "continue",
        "set var $xmm15 = 5", "p $xmm15", "p/x $r8", "p/x $fs_base",
    )  # fmt: skip
    assert "i386:x86-64" in said
    assert "$1 = 0x1122334455667788" in said
    assert re.search(r"0x100000:\s+inc\s+%r8", said)
    assert re.search(r"0x100003:\s+mov\s+%rax,0x110000", said)
    assert "$2 = 0x1122334455667789" in said
    assert "$3 = 0x500" in said
    assert "New value = -81985529216486896" in said
    assert "$4 = 0xfedcba9876543210" in said
    assert "Breakpoint 2, 0x0000000000100000" in said
    assert "$5 = 5" in said
    assert "$6 = 0x1122334455667789" in said
    assert f"$7 = {_HIGH:#x}" in said


def test_a_machine_outlives_a_gdb_that_ends(server):
    gdb(server, "stepi")
    assert "0xfffffff0" not in gdb(server, "p/x $pc")
