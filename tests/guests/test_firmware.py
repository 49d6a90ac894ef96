"""Small firmwares of our own, on both machines: they tell the same, byte for byte.

``smm``: system management mode, and what its handler finds in the save area in each mode of the
CPU. ``stale``: code that is changed after it ran, in all the ways that the machine has.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from guestmap.base import MIB
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.testing.guests.rom import assemble
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.nasm, pytest.mark.unicorn, pytest.mark.qemu]

_FOLDER = Path(__file__).parent / "firmware"
_LAST = b"E"


@pytest.fixture
def firmware(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "firmware.bin"
    path.write_bytes(assemble(_FOLDER / f"{request.param}.asm"))
    return path


def told(firmware: Path) -> bytes:
    """Run it here; return what it tells until it halts for good."""
    words = bytearray()
    config = MachineConfig(ram_size=16 * MIB, smm=True, debugcon=True, bios=firmware)
    with VirtualMachine(config) as vm:
        vm.board.on_debug_text = words.extend
        vm.run()
    return bytes(words)


def told_by_qemu(firmware: Path, length: int) -> bytes:
    """Run it there, until it has told that much; pytest's timeout ends a wait in vain."""
    log = firmware.parent / "log"
    with Qemu(
        "-M", "pc-i440fx-7.2,smm=on", "-m", "16M", "-nodefaults", "-vga", "none",
        "-bios", str(firmware), "-chardev", f"file,id=d,path={log}",
        "-device", "isa-debugcon,iobase=0x402,chardev=d", machine=False, stopped=False,
    ) as qemu:  # fmt: skip
        while not log.exists() or log.stat().st_size < length:
            qemu.qmp("query-status")
        return log.read_bytes()


@pytest.mark.parametrize("way", ["internals", "documented"])
@pytest.mark.parametrize("firmware", ["smm", "stale"], indirect=True)
def test_a_firmware_tells_the_same_on_qemu(firmware, monkeypatch, way):
    monkeypatch.setenv("GUESTMAP_UNICORN", way)
    ours = told(firmware)
    assert ours.endswith(_LAST)
    theirs = told_by_qemu(firmware, len(ours))
    assert ours == theirs, f"they part at byte {_parting(ours, theirs)}"


def _parting(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, pair in pairs if pair[0] != pair[1]), -1)
