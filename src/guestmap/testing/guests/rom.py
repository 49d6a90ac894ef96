"""An option ROM from assembly source: ``nasm`` assembles it, its length and checksums go in here.

The headers are those of the Plug and Play BIOS Specification 1.0A, section 3.2.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from guestmap.base import ConfigError, UnsupportedError

ASSEMBLER = "nasm"
_UNIT = 512
_MAX_UNITS = 128  # the header's byte could tell more, the 64 KiB of a segment could not hold it
_SIGNATURE = b"\x55\xaa"
_LENGTH_AT = 2
_HEADER_POINTER_AT = 0x1A
_HEADER_SIGNATURE = b"$PnP"
_HEADER_BYTES, _HEADER_CHECKSUM_AT = 32, 9


def assemble(source: Path) -> bytes:
    """Return the flat binary of a source file, which may include files of its own folder.

    Raises:
        UnsupportedError: there is no ``nasm`` on this host.
        ConfigError: the source has errors; the message has the assembler's words.
    """
    program = shutil.which(ASSEMBLER)
    if program is None:
        raise UnsupportedError(
            f"{source.name} needs the assembler {ASSEMBLER}, which is not here: install it"
            f" (apt-get install {ASSEMBLER}) and try again"
        )
    with tempfile.TemporaryDirectory(prefix="guestmap-") as folder:
        output = Path(folder) / "image"
        done = subprocess.run(
            [program, "-f", "bin", "-I", f"{source.parent}/", "-o", str(output), str(source)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ConfigError(f"{source} cannot be assembled: {done.stderr.strip()}")
        return output.read_bytes()


def option_rom(image: bytes) -> bytes:
    """Return an option ROM made from ``image``: padded, with its length and its checksums.

    Args:
        image: begins with the ROM's header (55h AAh); the byte for its length, and the checksum of
            its Plug and Play header, are free.

    Raises:
        ConfigError: the image has no such headers, or is larger than 64 KiB.
    """
    units = -(-(len(image) + 1) // _UNIT)  # one byte more, for the checksum
    header = int.from_bytes(image[_HEADER_POINTER_AT : _HEADER_POINTER_AT + 2], "little")
    if not image.startswith(_SIGNATURE) or not image.startswith(_HEADER_SIGNATURE, header):
        raise ConfigError("not the image of an option ROM with a Plug and Play header")
    if units > _MAX_UNITS:
        raise ConfigError(f"an option ROM of {len(image)} bytes is larger than 64 KiB")
    rom = bytearray(image.ljust(units * _UNIT, b"\0"))
    rom[_LENGTH_AT] = units
    rom[header + _HEADER_CHECKSUM_AT] = 0
    rom[header + _HEADER_CHECKSUM_AT] = -sum(rom[header : header + _HEADER_BYTES]) & 0xFF
    rom[-1] = -sum(rom) & 0xFF
    return bytes(rom)
