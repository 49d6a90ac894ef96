from __future__ import annotations

import gzip
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from guestmap.base import HostError, PeerError, UnsupportedError
from guestmap.inspect.conform import (
    Differs,
    Equal,
    Unreadable,
    Unsupported,
    conform,
    count_files,
)
from tests.inspect.conform.test_replay import OFF, VIEWS, SwitchMachine, step
from tests.inspect.conform.test_vectors import documented_example

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
