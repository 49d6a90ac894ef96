"""Recorded output of a real QEMU, as a folder or as the archive it came in.

Looked for in ``GUESTMAP_CORPUS``, else in ``shared/corpus`` beside the checkout: a folder that
holds a folder or an archive for each version (``7.2``, ``qemu-11.1.tar.xz``), or the corpus of 7.2
itself.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tarfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[2]
SHARES = (8, pytest.param(1, marks=pytest.mark.long))
"""Of so many recordings one is held in ``make test``; and all of them in ``make test-long``."""


def in_share(place: str, every: int) -> bool:
    """Tell whether a recording is one of each ``every``: always the same, spread over all."""
    return zlib.crc32(place.encode()) % every == 0


def least(whole: int, every: int) -> float:
    """Return how many there are at least in a share, of so many in the whole."""
    return whole if every == 1 else 0.6 * whole / every


@dataclass(frozen=True)
class Corpus:
    """A place with recordings below it: ``path`` is a folder or a tar archive."""

    path: Path

    def files(self, suffix: str, *, below: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield (path inside, content) of each file whose name ends so, below a folder."""
        if self.path.is_dir():
            for file in sorted((self.path / below).rglob(f"*{suffix}")):
                if file.is_file():
                    yield str(file.relative_to(self.path)), file.read_bytes()
            return
        with tarfile.open(self.path, "r|*") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if name.startswith(below) and name.endswith(suffix) and member.isfile():
                    stream = archive.extractfile(member)
                    yield name, stream.read() if stream else b""


def find_corpus(version: str = "7.2") -> Corpus | None:
    """Return the corpus of a version of QEMU, or None where there is none."""
    named = os.environ.get("GUESTMAP_CORPUS")
    place = Path(named) if named else CHECKOUT.parent / "shared" / "corpus"
    if place.is_file() or (place / "vectors").is_dir():
        return Corpus(place) if version == "7.2" else None
    if (place / version).is_dir():
        return Corpus(place / version)
    archives = sorted(place.glob(f"*{version}*.tar.xz"))
    return Corpus(archives[0]) if archives else None


@contextmanager
def unpacked(archive: Path, folder: Path) -> Iterator[Corpus]:
    """Have an archive unpacked: by the first who asks, for all workers that name this folder.

    The last of them takes it away.
    """
    users = folder.with_name(f"{folder.name}.users")
    with _alone_with(users) as file:
        if not file.read():
            with tarfile.open(archive) as inside:
                safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # 3.11.4
                inside.extractall(folder, **safely)
        file.write("+")
    try:
        yield Corpus(folder)
    finally:
        with _alone_with(users) as file:
            left = file.read()[1:]
            file.truncate(0)
            file.write(left)
            if not left:
                shutil.rmtree(folder)


@contextmanager
def _alone_with(path: Path) -> Iterator[IO[str]]:
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file
