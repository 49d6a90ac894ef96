"""What is no map is known from its beginning, and is not read to its end."""

from __future__ import annotations

import io

import pytest

from guestmap.base import GIB, KIB, PeerError
from guestmap.inspect.sources.content import read_bounded

ELF = b"\x7fELF\x02\x01\x01"
NEVER_WRITTEN = {"RAM": b"\0", "flash": b"\xff"}


class Huge(io.RawIOBase):
    """A file of so many bytes, all alike after its beginning, that counts what is read of it."""

    def __init__(self, size: int, fill: bytes, beginning: bytes = b"") -> None:
        self._left = size
        self._fill = fill
        self._beginning = beginning
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        size = self._left if size < 0 else min(size, self._left)
        self._left -= size
        self.given += size
        begun, self._beginning = self._beginning, b""
        return (begun + self._fill * size)[:size]


@pytest.mark.parametrize("beginning", [b"", ELF, b"(qemu) info mtree\n"])
@pytest.mark.parametrize("fill", NEVER_WRITTEN.values(), ids=NEVER_WRITTEN)
def test_of_binary_content_the_beginning_is_read(fill: bytes, beginning: bytes) -> None:
    stream = Huge(3 * GIB, fill, beginning)
    with pytest.raises(PeerError, match="is binary: expected a snapshot in JSON"):
        read_bounded(stream, source="a.bin")
    assert stream.given <= 64 * KIB


def test_a_list_in_json_is_known_by_its_beginning() -> None:
    stream = Huge(3 * GIB, b" ", b' \n[ {"name": "a"}')
    with pytest.raises(PeerError, match="is JSON, but a list"):
        read_bounded(stream, source="a.json")
    assert stream.given <= 64 * KIB


def test_text_is_read_whole_and_ends_where_no_map_is_so_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = b"address-space: memory\n" * 10_000
    assert read_bounded(io.BytesIO(text), source="a.txt") == text
    monkeypatch.setattr("guestmap.inspect.sources.content.LARGEST", 256 * KIB)
    stream = Huge(3 * GIB, b"x")
    with pytest.raises(PeerError, match="is larger than 256 KiB: no map is"):
        read_bounded(stream, source="a.txt")
    assert stream.given <= 320 * KIB
