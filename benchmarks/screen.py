"""What a screen costs: a whole picture of a frame buffer, text that scrolls, memtest86+.

Each on both machines with the same guest, beside QEMU's TCG: processor time.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.hw.vga import modes
from tests.support.linux_guest import PARTS

from benchmarks import spent
from benchmarks.qemu import MACHINE, PROGRAM, QtestQemu
from benchmarks.table import Row
from guestmap.base import MIB
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.machine.options.drive import DriveSpec
from guestmap.machine.picture import encoded
from guestmap.testing.guests import assemble

ROUNDS = 3
_PICTURES = 2, 22
_LINES = 1, 1001
_WIDTH, _HEIGHT, _DEPTH = 640, 480, 32
_ADAPTER = "outl 0xcf8 0x80001010", "outl 0xcfc 0xfd000000", "outl 0xcf8 0x80001004", "outw 0xcfc 3"
"""What lets the memory of the adapter in slot 2 be seen at FD000000h."""
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FAR = re.compile(r"\[59\.\d+MB of ")
"""memtest86+ tests the upper of two parts of 64 MiB: all of the lower one was before."""
_TEXT = """
        org 0x7c00
        bits 16
start:  xor ax, ax
        mov ds, ax
        mov cx, LINES
.line:  mov si, words
.next:  lodsb
        test al, al
        jz .end
        mov ah, 0x0e
        mov bx, 7
        int 0x10
        jmp .next
.end:   loop .line
        mov dx, 0x402
        mov al, '!'
        out dx, al
        cli
        hlt
words:  db "A line as a boot loader writes it, of sixty characters or so", 13, 10, 0
        times 510-($-$$) db 0
        dw 0xaa55
"""


def rows() -> list[Row]:
    """Return processor times, best of 3."""
    return [_redraw(), *_text(), *_memtest()]


def _redraw() -> Row:
    """Return the time of one picture as a file, of a frame buffer in which all is new."""
    config = MachineConfig(ram_size=16 * MIB, vga="std")
    with tempfile.TemporaryDirectory() as folder, VirtualMachine(config, engine="none") as vm:
        file = Path(folder) / "screen.ppm"
        for command in _mode():
            word, where, *value = command.split()
            if word.startswith("out"):
                size = {"b": 1, "w": 2, "l": 4}[word[-1]]
                vm.board.io.store(int(where, 0), size, int(value[0], 0))
            else:
                vm.board.io.load(int(where, 0), 1)
        assert vm.board.display is not None
        memory = vm.board.display.memory
        size = _WIDTH * _HEIGHT * _DEPTH // 8
        best = float("inf")
        for number in range(_PICTURES[1]):
            memory[:size] = bytes([number + 1]) * size
            begin = time.process_time()
            picture = vm.board.picture()
            assert picture is not None
            file.write_bytes(encoded(picture, "ppm"))
            best = min(best, time.process_time() - begin)
        assert (picture.width, picture.height) == (_WIDTH, _HEIGHT)
        theirs = _qemus_redraw(file, size) if PROGRAM else None
    return Row("a picture of 640x480x32, all of it new, as a file", best, theirs)


def _mode() -> list[str]:
    return [*_ADAPTER, *modes.TEXT_80.commands(), *modes.frame_buffer(_WIDTH, _HEIGHT, _DEPTH)]


def _qemus_redraw(file: Path, size: int) -> float:
    """Return the same of QEMU; filling its memory over qtest is taken off."""
    with QtestQemu("-vga", "std") as qemu:
        for command in _mode():
            qemu.seconds_each([command], 1)
        times = []
        for shoots in (False, True):
            begin = spent.of_process(qemu.pid)
            for number in range(_PICTURES[1]):
                qemu.seconds_each([f"memset 0xfd000000 {size:#x} {number + 1:#x}"], 1)
                if shoots:
                    qemu.qmp("screendump", filename=str(file))
            times.append((spent.of_process(qemu.pid) - begin) / _PICTURES[1])
    return times[1] - times[0]


def _text() -> list[Row]:
    """Return the time of 1,000 lines that scroll, written through the VGA's BIOS.

    And what the VGA itself takes for them, beside all that QEMU's machine does.
    """
    ours: list[list[float]] = [[], []]
    theirs: list[list[float]] = [[], []]
    with tempfile.TemporaryDirectory() as folder:
        disks = [_disk(Path(folder), lines) for lines in _LINES]
        for _ in range(ROUNDS):
            for n, disk in enumerate(disks):
                ours[n].append(_our_text(disk))
                if PROGRAM:
                    theirs[n].append(_qemus_text(disk))
        parts = [_adapters_part(disk) for disk in disks]
    peer = min(theirs[1]) - min(theirs[0]) if PROGRAM else None
    what = "1,000 lines of text that scroll, by INT 10h"
    return [
        Row(what, min(ours[1]) - min(ours[0]), peer),
        Row(f"{what}: what the VGA does", parts[1] - parts[0], peer, "the peer: its CPU, too"),
    ]


def _adapters_part(disk: Path) -> float:
    """Return the time that the VGA takes for what a guest does to it, made again in a row."""
    made: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def noting(call: Callable[..., object] | None) -> Callable[..., object] | None:
        def note(*arguments: object) -> object:
            made.append((call, arguments))  # type: ignore[arg-type]
            return call(*arguments)  # type: ignore[misc]

        return call and note

    with VirtualMachine(_with_text(disk)) as vm:
        found = [vm.board.io.find(port) for port in range(0x3B4, 0x3DF)]
        ports = {each.region for each in found if each is not None and each.region.name == "vga"}
        assert vm.board.display is not None
        for region in (vm.board.display.window, *ports):
            ops = region.ops
            noted = replace(
                ops, read=noting(ops.read), write=noting(ops.write),
                write_run=noting(ops.write_run), move_run=noting(ops.move_run),
            )  # fmt: skip
            object.__setattr__(region, "ops", noted)  # before anybody has accessed it
        vm.run()
        best = float("inf")
        for _ in range(ROUNDS):
            begin = time.process_time()
            for call, arguments in made:
                call(*arguments)
            best = min(best, time.process_time() - begin)
    return best


def _disk(folder: Path, lines: int) -> Path:
    source, disk = folder / "text.asm", folder / f"text-{lines}"
    source.write_text(_TEXT.replace("LINES", str(lines)))
    disk.write_bytes(assemble(source).ljust(MIB, b"\0"))
    return disk


def _with_text(disk: Path) -> MachineConfig:
    drives = (DriveSpec(disk, index=0),)
    return MachineConfig(ram_size=16 * MIB, debugcon=True, vga="std", drives=drives)


def _our_text(disk: Path) -> float:
    with VirtualMachine(_with_text(disk)) as vm:
        begin = time.process_time()
        vm.run()
        return time.process_time() - begin


def _qemus_text(disk: Path) -> float:
    assert PROGRAM is not None
    command = [
        PROGRAM, *MACHINE, "-m", "16M", "-vga", "std", "-drive", f"file={disk},format=raw,if=ide",
        "-monitor", "none", "-chardev", "stdio,id=d",
        "-device", "isa-debugcon,iobase=0x402,chardev=d",
    ]  # fmt: skip
    return _until(command, re.compile("!"))


def _memtest() -> list[Row]:
    """Return the time that memtest86+ takes for 64 MiB; nothing where it is missing."""
    image = PARTS / "boot" / "memtest86+x64.bin"
    if not image.is_file():
        return []
    guest = ["-m", "64M", "-kernel", str(image), "-append", "console=ttyS0,115200"]
    ours = [sys.executable, "-m", "guestmap", "boot", "-q", "-M", "pc,smm=off",
            *(f"-{each}" if each in ("-kernel", "-append") else each for each in guest),
            "--serial", "stdio"]  # fmt: skip
    theirs = PROGRAM and [PROGRAM, *MACHINE, "-accel", "tcg", *guest, "-serial", "stdio",
                          "-monitor", "none"]  # fmt: skip
    rounds = [(_until(ours, _FAR), _until(theirs, _FAR) if theirs else None) for _ in range(2)]
    return [Row("memtest86+ over 64 MiB, to the end of a part", min(each[0] for each in rounds),
                min((each[1] for each in rounds if each[1]), default=None))]  # fmt: skip


def _until(command: list[str], wanted: re.Pattern[str]) -> float:
    """Return the processor time of a process until it has said something."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        text = ""
        while not wanted.search(text):
            piece = process.stdout.read1(4096)  # type: ignore[attr-defined]
            assert piece, f"{command[0]} ended: {text[-200:]!r}"
            text = _ESCAPE.sub(" ", text + piece.decode("latin-1"))
        seconds = spent.of_process(process.pid)
        process.kill()
    return seconds
