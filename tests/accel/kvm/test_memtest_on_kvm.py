"""memtest86+, 32 and 64 bits wide, on our machine and a real KVM: it finds all memory."""

from __future__ import annotations

import re
import threading

import pytest

from guestmap.base import MIB
from guestmap.machine import MachineConfig, VirtualMachine
from tests.support.linux_guest import PARTS

pytestmark = [pytest.mark.kvm, pytest.mark.long, pytest.mark.seabios]

WAIT_S = 900
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_UNDER_WAY = re.compile(r"\[59\.\d+MB of ")
_RAM = re.compile(r"\d: (\w+) - (\w+) = 1 RAM")


@pytest.mark.parametrize("width", ["ia32", "x64"])
@pytest.mark.parametrize("entry", [16, 32])
def test_it_tests_all_memory_and_finds_no_fault(width: str, entry: int) -> None:
    image = PARTS / "boot" / f"memtest86+{width}.bin"
    if not image.is_file():
        pytest.skip("no memtest86+: tools/linux_guest.sh unpacks it")
    config = MachineConfig(
        ram_size=64 * MIB, serial=True, debugcon=True, kernel=image, kernel_entry=entry,
        append="console=ttyS0,115200",
    )  # fmt: skip
    heard, under_way = bytearray(), threading.Event()

    def hear(byte: int) -> None:
        heard.append(byte)
        if byte == ord("]") and _UNDER_WAY.search(shown(heard)[-400:]):
            under_way.set()

    with VirtualMachine(config, engine="kvm") as vm:
        vm.board.serial.sink = hear
        vm.start()
        assert under_way.wait(WAIT_S), shown(heard)[-500:]
        with vm.exclusive():
            text, lines = shown(heard), [line.text for line in vm.log]
    (found,) = set(re.findall(r"of (\S+?)MB\]", text))
    ram = sum(int(m[2], 16) - int(m[1], 16) for each in lines if (m := _RAM.search(each)))
    assert abs(float(found) - ram / MIB) < 0.2
    assert set(re.findall(r"Errors: *(\d+)", text)) == {"0"}


def shown(heard: bytearray) -> str:
    return _ESCAPE.sub(" ", heard.decode("latin-1"))
