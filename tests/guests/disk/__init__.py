"""Disks and discs that SeaBIOS boots from, made of assembly source."""

from __future__ import annotations

from pathlib import Path

from guestmap.testing.guests import assemble

_BLOCK = 2048
_HERE = Path(__file__).parent
SAYING = b"hello from block twenty"


def disk(name: str, size: int = 1 << 20) -> bytes:
    """Return a disk that begins with a boot sector of this folder."""
    return assemble(_HERE / f"{name}.asm").ljust(size, b"\0")


def disc() -> bytes:
    """Return a disc that boots by El Torito 1.0 without emulation; its blocks are 2048 bytes.

    Block 16 is ISO 9660's primary volume descriptor, 17 the boot record, 18 the end of those, 19
    the boot catalog; 20 holds a saying, and 21 the code.
    """
    blocks = {
        16: b"\x01CD001\x01",
        17: b"\x00CD001\x01" + b"EL TORITO SPECIFICATION".ljust(64, b"\0") + bytes((19, 0, 0, 0)),
        18: b"\xffCD001\x01",
        19: _validation() + _initial_entry(first=21),
        20: SAYING + b"\0",
        21: assemble(_HERE / "cdrom.asm"),
    }
    content = bytearray(64 * _BLOCK)
    for number, data in blocks.items():
        content[number * _BLOCK : number * _BLOCK + len(data)] = data
    return bytes(content)


def _validation() -> bytes:
    entry = bytearray(32)
    entry[0], entry[30], entry[31] = 1, 0x55, 0xAA
    words = sum(int.from_bytes(entry[at : at + 2], "little") for at in range(0, 32, 2))
    entry[28:30] = (-words & 0xFFFF).to_bytes(2, "little")
    return bytes(entry)


def _initial_entry(first: int) -> bytes:
    """Bootable, no emulation, segment 7C0h, four virtual sectors of 512 bytes."""
    return (b"\x88\0\0\0\0\0\x04\0" + first.to_bytes(4, "little")).ljust(32, b"\0")
