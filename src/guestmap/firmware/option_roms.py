"""Option ROMs that the user names: fw_cfg files below ``genroms/``, which SeaBIOS runs.

As QEMU's ``-option-rom`` (hw/core/loader.c): the file's own name is the file's name in fw_cfg, cut
to what fw_cfg can hold. Firmware asks for the signature 55h AAh, and for nothing of a file without.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from guestmap.base import MIB, ConfigError
from guestmap.firmware.files import read_file
from guestmap.firmware.images import BIOS_DIRECTORIES

DIRECTORY = "genroms/"
LARGEST = 16 * MIB
"""No more is read: of all option ROMs together firmware has room for less than 256 KiB."""

_MOST_NAME = 55
_NETWORK_ROMS = Path("/usr/lib/ipxe/qemu")


def _come_with(name: str) -> str:
    """Return what has a ROM, and how it is got."""
    if name.startswith("efi-"):
        return "iPXE (apt install ipxe-qemu)"
    return "SeaBIOS (apt install seabios)"


def load_rom(name: str, beside: Path | None) -> bytes:
    """Return the ROM that a PCI device brings along, as the distribution has it.

    Args:
        name: the file's.
        beside: the firmware, whose folder is looked into first.

    Raises:
        ConfigError: there is none, or it is too large.
        HostError: the operating system would not let us read it.
    """
    folders = (*(() if beside is None else (beside.parent,)), *BIOS_DIRECTORIES, _NETWORK_ROMS)
    found = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if found is None:
        raise ConfigError(f'failed to find romfile "{name}": it comes with {_come_with(name)}')
    return read_file(found, f"Could not open option rom '{found}'", LARGEST)


def option_rom_files(paths: Iterable[str | os.PathLike[str]]) -> dict[str, bytes]:
    """Return the fw_cfg files of option ROMs, by name.

    Raises:
        ConfigError: a file does not exist, is none, is too large, or two have one name.
        HostError: the operating system would not let us read it.
    """
    files: dict[str, bytes] = {}
    for path in paths:
        name = (DIRECTORY + Path(path).name)[:_MOST_NAME]
        if name in files:
            raise ConfigError(f"duplicate fw_cfg file name: {name}")
        if not name.isascii():
            raise ConfigError(f"option rom {str(path)!r}: firmware takes ASCII names only")
        files[name] = read_file(Path(path), f"Could not open option rom '{path}'", LARGEST)
    return files


def own_rom_files(name: str, beside: Path | None) -> dict[str, bytes]:
    """Return the fw_cfg file of an option ROM that QEMU brings along itself, where it is there.

    Args:
        name: the file's.
        beside: the firmware, whose folder is looked into first.

    Raises:
        HostError: the operating system would not let us read it.
    """
    try:
        return {DIRECTORY + name: load_rom(name, beside)}
    except ConfigError:
        return {}


def why_not_run(image: bytes) -> str:
    """Say why a PC's firmware does not run an image as an option ROM; "": it does.

    By the BIOS Boot Specification 1.01, appendix A: 55h AAh, the length in units of 512 bytes, and
    bytes that add up to a multiple of 256.
    """
    if image[:2] != b"\x55\xaa" or len(image) < 3:
        return "it does not begin with 55h AAh"
    length = image[2] * 512
    if not 0 < length <= len(image):
        return f"it says of itself that it has {length} bytes, and has {len(image)}"
    if sum(image[:length]) & 0xFF:
        return f"its first {length} bytes do not add up to a multiple of 256"
    return ""
