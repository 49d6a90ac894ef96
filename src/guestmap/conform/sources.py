"""Where recordings lie: files, folders, and archives that are read without unpacking.

A *capture* is a folder that holds ``info mtree`` texts of one machine at one moment.
"""

from __future__ import annotations

import gzip
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePath
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


@dataclass(frozen=True, slots=True)
class FoundCapture:
    """A folder with texts: its path, and a function that reads them, by name of the file."""

    path: str
    read: Callable[[], dict[str, bytes]]


def find_files(paths: Iterable[Path]) -> Iterator[Found | FoundCapture]:
    """Yield every ``.json`` and ``.json.gz`` file and every capture, in the order of their names.

    Raises:
        HostError: a path is not there or cannot be read.
        PeerError: an archive is damaged.
    """
    for path in paths:
        if path.is_dir():
            yield from _in_folder(path)
        elif path.name.endswith(_ARCHIVES):
            yield from _members(path)
        elif path.is_file():
            yield Found(str(path), _reader(path), named=True)
        else:
            raise HostError(f"{path}: no such file or folder")


def count_files(paths: Iterable[Path]) -> int | None:
    """Return how many files and captures there are; None where an archive would have to be read."""
    count = 0
    for path in paths:
        if path.name.endswith(_ARCHIVES):
            return None
        if path.is_dir():
            files = [p for p in path.rglob("*") if _is_json(p.name) or _is_text(p.name)]
            count += sum(_is_json(p.name) for p in files)
            count += len({p.parent for p in files if _is_text(p.name)})
        else:
            count += 1
    return count


def _in_folder(path: Path) -> Iterator[Found | FoundCapture]:
    files = [p for p in path.rglob("*") if (_is_json(p.name) or _is_text(p.name)) and p.is_file()]
    texts: dict[Path, list[Path]] = {}
    for file in files:
        if _is_text(file.name):
            texts.setdefault(file.parent, []).append(file)
    for place in sorted([*(p for p in files if _is_json(p.name)), *texts]):
        if place in texts:
            readers = {file.name: _reader(file) for file in texts[place]}
            yield FoundCapture(str(place), lambda r=readers: {n: read() for n, read in r.items()})  # type: ignore[misc]
        else:
            yield Found(str(place), _reader(place))


def _is_text(name: str) -> bool:
    return name.startswith("mtree") and name.endswith(".txt")


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


def _members(path: Path) -> Iterator[Found | FoundCapture]:
    """Yield an archive's files as the stream comes by; each must be read before the next."""
    folder, texts = "", dict[str, bytes]()
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                name = PurePath(member.name)
                if str(name.parent) != folder and texts:
                    yield FoundCapture(f"{path}:{folder}", texts.copy)
                    texts.clear()
                folder = str(name.parent)
                if not member.isfile() or not (_is_json(name.name) or _is_text(name.name)):
                    continue
                stream = archive.extractfile(member)
                data = stream.read() if stream else b""
                if _is_text(name.name):
                    texts[name.name] = data
                else:
                    yield Found(
                        f"{path}:{name}",
                        lambda name=member.name, data=data: _unpacked(name, data),  # type: ignore[misc]
                    )
    except OSError as error:
        raise HostError(f"cannot read {path}", errno=error.errno, call="open") from error
    except (tarfile.TarError, EOFError) as error:
        raise PeerError(f"{path} is not an archive that can be read: {error}") from error
    if texts:
        yield FoundCapture(f"{path}:{folder}", texts.copy)
