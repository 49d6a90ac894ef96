"""``x`` and ``xp``: memory in GDB's formats."""

from __future__ import annotations

import pytest

from guestmap.monitor.hmp import HumanMonitor
from guestmap.monitor.hmp.dump import MAX_DUMP
from tests.monitor.hmp.beside import Beside

PATTERN = bytes(range(256))
AT = 0x1000


@pytest.fixture(scope="module")
def filled(plain: Beside) -> Beside:
    """Both machines with all bytes from 00 to FF in their RAM."""
    plain.qemu.write(AT, PATTERN)
    plain.vm.board.memory.write(AT, PATTERN)
    return plain


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize("letter", "xduoc")
@pytest.mark.parametrize("size", "bhwgL")
@pytest.mark.parametrize("command", ["x", "xp"])
def test_every_format_looks_as_in_qemu(
    filled: Beside, command: str, letter: str, size: str
) -> None:
    filled.check(
        f"{command} /70{letter}{size} {AT:#x}",
        f"{command} /7{size}{letter} {AT + 0xF3:#x}",
        f"{command} /1{letter}{size} {AT + 0x80:#x}",
    )


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_a_format_falls_back_to_the_last_one(filled: Beside) -> None:
    filled.check(
        "xp /3xb 0x1000", "xp 0x1000", "xp /2 0x1000", "xp /h 0x1000", "x 0x1000", "xp /d 0x1000",
        "p 255", "p /x 255", "xp /c 0x1041", "xp /z 0", "xp 0x1000", "xp /xg 0x1000", "xp /0 0",
        "xp /0x 0", "xp /xx 0", "xp /4xhb 0x1000", "xp/4xb 0x1000", "xp/4xb", "xp\t0x1000",
        "print /o 8", "print 8", "p /u -1", "p /d -1", "p /c 65", "p /c 10", "p /c 300", "p /c -1",
        "p /i -5", "p /xb 4096", "p /o 0", "p /x 0",
    )  # fmt: skip


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize(
    "line",
    [
        "xp /4xg 0xfffffff0",
        "xp /64xb 0xfffc0000",
        "xp /20xb 0x7fffff0",
        "xp /8xb 0x7fffffc",
        "xp /3xw 0x7fffffc",
        "xp /2xw -4",
        "xp /2xw 0xfffffffffffffff8",
        "xp /1xb 0x100000000000",
        "xp /4xb 0xfed00000",
        "xp /2xw 0xfed00000",
        "xp /2xg 0xfed00000",
        "xp /2xw 0xfed00010",
        "xp /4xw 0xa0000",
        "xp /4xw 0xe0000",
        "xp /4xw 0xffff8",
        "x /4xw 0xffffffff",
        "x /20xb 0x7fffff0",
        "x /2xw 0x100000000",
        "x /4xb $pc",
        "x /4xb $cs.base+$eip",
    ],
)
def test_ram_rom_registers_and_nothing_look_as_in_qemu(filled: Beside, line: str) -> None:
    filled.check(line)


def test_instructions_are_not_disassembled(monitor: HumanMonitor) -> None:
    assert monitor.execute("x /3i 0x10") == (
        "0x00000010: Asm output not supported on this arch\r\n"
    )
    assert monitor.execute("x 0x10").startswith("0x00000010: Asm")
    assert monitor.execute("p 5") == "5\r\n"


def test_a_dump_is_bounded(monitor: HumanMonitor) -> None:
    assert monitor.execute(f"xp /{MAX_DUMP}xb 0x7fffff8").endswith("Cannot access memory\r\n")
    refused = monitor.execute(f"xp /{MAX_DUMP + 1}xb 0")
    assert refused.startswith("Error: ")
    assert str(MAX_DUMP) in refused
    assert monitor.execute("xp /9999999999999999999999xg 0").startswith("Error: ")


def test_looking_at_memory_of_nobody_changes_nothing(monitor: HumanMonitor) -> None:
    assert monitor.execute("xp /2xb 0x100000000000") == "0000100000000000: Cannot access memory\r\n"
