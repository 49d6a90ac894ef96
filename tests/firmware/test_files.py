from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from guestmap.base import GIB, ConfigError
from guestmap.firmware.files import read_file

if TYPE_CHECKING:
    from pathlib import Path


def test_a_small_file_takes_little_memory_however_large_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "initrd").write_bytes(b"small")
    tracemalloc.start()
    try:
        assert read_file(tmp_path / "initrd", "initrd", 4 * GIB) == b"small"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rom").write_bytes(bytes(101))
    assert len(read_file(tmp_path / "rom", "rom", 101)) == 101
    with pytest.raises(ConfigError, match="rom: it has more than"):
        read_file(tmp_path / "rom", "rom", 100)
