from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from guestmap.base import GIB, ConfigError
from guestmap.firmware.files import read_file


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


def test_a_file_that_tells_no_size_is_read_whole() -> None:
    path = Path("/proc/version")
    assert path.stat().st_size == 0
    text = read_file(path, "text", 1000)
    assert text == path.read_bytes()
    assert read_file(path, "text", len(text)) == text
    with pytest.raises(ConfigError, match="text: it has more than"):
        read_file(path, "text", len(text) - 1)
