"""Files that are whole or absent."""

from __future__ import annotations

import os
import resource
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestmap.base import HostError, whole_file, write_whole

OLD, NEW = b"old" * 100, b"new" * 5000


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 8 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def assert_alone(path: Path) -> None:
    assert os.listdir(path.parent) == [path.name]


@pytest.fixture(params=["file systems that can", "file systems that cannot"], autouse=True)
def nameless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a file can be without a name."""
    can = bool(request.param == "file systems that can")
    if not can:
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)  # which is refused for writing
    return can


def test_while_it_is_written_nothing_can_be_left_of_it(tmp_path, nameless):
    with whole_file(tmp_path / "file") as file:
        file.write(NEW)
        assert (os.listdir(tmp_path) == []) == nameless
    assert os.listdir(tmp_path) == ["file"]


def test_a_new_file_has_the_usual_mode(tmp_path):
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        write_whole(path, NEW)
    finally:
        os.umask(before)
    assert path.read_bytes() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert_alone(path)


def test_a_new_file_can_be_its_owners_alone_and_an_old_one_stays_as_open_as_it_was(old):
    for path in (old.with_name("new"), old):
        with whole_file(path, mode=0o600) as file:
            file.write(NEW)
    assert stat.S_IMODE(old.with_name("new").stat().st_mode) == 0o600
    assert stat.S_IMODE(old.stat().st_mode) == 0o644


def test_an_old_file_is_replaced_and_its_mode_kept(old):
    old.chmod(0o604)
    number = old.stat().st_ino
    with open(old, "rb") as reader:
        write_whole(old, NEW)
        assert reader.read() == OLD, "who has it open reads on"
    assert old.read_bytes() == NEW
    assert old.stat().st_ino != number
    assert stat.S_IMODE(old.stat().st_mode) == 0o604
    assert_alone(old)


def test_a_full_disk_leaves_the_old_file(old, small_disk):
    with pytest.raises(HostError, match=r"^cannot write .*/file \(File too large\)$"):
        write_whole(old, NEW)
    assert old.read_bytes() == OLD
    assert_alone(old)


@pytest.mark.parametrize("call", ["fsync", "fchmod", "replace"])
def test_whichever_step_fails_the_old_file_stays(old, call, monkeypatch):
    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((Path, call) if call == "replace" else (os, call)), fail)
    with pytest.raises(HostError, match="No space left"):
        write_whole(old, NEW)
    assert old.read_bytes() == OLD
    assert_alone(old)


def test_ctrl_c_in_the_middle_leaves_nothing_behind(old, monkeypatch):
    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(old, NEW)
    assert old.read_bytes() == OLD
    assert_alone(old)


def test_it_reaches_the_disk_before_it_has_its_name(old, monkeypatch):
    synced: list[bytes] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.append(old.read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(old, NEW)
    assert synced == [OLD, NEW], "the file, and then the folder that names it"


def test_a_symbolic_link_is_followed(tmp_path, old):
    there = tmp_path / "there"
    there.mkdir()
    link, second = there / "link", there / "second"
    link.symlink_to("../file")
    second.symlink_to("link")
    write_whole(second, NEW)
    assert old.read_bytes() == NEW
    assert second.is_symlink()
    assert link.is_symlink()


def test_a_link_to_nothing_makes_the_file(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("file")
    write_whole(link, NEW)
    assert (tmp_path / "file").read_bytes() == NEW


def test_links_in_a_circle_are_refused(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("link")
    with pytest.raises(HostError, match="symbolic links"):
        write_whole(link, NEW)


def test_a_pipe_takes_it_and_stays(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    taken: list[bytes] = []
    reader = threading.Thread(target=lambda: taken.append(path.read_bytes()))
    reader.start()
    write_whole(path, NEW)
    reader.join()
    assert taken == [NEW]
    assert path.is_fifo()


def test_a_name_of_an_open_file_writes_there(tmp_path):
    path = tmp_path / "file"
    with open(path, "ab") as file:
        number = os.fstat(file.fileno()).st_ino
        write_whole(f"/proc/self/fd/{file.fileno()}", NEW)
        link = tmp_path / "link"
        link.symlink_to(f"/dev/fd/{file.fileno()}")
        write_whole(link, OLD)
    assert path.stat().st_ino == number
    assert path.read_bytes() == OLD


def test_devices_take_it():
    write_whole("/dev/null", NEW)
    with pytest.raises(HostError, match="No space left"):
        write_whole("/dev/full", NEW)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no/such", "No such file"),
        (".", "Is a directory"),
        ("a\0b", "null"),
        ("x" * 300, "too long"),
    ],
)
def test_a_place_that_cannot_be_is_named_with_the_reason(tmp_path, name, words):
    with pytest.raises(HostError, match=words):
        write_whole(tmp_path / name, NEW)
    assert os.listdir(tmp_path) == []


def test_the_folder_that_we_are_in_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HostError, match=r"cannot write \. \(Is a directory\)"):
        write_whole(".", NEW)
    assert os.listdir(tmp_path) == []


def test_a_file_that_may_not_be_written_is_not_replaced(old, monkeypatch):
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write everything
    with pytest.raises(HostError, match="Permission denied"):
        write_whole(old, NEW)
    assert old.read_bytes() == OLD


def test_content_that_comes_piece_by_piece_is_whole_or_absent(old):
    with whole_file(old) as file:
        file.write(NEW[:7])
        assert old.read_bytes() == OLD
        file.write(NEW[7:])
    assert old.read_bytes() == NEW

    def break_off() -> None:
        with whole_file(old) as file:
            file.write(b"not all of it")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert old.read_bytes() == NEW
    assert_alone(old)
