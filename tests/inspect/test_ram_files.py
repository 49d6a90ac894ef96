"""Bytes of guest RAM from files beside a map."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guestmap.base import ConfigError
from guestmap.inspect.ask.ram_files import RamFile, RamFiles, RamPiece, read_pieces
from guestmap.inspect.ask.ram_place import RamPlace
from guestmap.inspect.ask.ram_ranges import RamRange, RamTable
from tests.support.program import run_program
from tests.support.qemu import Qemu

# Block "low" shows at 0 and, from its byte 100h on, at 1000h, "high" at 1100h; 1200h is a hole.
_TABLE = RamTable(
    "memory",
    (
        RamRange(0, 0x100, "low", "ram", RamPlace("low", 0, None), False),
        RamRange(0x1000, 0x1100, "low", "rom", RamPlace("low", 0x100, None), False),
        RamRange(0x1100, 0x1200, "high", "ram", RamPlace("/dev/x/high", 0x10, None), False),
    ),
)


@pytest.fixture
def files(tmp_path: Path) -> RamFiles:
    (tmp_path / "low").write_bytes(bytes(range(256)) + bytes(255 - n for n in range(256)))
    (tmp_path / "high").write_bytes(b"\xaa" * 0x20)
    return RamFiles.parse([f"low={tmp_path / 'low'}", f"high={tmp_path / 'high'}"])


def test_a_range_over_two_blocks_is_two_pieces(files, tmp_path):
    pieces = files.pieces(_TABLE, 0x10FE, 6)
    assert pieces == (
        RamPiece(0x10FE, 0x1100, "low", 0x1FE, str(tmp_path / "low"), 0x1FE),
        RamPiece(0x1100, 0x1104, "/dev/x/high", 0x10, str(tmp_path / "high"), 0x10),
    )
    assert read_pieces(pieces) == bytes([1, 0]) + b"\xaa" * 4


def test_a_byte_is_read_from_where_it_lies(files):
    assert read_pieces(files.pieces(_TABLE, 0x42, 1)) == b"\x42"
    assert read_pieces(files.pieces(_TABLE, 0x1042, 1)) == bytes([255 - 0x42])


@pytest.mark.parametrize(
    ("start", "size", "words"),
    [(0x11F0, 0x20, "no memory at 0x1200"), (0x80, 0x100, "no memory at 0x100"),
     (0x2000, 1, "no memory at 0x2000")],
)  # fmt: skip
def test_a_hole_is_named(files, start, size, words):
    with pytest.raises(ConfigError, match=words):
        files.pieces(_TABLE, start, size)


def test_a_block_without_a_file_is_named():
    with pytest.raises(ConfigError, match=r"'/dev/x/high'.*add --ram"):
        RamFiles({"low": RamFile(Path("x"))}).pieces(_TABLE, 0x1100, 1)


def test_a_file_that_is_too_short_is_told(files):
    with pytest.raises(
        ConfigError,
        match="ends at 0x20; 0x1100 is byte 0x10 of /dev/x/high, which is byte 0x10 of the",
    ):
        read_pieces(files.pieces(_TABLE, 0x1100, 0x11))


def test_a_file_that_ends_long_before_is_told_with_its_own_end(tmp_path):
    (tmp_path / "short").write_bytes(bytes(0x30))
    files = RamFiles.parse([f"low={tmp_path / 'short'},offset=4K"])
    with pytest.raises(ConfigError, match=r"ends at 0x30; 0x10 is .* byte 0x1010"):
        read_pieces(files.pieces(_TABLE, 0x10, 1))


@pytest.mark.parametrize("text", ["pc.ram", "=file", "pc.ram=", "pc.ram=,offset=2"])
def test_what_names_no_file_is_refused(text):
    with pytest.raises(ConfigError, match="BLOCK=FILE"):
        RamFiles.parse([text])


def test_a_block_may_begin_later_in_its_file(tmp_path):
    (tmp_path / "a,b").write_bytes(bytes(0x110) + b"\x11\x22")
    (piece,) = RamFiles.parse([f"low={tmp_path / 'a,b'},offset=0x100"]).pieces(_TABLE, 0x10, 2)
    assert (piece.offset, piece.file_offset) == (0x10, 0x110)
    assert read_pieces((piece,)) == b"\x11\x22"


@pytest.mark.parametrize("offset", ["", "x", "-1", "1.5"])
def test_what_is_no_offset_is_refused(offset):
    with pytest.raises(ConfigError, match="offset"):
        RamFiles.parse([f"low=file,offset={offset}"])


def test_no_file_is_larger_than_its_host_can_have_them():
    files = RamFiles({"low": RamFile(Path("x"), (1 << 63) - 0x10)})
    with pytest.raises(ConfigError, match="no file is that large"):
        read_pieces(files.pieces(_TABLE, 0x10, 1))


@pytest.mark.qemu
def test_the_file_of_a_real_machine_has_what_was_written_there(tmp_path):
    # RAM above 4 GiB goes on in the file where the part below the hole ends.
    size, above = (3584 + 8) << 20, 0x1_0000_0000
    file = tmp_path / "guest.ram"
    backend = f"memory-backend-file,id=ram,size={size},share=on,mem-path={file}"
    memory = ["-m", str(size >> 20), "-machine", "memory-backend=ram", "-object", backend]
    with Qemu(*memory) as qemu:
        (tmp_path / "map").write_text(qemu.hmp("info mtree"))
        for number, address in enumerate((0x9000, above + 0x123)):
            data = bytes((number, 0x12, 0x34, 0x56))
            qemu.write(address, data)
            words = ["read", str(tmp_path / "map"), hex(address), "4", "--ram", f"ram={file}"]
            told = json.loads(run_program(*words, "--json").stdout)
            assert bytes.fromhex(told["hex"]) == data
            assert told["places"][0]["block"] == "ram"
