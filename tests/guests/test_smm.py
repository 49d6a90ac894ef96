"""A firmware that uses system management mode, on both machines: it tells the same, byte for byte.

What its handler finds in the save area, in each mode of the CPU, is among that.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from guestmap.base import MIB
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.testing.guests.rom import assemble
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.nasm, pytest.mark.unicorn]

_SOURCE = Path(__file__).parent / "firmware" / "smm.asm"
_AREA = 0x200
_LAST = b"E"
_RUNS = 9


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("smm") / "smm.bin"
    path.write_bytes(assemble(_SOURCE))
    return path


def told(firmware: Path, documented: bool, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Run it here; return what it tells."""
    monkeypatch.setenv("GUESTMAP_UNICORN", "documented" if documented else "internals")
    words = bytearray()
    config = MachineConfig(ram_size=16 * MIB, smm=True, debugcon=True, bios=firmware)
    with VirtualMachine(config) as vm:
        vm.board.on_debug_byte = words.append
        vm.run()  # until it halts for good
    return bytes(words)


def told_by_qemu(firmware: Path, folder: Path) -> bytes:
    """Run it there."""
    log = folder / "log"
    with Qemu(
        "-M", "pc-i440fx-7.2,smm=on", "-m", "16M", "-nodefaults", "-vga", "none",
        "-bios", str(firmware), "-chardev", f"file,id=d,path={log}",
        "-device", "isa-debugcon,iobase=0x402,chardev=d", machine=False, stopped=False,
    ) as qemu:  # fmt: skip
        while not log.exists() or not _is_whole(log.read_bytes()):  # or pytest's timeout ends it
            qemu.qmp("query-status")
        return log.read_bytes()


def _is_whole(text: bytes) -> bool:
    return text.endswith(_LAST) and len(text) > _RUNS * _AREA


@pytest.mark.qemu
@pytest.mark.parametrize("documented", [False, True], ids=["internals", "documented"])
def test_smm_is_qemus(firmware, tmp_path, monkeypatch, documented):
    ours = told(firmware, documented, monkeypatch)
    assert ours.count(b"<") >= _RUNS
    theirs = told_by_qemu(firmware, tmp_path)
    assert ours == theirs, f"they part at byte {_parting(ours, theirs)}"


def _parting(one: bytes, other: bytes) -> int:
    return next(
        (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), -1
    )
