"""A file is the old one or the new one, whoever is killed or refused while it is written."""

import errno
import os
import stat

import pytest

from guestmap.base import HostError
from guestmap.domain.store.faults import STEPS
from guestmap.domain.store.files import read_private, remove, write_private
from guestmap.domain.store.journal import Note, Notes
from tests.support.killed import End, killed_at

OLD, NEW = b"old\n", b"new and longer\n"
RENAMED = {"before-folder-fsync", "after"}
"""Steps at which the new file is there already."""


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_a_whole_file(step, tmp_path):
    path = tmp_path / "vm.xml"
    write_private(path, OLD, "config")
    assert killed_at(f"config.{step}", lambda: write_private(path, NEW, "config")) is End.KILLED
    assert path.read_bytes() == (NEW if step in RENAMED else OLD)
    write_private(path, NEW, "config")
    assert [each.name for each in tmp_path.iterdir()] == ["vm.xml"]


@pytest.mark.parametrize("step", ["before-write", "before-fsync", "before-rename"])
def test_a_host_that_refuses_leaves_the_old_file_and_no_other(step, tmp_path, monkeypatch):
    path = tmp_path / "vm.xml"
    write_private(path, OLD, "config")
    monkeypatch.setenv("GUESTMAP_FAULT", f"config.{step}={errno.ENOSPC}")
    with pytest.raises(HostError, match="No space left") as refused:
        write_private(path, NEW, "config")
    assert refused.value.errno == errno.ENOSPC
    assert path.read_bytes() == OLD
    assert [each.name for each in tmp_path.iterdir()] == ["vm.xml"]


def test_a_file_is_for_us_alone(tmp_path):
    path = tmp_path / "vm.xml"
    write_private(path, NEW, "config")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_in_the_place_aside_is_not_followed(tmp_path):
    path, foreign = tmp_path / "vm.xml", tmp_path / "foreign"
    foreign.write_bytes(OLD)
    (tmp_path / ".vm.xml.new").symlink_to(foreign)
    write_private(path, NEW, "config")
    assert (foreign.read_bytes(), path.read_bytes()) == (OLD, NEW)


def test_what_is_absent_is_no_error(tmp_path):
    assert read_private(tmp_path / "none", 10) is None
    assert remove(tmp_path / "none", "config") is False


def test_what_is_too_long_is_refused(tmp_path):
    path = tmp_path / "long"
    path.write_bytes(b"x" * 11)
    with pytest.raises(HostError, match="longer than 10"):
        read_private(path, 10)


def test_it_reaches_the_disk_before_its_name_does(tmp_path, monkeypatch):
    order: list[str] = []
    real_replace = os.replace
    monkeypatch.setattr("os.fsync", lambda descriptor: order.append("fsync"))
    monkeypatch.setattr(
        os, "replace", lambda new, path: (order.append("rename"), real_replace(new, path))[1]
    )
    write_private(tmp_path / "vm.xml", NEW, "config")
    assert order == ["fsync", "rename", "fsync"]


@pytest.fixture
def synced(monkeypatch):
    """Count what is made to reach the disk."""
    found = []
    sync = os.fsync

    def counting(descriptor):
        found.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", counting)
    return found


def test_a_file_and_its_name_reach_the_disk_and_so_does_its_end(tmp_path, synced):
    write_private(tmp_path / "vm.xml", NEW, "config")
    assert synced == [False, True]
    assert remove(tmp_path / "vm.xml", "config")
    assert synced == [False, True, True]
    assert not remove(tmp_path / "vm.xml", "config")
    assert synced == [False, True, True]


def test_a_note_of_what_is_under_way_need_not_outlive_the_host(tmp_path, synced):
    notes = Notes(tmp_path / "vm.journal")
    notes.write(Note("attach", alias="dimm0"))
    assert notes.read() == Note("attach", alias="dimm0")
    notes.strike()
    assert notes.read() is None
    assert synced == []
