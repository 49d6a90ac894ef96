"""What a guest pays to read an IDE disk by bus-master DMA, beside QEMU's TCG.

One firmware on both machines, which reads a MiB with each command; of few commands and of 64 more,
the difference.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import spent
from benchmarks.qemu import MACHINE, PROGRAM
from benchmarks.table import Row
from guestmap.base import MIB
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.machine.options.drive import DriveSpec
from guestmap.testing.guests import assemble

ROUNDS = 3
_COMMANDS = 2, 66
_SOURCE = """
        org 0
        bits 16
        times 0x100 db 0xf4
start:  cli
        xor ax, ax
        mov ds, ax
        mov si, set_up
        mov cx, 2
.pci:   mov dx, 0xcf8
        mov eax, [cs:si]
        out dx, eax
        mov dx, 0xcfc
        mov eax, [cs:si+4]
        out dx, eax
        add si, 8
        loop .pci
        mov di, 0x1000                  ; 16 pieces of 64 KiB, all at one place
        mov cx, 16
.piece: mov dword [di], 0x20000
        mov dword [di+4], 0
        add di, 8
        loop .piece
        mov dword [di-4], 0x80000000
        xor ebx, ebx
        mov bp, COMMANDS
next:   mov dx, 0xc000
        xor al, al
        out dx, al
        mov dx, 0xc004
        mov eax, 0x1000
        out dx, eax
        mov dx, 0xc002
        mov al, 6
        out dx, al
        mov dx, 0x1f2                   ; 2048 sectors
        mov al, 8
        out dx, al
        xor al, al
        out dx, al
        inc dx
        out dx, al
        mov al, bl
        out dx, al
        inc dx
        xor al, al
        out dx, al
        mov al, bh
        out dx, al
        inc dx
        xor al, al
        out dx, al
        mov eax, ebx
        shr eax, 16
        out dx, al
        inc dx
        mov al, 0xe0
        out dx, al
        inc dx
        mov al, 0x25                    ; READ DMA EXT
        out dx, al
        mov dx, 0xc000
        mov al, 9
        out dx, al
        mov dx, 0xc002
.wait:  in al, dx
        test al, 4
        jz .wait
        mov dx, 0x1f7
        in al, dx
        add ebx, 2048
        dec bp
        jnz next
        mov dx, 0x402
        mov al, 'E'
        out dx, al
        cli
        hlt
set_up: dd 0x80000920, 0xc001, 0x80000904, 5
        times 0xfff0-($-$$) db 0xf4
        jmp 0xf000:start
        times 0x10000-($-$$) db 0xf4
"""


def rows() -> list[Row]:
    """Return the processor time of 64 MiB, best of 3."""
    ours: list[list[float]] = [[], []]
    theirs: list[list[float]] = [[], []]
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        with disk.open("wb") as file:
            file.truncate(_COMMANDS[1] * MIB)
        images = [_firmware(Path(folder), count) for count in _COMMANDS]
        for _ in range(ROUNDS):
            for n, image in enumerate(images):
                ours[n].append(_ours(image, disk))
                if PROGRAM:
                    theirs[n].append(_qemu(image, disk))
    peer = min(theirs[1]) - min(theirs[0]) if PROGRAM else None
    return [Row("64 MiB of an IDE disk by DMA", min(ours[1]) - min(ours[0]), peer)]


def _firmware(folder: Path, count: int) -> Path:
    source = folder / "read.asm"
    source.write_text(_SOURCE.replace("COMMANDS", str(count)))
    image = folder / f"read-{count}.bin"
    image.write_bytes(assemble(source))
    return image


def _ours(image: Path, disk: Path) -> float:
    drives = (DriveSpec(disk, index=0),)
    config = MachineConfig(ram_size=16 * MIB, bios=image, debugcon=True, drives=drives)
    with VirtualMachine(config) as vm:
        begin = time.process_time()
        vm.run()
        return time.process_time() - begin


def _qemu(image: Path, disk: Path) -> float:
    assert PROGRAM is not None
    log, log_end = os.pipe()
    command = [PROGRAM, *MACHINE, "-m", "16M", "-bios", str(image),
               "-drive", f"file={disk},format=raw,if=ide",
               "-chardev", f"file,id=d,path=/dev/fd/{log_end}",
               "-device", "isa-debugcon,iobase=0x402,chardev=d"]  # fmt: skip
    with subprocess.Popen(command, pass_fds=(log_end,), stdin=subprocess.DEVNULL) as process:
        os.close(log_end)
        os.read(log, 1)
        seconds = spent.of_process(process.pid)
        process.kill()
    os.close(log)
    return seconds
