"""No name of a map reaches a terminal or a page with what controls it, wherever it stands."""

from __future__ import annotations

from collections import defaultdict

import pytest

from guestmap.inspect import RangeInfo, Snapshot
from guestmap.inspect.map.printable import with_printable_texts
from guestmap.inspect.map.snapshot import (
    DispatchInfo,
    DispatchSection,
    RamBlockInfo,
    ViewInfo,
    ViewUser,
)
from tests.inspect.snapshots import Builder

BAD, SHOWN = "a\x1b]0;x\x07b", "a\\x1b]0;x\\x07b"
PLACES = (
    "source", "version", "region", "owner", "space", "block", "view", "user", "user's root",
    "user's alias", "range", "range's owner", "accelerator", "section", "mark", "section's alias",
)  # fmt: skip


def _snapshot(**given: str) -> Snapshot:
    """Return a map in which a place has a text of its own, and all others a plain one."""
    text = defaultdict(lambda: "plain", given)
    tree = Builder()
    root = tree.container("root", 0, 1 << 64)
    tree.region(text["region"], 0, 0x1000, into=root, type="ram", owner=text["owner"])
    tree.space(text["space"], root)
    section = DispatchSection(0, 0x1000, text["section"], (text["mark"],), text["section's alias"])
    view = ViewInfo(
        (ViewUser(text["user"], text["user's root"], text["user's alias"]),),
        text["view"],
        (RangeInfo(0, 0x1000, 0, "ram", text["range"], owner=text["range's owner"],
                   accelerator=(text["accelerator"],), region=1),),
        DispatchInfo((section,), (), 0, 0),
        root,
    )  # fmt: skip
    blocks = (RamBlockInfo(text["block"], 0, 0x1000, 0x1000),)
    return tree.snapshot(
        views=(view,), ram_blocks=blocks, source=text["source"], version=text["version"]
    )


@pytest.mark.parametrize("place", PLACES)
def test_what_is_named_is_shown_visibly(place: str) -> None:
    assert with_printable_texts(_snapshot(**{place: BAD})) == _snapshot(**{place: SHOWN})


def test_a_map_without_such_a_name_is_the_same_object() -> None:
    plain = _snapshot()
    assert with_printable_texts(plain) is plain
