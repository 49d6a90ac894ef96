"""What a CPU sees in system management mode, and out of it, is what it sees in QEMU."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guestmap.machine import VirtualMachine, config_of
from guestmap.monitor.hmp import HumanMonitor
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.qemu, pytest.mark.unicorn]

STAY, RETURN = b"\xeb\xfe", b"\x0f\xaa"  # jmp $; rsm
CLOSED, SHOWN, OPEN = 0x02, 0x0A, 0x4A
"""SMRAM (PMC 72h, 82441FX data sheet): unused; in the mode alone; for everybody."""

HANDLER = 0x8000
_APMC_SMI = 0x02000000
_PM_FUNCTION, _HOST_BRIDGE = 0x80000B58, 0x80000070
_TESTDEV_BAR, _TESTDEV_COMMAND = 0x80001010, 0x80001004
"""A device has a page where SMRAM lies, as a display adapter would."""

_LONGEST_S = 60


def firmware(smram: int, handler: bytes, *, asks: bool) -> bytes:
    """Return 64 KiB that set SMRAM and a handler at SMBASE, ask for an SMI, and stay."""

    def select(address: int) -> bytes:  # mov eax, address; mov dx, CF8h; out dx, eax
        return b"\x66\xb8" + address.to_bytes(4, "little") + b"\xba\xf8\x0c\x66\xef"

    code = b"\xfa"  # cli
    for register, value in ((_TESTDEV_BAR, 0xA0000), (_TESTDEV_COMMAND, 2)):
        code += select(register) + b"\x66\xb8" + value.to_bytes(4, "little") + b"\xb2\xfc\x66\xef"
    code += select(_PM_FUNCTION)
    code += b"\x66\xb8" + _APMC_SMI.to_bytes(4, "little") + b"\xb2\xfc\x66\xef"  # to CFCh
    code += b"\xb8\x00\x30\x8e\xd8\xc7\x06\x00\x80" + handler  # mov word [3000h:8000h], handler
    code += select(_HOST_BRIDGE) + b"\xb0" + bytes([smram]) + b"\xb2\xfe\xee"  # al to CFEh
    code += (b"\xe6\xb2" if asks else b"") + STAY  # out B2h, al
    image = bytearray(b"\xf4" * 0x10000)
    image[0x100 : 0x100 + len(code)] = code
    image[0xFFF0:0xFFF5] = b"\xea\x00\x01\x00\xf0"  # jmp F000h:0100h
    return bytes(image)


def arrive(monitor: Callable[[str], str], place: int, *, inside: bool) -> None:
    """Wait until the CPU is where it stays, in the mode or out of it."""
    deadline = time.monotonic() + _LONGEST_S
    while True:
        registers = monitor("info registers")
        where = int(re.search(r"EIP=(\w+)", registers)[1], 16)
        if where == place and f"SMM={int(inside)}" in registers:
            return
        assert time.monotonic() < deadline, registers
        time.sleep(0.05)


def view(text: str, space: str) -> list[str]:
    """Return the ranges that ``info mtree -f`` lists for an address space."""
    block = next(part for part in text.split("\nFlatView #") if f'AS "{space}"' in part)
    return [line for line in block.splitlines() if re.match(r"  [0-9a-f]{16}-", line)]


@pytest.mark.parametrize(
    ("smram", "handler", "asks"),
    [
        (CLOSED, STAY, True), (SHOWN, STAY, True), (OPEN, STAY, True),
        (SHOWN, RETURN, True), (OPEN, RETURN, True), (SHOWN, STAY, False),
    ],
)  # fmt: skip
def test_the_views_in_the_mode_and_out_of_it_are_qemus(
    tmp_path: Path, smram: int, handler: bytes, *, asks: bool
) -> None:
    image = tmp_path / "smm.bin"
    code = firmware(smram, handler, asks=asks)
    image.write_bytes(code)
    inside = asks and handler == STAY
    place = HANDLER if inside else code.rindex(STAY, 0, 0x200)
    board = [
        "-M", "pc-i440fx-7.2,smm=on", "-nodefaults", "-vga", "none", "-m", "16M",
        "-bios", str(image), "-device", "pci-testdev",
    ]  # fmt: skip
    config = config_of([*board, "-global", "apic-common.vapic=off"])
    with VirtualMachine(config) as vm, Qemu(*board, machine=False, stopped=False) as qemu:
        monitor = HumanMonitor(vm)

        def ours(line: str) -> str:
            with vm.exclusive():
                return monitor.execute(line)

        vm.start()
        arrive(ours, place, inside=inside)
        arrive(qemu.hmp, place, inside=inside)
        mine, theirs = ours("info mtree -f"), qemu.hmp("info mtree -f")
        vm.quit("test")
        vm.wait()
    for space in ("memory", "cpu-memory-0", "cpu-smm-0"):
        assert view(mine, space) == view(theirs, space)
    outside, within = view(mine, "cpu-memory-0"), view(mine, "cpu-smm-0")
    if smram == SHOWN:
        assert within != outside
    else:
        assert within == outside
    assert any("pci-testdev-mmio" in line for line in outside) is (smram != OPEN)
