"""A process becomes a machine when it is told to, and never without; it is ended for certain."""

import os
import signal
import sys

import pytest

from guestmap.base.faults import point
from guestmap.domain.journal import Process
from guestmap.domain.process.launch import Launch, end, ends_soon, last_words
from tests.support.killed import End, killed_at

MARK = (
    "import os, pathlib, sys, time; told = f'{os.getpid()} {os.getcwd()} {os.environ.get(\"A\")}';"
    "pathlib.Path(sys.argv[1]).write_text(told); time.sleep(60)"
)


def words(path):
    return [sys.executable, "-SE", "-c", MARK, str(path)]


def test_whoever_is_killed_before_leaves_no_machine(tmp_path):
    def killed() -> None:
        launch = Launch(words(tmp_path / "made"), (), {}, tmp_path / "log")
        process = launch.process
        (tmp_path / "pid").write_text(f"{process.number} {process.start}")
        point("start.before-exec")

    assert killed_at("start.before-exec", killed) is End.KILLED
    number, start = map(int, (tmp_path / "pid").read_text().split())
    assert ends_soon(Process(number, start), 10.0)
    assert not (tmp_path / "made").exists()


def test_it_becomes_the_machine_and_stays_the_same_process(tmp_path):
    os.mkfifo(tmp_path / "made")
    launch = Launch(words(tmp_path / "made"), (), {"A": "b"}, tmp_path / "log")
    launch.go()
    try:
        assert (tmp_path / "made").read_text() == f"{launch.process.number} / b"
        assert launch.process.is_alive
    finally:
        launch.drop()
    assert not launch.process.is_alive


def test_what_asks_for_no_end_is_ended_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("guestmap.domain.process.launch._TERMINATE_S", 0.0)
    deaf = 'import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print("x", flush=True);'
    launch = Launch(
        [sys.executable, "-SE", "-c", f"{deaf} signal.pause()"], (), {}, tmp_path / "log"
    )
    launch.go()
    end(launch.process)
    assert not launch.process.is_alive
    end(launch.process)


def test_another_process_of_the_same_number_is_left_alone(tmp_path):
    launch = Launch(words(tmp_path / "made"), (), {}, tmp_path / "log")
    launch.go()
    try:
        end(Process(launch.process.number, launch.process.start - 1))
        assert launch.process.is_alive
    finally:
        os.kill(launch.process.number, signal.SIGKILL)
        os.waitpid(launch.process.number, 0)


@pytest.mark.parametrize(("text", "told"), [("a\nb\n\n", "b"), ("", ""), ("\udc80\n", "\ufffd")])
def test_last_words_are_the_last_line(tmp_path, text, told):
    (tmp_path / "log").write_bytes(text.encode(errors="surrogateescape"))
    assert last_words(tmp_path / "log") == told
    assert last_words(tmp_path / "none") == ""


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_no_descriptor_is_left_of_who_was_ended_or_looked_at(tmp_path):
    before = descriptors()
    launch = Launch(words(tmp_path / "made"), (), {}, tmp_path / "log")
    launch.go()
    open_while = descriptors()
    assert not ends_soon(launch.process, 0.0)
    assert descriptors() == open_while
    end(launch.process)
    assert ends_soon(launch.process, 0.0)
    launch.drop()
    assert descriptors() == before


def test_one_that_is_dropped_twice_closes_nothing_of_others(tmp_path):
    launch = Launch(words(tmp_path / "made"), (), {}, tmp_path / "log")
    launch.drop()
    others = os.open(tmp_path, os.O_RDONLY)  # has the number that the pipe had, or another
    launch.drop()
    os.close(others)
    assert not launch.process.is_alive
    assert not (tmp_path / "made").exists()
