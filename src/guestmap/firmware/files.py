"""Reading a file that the user names, whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, HostError, format_size

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 1 << 16


def read_file(path: Path, what: str, largest: int) -> bytes:
    """Return the content of a regular file.

    Args:
        path: the file.
        what: the beginning of every refusal.
        largest: bytes that it may have.

    Raises:
        ConfigError: it does not exist, is no regular file, or is too large.
        HostError: the operating system would not let us read it.
    """
    try:
        if path.exists() and not path.is_file():  # opening a FIFO would wait for a writer
            raise ConfigError(f"{what}: not a regular file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(min(size, largest) + 1)  # no more: so much is reserved beforehand
            while len(data) <= largest and (more := file.read(_BLOCK)):  # /proc tells no sizes
                data += more
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise ConfigError(f"{what}: No such file or directory") from None
    except OSError as error:
        raise HostError(what, errno=error.errno, call="open", arguments=str(path)) from error
    if len(data) > largest:
        raise ConfigError(f"{what}: it has more than {format_size(largest)}")
    return data
