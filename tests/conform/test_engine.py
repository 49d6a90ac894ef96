from __future__ import annotations

import gzip
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from guestmap.base import HostError, PeerError, UnsupportedError
from guestmap.conform import Differs, Equal, Unreadable, Unsupported, conform, count_files
from tests.conform.test_replay import OFF, VIEWS, SwitchMachine, step
from tests.conform.test_vectors import documented_example

if TYPE_CHECKING:
    from pathlib import Path

GOOD = json.dumps(documented_example(b_answers=True)).encode()
BAD = GOOD.replace(b'"offset_in_region", "owner"', b'"priority", "owner"')
QTEST = json.dumps({"cmdline": ["qemu", "-m", "1"], "views": VIEWS, "steps": [step(spaces=OFF)]})


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "a.json").write_bytes(GOOD)
    (tmp_path / "vectors" / "b.json.gz").write_bytes(gzip.compress(GOOD))
    (tmp_path / "vectors" / "c.json").write_bytes(GOOD[:-20])
    (tmp_path / "d.json").write_bytes(BAD)
    (tmp_path / "meta.json").write_text('{"arch": "x86"')
    (tmp_path / "notes.txt").write_text("no recording")
    (tmp_path / "q.json").write_text(QTEST)
    return tmp_path


def test_a_folder_is_walked_and_other_json_passed_over(recordings: Path) -> None:
    results = {each.path.rsplit("/", 1)[1]: type(each) for each in conform([recordings])}
    assert results == {
        "a.json": Equal,
        "b.json.gz": Equal,
        "c.json": Unreadable,
        "d.json": Differs,
        "q.json": Unsupported,
    }


@pytest.mark.parametrize("name", ["all.tar", "all.tar.xz", "all.tgz"])
def test_an_archive_is_read_without_unpacking(recordings: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    mode = {"all.tar": "w", "all.tar.xz": "w:xz", "all.tgz": "w:gz"}[name]
    with tarfile.open(path, mode) as archive:
        archive.add(recordings / "vectors", "vectors")
        archive.add(recordings / "meta.json", "meta.json")
    found = {each.path: type(each) for each in conform([path])}
    assert found == {
        f"{path}:vectors/a.json": Equal,
        f"{path}:vectors/b.json.gz": Equal,
        f"{path}:vectors/c.json": Unreadable,
    }
    assert count_files([path]) is None


TREE = """\
address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000001000-0000000000001fff (prio 0, i/o): box
      0000000000001000-0000000000001fff (prio 0, i/o): uart
    0000000000001800-0000000000001bff (prio 0, i/o): inner
"""
FLAT = """\
FlatView #0
 AS "memory", root: system
 Root memory region: system
  0000000000001000-0000000000001fff (prio 0, i/o): uart
"""


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    for folder in ("machines/arm/board", "x86/pc-cold"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "meta.json").write_text("{}")
        (tmp_path / folder / "mtree.txt").write_text(TREE)
        (tmp_path / folder / "mtree-f.txt").write_text(FLAT)
    return tmp_path


def _outcomes(path: Path, prefix: str) -> list[tuple[str, type, object, bool]]:
    return [
        (each.path.removeprefix(prefix), type(each), getattr(each, "how", None),
         getattr(each, "excused", False))
        for each in conform([path])
    ]  # fmt: skip


BOTH_WAYS = [
    ("machines/arm/board", Differs, "text alone", True),
    ("machines/arm/board", Equal, "with flat view", False),
    ("x86/pc-cold", Differs, "text alone", False),
    ("x86/pc-cold", Equal, "with flat view", False),
]


def test_a_capture_is_rebuilt_from_its_text_and_with_its_views(captures: Path) -> None:
    assert _outcomes(captures, f"{captures}/") == BOTH_WAYS
    first = next(iter(conform([captures])))
    assert "(text alone): AS 'memory'" in str(first)
    assert str(first).endswith("(not in the text: the order of what overlaps in 'system')")
    assert count_files([captures]) == 4  # with the two meta.json


def test_captures_in_an_archive(captures: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        archive.add(captures / "machines", "./machines")
        archive.add(captures / "x86", "./x86")
    assert _outcomes(path, f"{path}:") == BOTH_WAYS


def test_the_richest_text_is_taken(captures: Path) -> None:
    folder = captures / "x86" / "pc-cold"
    owned = TREE.replace(": uart", ": uart owner:{dev id=u}")
    newer = owned.replace("box\n", "box owner:{dev path=/machine/unattached/device[2]}\n")
    newer = newer.replace("inner\n", "inner owner:{dev path=/machine/unattached/device[1]}\n")
    (folder / "mtree-o.txt").write_text(newer)
    assert all(isinstance(each, Equal) for each in conform([folder]))


def test_a_capture_without_views_or_with_a_damaged_text(captures: Path) -> None:
    folder = captures / "x86" / "pc-cold"
    (folder / "mtree.txt").write_text(TREE.replace("(prio 0, i/o): box", "(prio 0, i/o) box"))
    (result,) = conform([folder])
    assert isinstance(result, Unreadable)
    assert "mtree.txt: info mtree text, line 3: expected" in result.reason
    (folder / "mtree-f.txt").unlink()
    (folder / "mtree.txt").write_text(TREE)
    (result,) = conform([folder])
    assert isinstance(result, Unsupported)
    assert "mtree-f-o.txt" in result.what


def test_a_qtest_recording_runs_on_the_machine_of_its_command_line(recordings: Path) -> None:
    asked: list[list[str]] = []

    def factory(command: list[str]) -> SwitchMachine:
        asked.append(command)
        return SwitchMachine()

    path = recordings / "q.json"
    assert list(conform([path], factory)) == [Equal(str(path))]
    assert asked == [["qemu", "-m", "1"]]


def test_a_device_we_lack_is_named(recordings: Path) -> None:
    def factory(command: list[str]) -> SwitchMachine:
        raise UnsupportedError("device cirrus-vga")

    path = recordings / "q.json"
    assert list(conform([path], factory)) == [Unsupported(str(path), "device cirrus-vga")]


def test_a_file_given_by_name_is_never_passed_over(recordings: Path) -> None:
    path = recordings / "meta.json"
    (result,) = conform([path])
    assert isinstance(result, Unreadable)
    path.write_text('{"arch": "x86"}')
    (result,) = conform([path])
    assert isinstance(result, Unsupported)


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no such file"):
        list(conform([tmp_path / "absent"]))


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.xz"
    path.write_bytes(b"not an archive")
    with pytest.raises(PeerError, match="is not an archive"):
        list(conform([path]))
