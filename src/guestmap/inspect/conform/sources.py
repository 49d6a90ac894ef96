"""Where recordings lie: files, folders, and archives that are read without unpacking."""

from __future__ import annotations

import gzip
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guestmap.base import HostError, PeerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class Found:
    """One JSON file: its path, and a function that reads it.

    ``named``: the caller gave this very path, it was not met in a folder or an archive.
    """

    path: str
    read: Callable[[], bytes]
    named: bool = False


def find_files(paths: Iterable[Path]) -> Iterator[Found]:
    """Yield every ``.json`` and ``.json.gz`` file, folders in the order of their names.

    Raises:
        HostError: a path is not there or cannot be read.
        PeerError: an archive is damaged.
    """
    for path in paths:
        if path.is_dir():
            for file in sorted(p for p in path.rglob("*") if _is_json(p.name) and p.is_file()):
                yield Found(str(file), _reader(file))
        elif path.name.endswith(_ARCHIVES):
            yield from _members(path)
        elif path.is_file():
            yield Found(str(path), _reader(path), named=True)
        else:
            raise HostError(f"{path}: no such file or folder")


def count_files(paths: Iterable[Path]) -> int | None:
    """Return how many files there are to look at; None where an archive would have to be read."""
    count = 0
    for path in paths:
        if path.name.endswith(_ARCHIVES):
            return None
        count += sum(_is_json(p.name) for p in path.rglob("*")) if path.is_dir() else 1
    return count


def _is_json(name: str) -> bool:
    return name.endswith((".json", ".json.gz"))


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return _unpacked(path.name, path.read_bytes())
        except OSError as error:
            raise HostError(f"cannot read {path}", errno=error.errno, call="open") from error

    return read


def _unpacked(name: str, data: bytes) -> bytes:
    if not name.endswith(".gz"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise PeerError(f"not gzip: {error}") from error


def _members(path: Path) -> Iterator[Found]:
    """Yield an archive's files as the stream comes by; each must be read before the next."""
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                if member.isfile() and _is_json(member.name):
                    stream = archive.extractfile(member)
                    data = stream.read() if stream else b""
                    yield Found(
                        f"{path}:{member.name}",
                        lambda name=member.name, data=data: _unpacked(name, data),  # type: ignore[misc]
                    )
    except OSError as error:
        raise HostError(f"cannot read {path}", errno=error.errno, call="open") from error
    except (tarfile.TarError, EOFError) as error:
        raise PeerError(f"{path} is not an archive that can be read: {error}") from error
