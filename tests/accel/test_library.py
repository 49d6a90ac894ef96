"""What tells one build of the library from another."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from guestmap.accel.unicorn.internals.library import Library, build_id

pytestmark = pytest.mark.unicorn

ABI_TAG, BUILD_ID = 1, 3
ID = bytes(range(0x30, 0x44))


def note(kind: int, name: bytes, content: bytes) -> bytes:
    """Return a note: three words, then name and content, each filled up to a multiple of 4."""
    filled = [each + bytes(-len(each) % 4) for each in (name, content)]
    return struct.pack("<III", len(name), len(content), kind) + b"".join(filled)


GNU = note(BUILD_ID, b"GNU\0", ID)


@pytest.mark.parametrize(
    ("notes", "found"),
    [
        (b"", b""),
        (GNU, ID),
        (note(ABI_TAG, b"GNU\0", bytes(16)) + GNU, ID),
        (note(BUILD_ID, b"stapsdt\0", b"abc") + GNU, ID),
        (note(ABI_TAG, b"GNU\0", b"abcde") + GNU, ID),
        (note(7, b"Go\0", b"") + note(7, b"other\0", b"x") + GNU, ID),
        (GNU + note(BUILD_ID, b"GNU\0", b"later"), ID),
        (note(BUILD_ID, b"GNU\0", b"odd"), b"odd"),
        (note(ABI_TAG, b"GNU\0", ID), b""),
        (note(BUILD_ID, b"GNU", ID), b""),
        (note(BUILD_ID, b"", ID), b""),
        (GNU[:11], b""),
        (note(4, b"GNU\0", b"") + GNU[:11], b""),
    ],
)
def test_the_build_id_is_found_among_notes(notes: bytes, found: bytes) -> None:
    assert build_id(notes) == found


def test_the_library_is_the_file_that_is_mapped() -> None:
    found = Library()
    maps = Path("/proc/self/maps").read_text().splitlines()
    (first,) = (line.split() for line in maps if line.startswith(f"{found.base:x}-"))
    assert Path(first[5]).samefile(found.path)


def test_addresses_of_the_dynamic_section_are_relocated_or_not() -> None:
    """By glibc they are, by musl not."""
    found = Library()
    for offset in (0, 0x1234):
        assert found._absolute(found.base + offset) == found.base + offset
        assert found._absolute(offset) == found.base + offset
