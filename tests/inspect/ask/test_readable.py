"""What may be read of a map, and what is refused because a read is an access."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.inspect import Snapshot
from guestmap.inspect.ask.readable import LIMIT, readable
from tests.inspect.snapshots import Builder


def board() -> Snapshot:
    """RAM, ROM behind it, a UART, a host device's memory, and holes."""
    tree = Builder()
    root = tree.container("system", 0, 0x10_0000_0000)
    tree.region("ram", 0, 0x1000, into=root, type="ram")
    tree.region("rom", 0x1000, 0x1000, into=root, type="rom", readonly=True)
    tree.region("uart", 0x2000, 0x10, into=root)
    tree.region("bar", 0x3000, 0x1000, into=root, type="ramd")
    tree.region("large", 0x1000_0000, 0x1000_0000, into=root, type="ram")
    tree.space("memory", root)
    return tree.snapshot()


def test_memory_is_read_across_its_borders() -> None:
    assert [each.name for each in readable(board(), 0xFF0, 0x20)] == ["ram", "rom"]
    assert [each.name for each in readable(board(), 0x1000, 0x1000)] == ["rom"]


@pytest.mark.parametrize(
    ("start", "size", "words"),
    [
        (0x1FFF, 2, "0x2000 is not memory: uart answers .*the 1 bytes before it"),
        (0x2004, 1, "0x2004 is not memory: uart"),
        (0x3000, 1, "0x3000 is not memory: bar answers .ramd"),
        (0x2800, 1, "nobody answers at 0x2800"),
        (0, 0, "cannot read 0 bytes"),
        (0x1000_0000, LIMIT + 1, "1 byte to 16 MiB"),
        ((1 << 64) - 1, 2, "below 2.64"),
    ],
)
def test_what_is_no_memory_is_refused(start: int, size: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        readable(board(), start, size)


def test_a_device_is_read_where_somebody_says_so_and_a_hole_never() -> None:
    assert [each.name for each in readable(board(), 0x1FF0, 0x20, devices=True)] == ["rom", "uart"]
    with pytest.raises(ConfigError, match="nobody answers at 0x2010"):
        readable(board(), 0x2000, 0x20, devices=True)
