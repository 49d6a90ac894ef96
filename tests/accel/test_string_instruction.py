"""What REP MOVS and REP STOS look like, in each size of code."""

from __future__ import annotations

import pytest

from guestmap.accel.unicorn.state import DS, ES, FS
from guestmap.accel.unicorn.string_instruction import StringInstruction, decoded

_64 = 0xFFFFFFFFFFFFFFFF


@pytest.mark.parametrize(
    ("code", "bits", "found"),
    [
        ("f3a4", 16, (DS, 1, 0xFFFF, 2)),
        ("f3a5", 16, (DS, 2, 0xFFFF, 2)),
        ("f366a5", 16, (DS, 4, 0xFFFF, 3)),
        ("67f3aa", 16, (None, 1, 0xFFFFFFFF, 3)),
        ("26f3a5", 32, (ES, 4, 0xFFFFFFFF, 3)),
        ("66f3ab", 32, (None, 2, 0xFFFFFFFF, 3)),
        ("67f3a4", 32, (DS, 1, 0xFFFF, 3)),
        ("f348a5", 64, (DS, 8, _64, 3)),
        ("f348ab", 64, (None, 8, _64, 3)),
        ("f341ab", 64, (None, 4, _64, 3)),
        ("f366ab", 64, (None, 2, _64, 3)),
        ("6764f3a4", 64, (FS, 1, 0xFFFFFFFF, 4)),
    ],
)
def test_what_is_one(code: str, bits: int, found: tuple[int | None, int, int, int]) -> None:
    assert decoded(bytes.fromhex(code) + b"\x90", bits) == StringInstruction(*found)


@pytest.mark.parametrize(
    ("code", "bits"),
    [("a4", 32), ("f3a6", 32), ("f2a4", 32), ("48f3a5", 64), ("f348a5", 32), ("f3", 16), ("", 64)],
)
def test_what_is_none(code: str, bits: int) -> None:
    """REX stands right before the opcode, and means something else outside of 64-bit code."""
    assert decoded(bytes.fromhex(code), bits) is None
