"""``info registers``, and ``x`` where the CPU translates addresses."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.monitor.hmp import HumanMonitor
from tests.monitor.hmp import paging_firmware
from tests.monitor.hmp.beside import Beside
from tests.monitor.hmp.paging_firmware import ABSENT, LARGE, MOVED, MOVED_TO, UNMAPPED

_PATIENCE_S = 30
_NOT_TOLD = ("DR", "EFER=", "FCW=", "FPR", "XMM")
_HALT = re.compile(r"HLT=\d")


def _comparable(text: str) -> list[str]:
    """Return what engines tell: all but debug and floating point, and whether the CPU waits."""
    return [_HALT.sub("", line) for line in text.splitlines() if not line.startswith(_NOT_TOLD)]


def _without(lines: list[str], *words: str) -> list[str]:
    return [re.sub("|".join(words), "", line) for line in lines]


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.unicorn
@pytest.mark.parametrize("line", ["", " 0", " 0+1", " -a", " -a 1", " 4294967295"])
def test_registers_at_reset_are_qemus_but_for_the_model_of_the_cpu(
    plain: Beside, line: str
) -> None:
    ours, theirs = map(_comparable, plain.ask(f"info registers{line}"))
    model = (r"EDX=\w+", r"00008[9b]00$")  # Unicorn takes no busy task register
    assert _without(ours, *model) == _without(theirs, *model)


@pytest.fixture(scope="module")
def paging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """Both machines halted, with paging on."""
    image = paging_firmware.write_image(tmp_path_factory.mktemp("firmware"))
    with Beside("-m", "16M", "-bios", str(image)) as pair:
        pair.qemu.write(MOVED_TO - 2, bytes(range(64)))
        pair.vm.board.memory.write(MOVED_TO - 2, bytes(range(64)))
        pair.vm.run()
        pair.qemu.qmp("cont")
        deadline = time.monotonic() + _PATIENCE_S
        while "HLT=1" not in pair.qemu.hmp("info registers"):
            assert time.monotonic() < deadline
        pair.qemu.qmp("stop")
        yield pair


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.unicorn
def test_registers_in_protected_mode_are_qemus(paging: Beside) -> None:
    ours, theirs = map(_comparable, paging.ask("info registers"))
    task = (r"00008[9b]00 DPL=0 TSS32-(?:avl|busy)$",)
    assert _without(ours, *task) == _without(theirs, *task)
    assert "CS32" in "".join(ours)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.unicorn
@pytest.mark.parametrize(
    "line",
    [
        f"x /8xb {MOVED:#x}",
        f"xp /8xb {MOVED:#x}",
        f"x /8xb {MOVED_TO:#x}",
        f"x /4xb {ABSENT:#x}",
        f"x /20xb {ABSENT - 10:#x}",
        f"x /20xb {MOVED + 0x1000 - 10:#x}",
        f"x /8xw {LARGE + 0x3FFFF0:#x}",
        f"x /1xb {UNMAPPED:#x}",
        "x /4xw 0xfffffff0",
        "x /4xw 0x100003000",
        "x /8xb $pc",
        "x /8xb $eip",
        "p $ebx",
        "p /x $eflags",
        "p /x $es.base",
        "p /x $fs.limit",
        "p /x $esp+$ss",
    ],
)
def test_addresses_are_translated_as_in_qemu(paging: Beside, line: str) -> None:
    paging.check(line)


def test_without_a_cpu_it_says_so() -> None:
    with VirtualMachine(MachineConfig(), engine="none") as vm:
        monitor = HumanMonitor(vm)
        for line in ("info registers", "x /4xb 0"):
            assert monitor.execute(line).startswith("Error: ")
        assert monitor.execute("p $eip").startswith("unknown register\r\n")
        assert monitor.execute("xp /2xb 0xffff0") == "00000000000ffff0: 0xea 0x5b\r\n"
