"""The index of a saved machine: pieces, blocks and their data, at both sides of each limit."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest

from guestmap.base import PeerError
from guestmap.machine.saved.content import (
    LARGEST_PIECE,
    PAGE,
    SavedBlock,
    SavedMachine,
    SavedPiece,
    check,
)
from guestmap.machine.saved.format import VERSION

HELD = "^RAM block 'ram' of 0x4000 bytes holds memory up to"
OVERLAPS = "^RAM block 'ram': a piece at 0x{:x} overlaps$"


def block(*places: tuple[int, int], used: int = 4 * PAGE, largest: int = 4 * PAGE) -> SavedBlock:
    """Return a block whose pieces have 10 bytes of data each."""
    return SavedBlock("ram", used, largest, [SavedPiece(*each, 10) for each in places])


@pytest.mark.parametrize("fine", [
    block(), block((0, PAGE)), block((0, 4 * PAGE)), block((3 * PAGE, PAGE)),
    block((0, PAGE), (PAGE, PAGE)), block((0, PAGE), (2 * PAGE, 2 * PAGE)),
    block((0, PAGE), largest=8 * PAGE), block(used=0, largest=0),
    block((0, LARGEST_PIECE), used=LARGEST_PIECE, largest=LARGEST_PIECE),
])  # fmt: skip
def test_pieces_may_touch_each_other_and_the_end(fine: SavedBlock) -> None:
    fine.check()
    check([fine], 10 * len(fine.pieces))


@pytest.mark.parametrize(("wrong", "refusal"), [
    (block((1, PAGE)), OVERLAPS.format(1)),
    (block((PAGE - 1, PAGE)), OVERLAPS.format(PAGE - 1)),
    (block((0, 2 * PAGE), (PAGE, PAGE)), OVERLAPS.format(PAGE)),
    (block((PAGE, PAGE), (0, PAGE)), OVERLAPS.format(0)),
    (block((PAGE, PAGE), (PAGE, PAGE)), OVERLAPS.format(PAGE)),
    (block((4 * PAGE, PAGE)), f"{HELD} 0x5000$"),
    (block((3 * PAGE, 2 * PAGE)), f"{HELD} 0x5000$"),
    (block((3 * PAGE, 2 * PAGE), largest=8 * PAGE), f"{HELD} 0x5000$"),
    (block(largest=4 * PAGE - 1), f"{HELD} 0x0$"),
])  # fmt: skip
def test_pieces_that_are_no_parts_of_the_block(wrong: SavedBlock, refusal: str) -> None:
    with pytest.raises(PeerError, match=refusal):
        wrong.check()
    with pytest.raises(PeerError, match=refusal):
        check([wrong], 10 * len(wrong.pieces))


@pytest.mark.parametrize("length", [0, 19, 21])
def test_the_data_is_all_of_the_pieces(length: int) -> None:
    two = block((0, PAGE), (PAGE, PAGE))
    check([two], 20)
    with pytest.raises(PeerError, match=f"^its memory is {length} bytes, where the index has 20$"):
        check([two], length)


def test_blocks_have_names_of_their_own() -> None:
    other = SavedBlock("rom", PAGE, PAGE, [SavedPiece(0, PAGE, 5)])
    check([block((0, PAGE)), other], 15)
    with pytest.raises(PeerError, match=r"^RAM block 'ram' is there twice$"):
        check([block(), other, block()], 5)


INDEX = {6: "00883caf5b1a4b3d"}
"""The format's version, and a checksum of what an index of it holds."""


def test_another_index_is_another_version() -> None:
    """Who changes what is saved of every machine gives the format a new number, and writes it here.

    A device's state is none of this: what a file does not say of it is as after power-on.
    """
    schema = msgspec.json.schema(SavedMachine, schema_hook=lambda _: {"type": "string"})
    text = json.dumps(_plain(schema), sort_keys=True)
    assert {VERSION: hashlib.blake2b(text.encode(), digest_size=8).hexdigest()} == INDEX


def _plain(schema: Any) -> Any:
    """Leave out what is for people."""
    if isinstance(schema, dict):
        return {k: _plain(v) for k, v in schema.items() if k not in {"title", "description"}}
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema
