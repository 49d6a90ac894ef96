"""Finding and reading the firmware image.

Nothing is bundled: SeaBIOS comes from the distribution, or from wherever the user says.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from guestmap.base import KIB, MIB, ConfigError, HostError, format_size

BIOS_NAME = "bios-256k.bin"
"""SeaBIOS as QEMU's pc machines since 2.0 use it."""

BIOS_VARIABLE = "GUESTMAP_BIOS"
"""Environment variable that names the image, or a directory that holds ``bios-256k.bin``."""

BIOS_DIRECTORIES = (
    Path("/usr/share/seabios"),
    Path("/usr/share/qemu"),
    Path("/usr/local/share/qemu"),
    Path("/usr/share/qemu-kvm"),
    Path("/usr/share/kvm"),
    Path("/usr/lib/xen/boot"),
    Path("/opt/homebrew/share/qemu"),
)
"""Where distributions put it, in the order they are tried."""

BIOS_UNIT = 64 * KIB
"""An image is a whole number of these (QEMU's rule)."""

BIOS_LIMIT = 16 * MIB
"""Largest image: it ends at 4 GiB, and the local APICs' page lies 18 MiB below that."""


def find_bios(
    path: str | os.PathLike[str] | None = None,
    *,
    name: str = BIOS_NAME,
    environ: Mapping[str, str] = os.environ,
    directories: Sequence[Path] = BIOS_DIRECTORIES,
) -> Path:
    """Return where the BIOS image is.

    Args:
        path: the user's choice: a file, or a directory that holds ``name``.
        name: what the board's image is called.
        environ: the environment; ``GUESTMAP_BIOS`` is asked where there is no ``path``.
        directories: searched where there is neither.

    Raises:
        ConfigError: there is none; the message lists where it was looked for.
    """
    for chosen, source in ((path, "the given path"), (environ.get(BIOS_VARIABLE), BIOS_VARIABLE)):
        if chosen:
            return _chosen(Path(chosen), source, name)
    for directory in directories:
        candidate = directory / name
        if candidate.is_file():
            return candidate
    places = "".join(f"\n  {directory / name}" for directory in directories)
    raise ConfigError(
        f"no SeaBIOS image found. Looked for:{places}\n"
        f"Install the package seabios, or name the file with --bios FILE or {BIOS_VARIABLE}."
    )


def _chosen(path: Path, source: str, name: str) -> Path:
    if os.path.isdir(path):  # unlike Path's own questions, these two never raise
        if not os.path.exists(path / name):
            raise ConfigError(f"BIOS image {name} does not exist in the folder {path} ({source})")
        path /= name
    if not os.path.exists(path):
        raise ConfigError(f"BIOS image {path} ({source}) does not exist")
    return path


def load_bios(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a BIOS image.

    Raises:
        ConfigError: not a file, empty, not a multiple of 64 KiB, or more than 16 MiB.
        HostError: the operating system would not let us read it.
    """
    name = os.fspath(path)
    try:
        status = os.stat(name)  # before it is opened: opening a FIFO waits for a writer
        if stat.S_ISDIR(status.st_mode):
            raise ConfigError(f"BIOS image {name} is a directory")
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"BIOS image {name} is not a regular file")
        _check_size(name, status.st_size)
        with open(name, "rb") as file:
            data = file.read(BIOS_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise ConfigError(f"BIOS image {name!r} does not exist") from None
    except OSError as error:
        raise HostError(
            f"cannot read BIOS image {name}", errno=error.errno, call="open", arguments=name
        ) from error
    _check_size(name, len(data))
    return data


def seabios_version(image: bytes) -> str:
    """Return the version that SeaBIOS's own build left in an image (``1.16.2``); "" of another."""
    if b"SeaBIOS (version " not in image:
        return ""
    found = re.findall(rb"(\d+\.\d+\.\d+)-[\w.+~-]+\x00", image)
    return found[-1].decode() if found else ""


def _check_size(name: str, size: int) -> None:
    if size == 0:
        raise ConfigError(f"BIOS image {name} is empty")
    if size > BIOS_LIMIT:
        raise ConfigError(
            f"BIOS image {name} has {format_size(size)}; at most {format_size(BIOS_LIMIT)} fit"
            " below 4 GiB"
        )
    if size % BIOS_UNIT:
        raise ConfigError(
            f"BIOS image {name} has {size} bytes, which is not a multiple of 64 KiB:"
            " it is cut short, or not a BIOS"
        )
