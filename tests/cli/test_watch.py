"""``guestmap watch`` on a real QEMU, and the watcher below it on one that is played."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from guestmap.base import PeerError
from guestmap.cli.watch import _Session, _Words
from guestmap.inspect.sources.live import Attachment
from guestmap.inspect.sources.live.watching import Watcher
from guestmap.qmp.client import Monitor, MonitorEvent
from tests.inspect.sources.test_attachment import FULL
from tests.qmp.client.peer import FakeQemu
from tests.support.processes import popen
from tests.support.qemu import Qemu

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_watcher_tells_changes_and_events_and_counts_them():
    qemu = FakeQemu(FULL)
    watcher = Watcher(Attachment(Monitor(qemu)))
    first = watcher.snapshot
    assert watcher.look().is_empty
    qemu.told = [MonitorEvent("RESET", {"guest": True})]
    sighting = watcher.look()
    assert [event.name for event in sighting.events] == ["RESET"]
    assert sighting.after is None
    qemu.lines["info mtree -o -D"] = [FULL["info mtree -o -D"].replace(" [disabled]", "")]
    sighting = watcher.look()
    assert sighting.before == first
    assert sighting.after == watcher.snapshot
    assert watcher.snapshot.regions[0].enabled
    assert watcher.look().is_empty
    assert (watcher.looks, watcher.changes, watcher.events) == (5, 1, 1)


def test_a_watcher_keeps_the_last_words(monkeypatch):
    qemu = FakeQemu(FULL)
    watcher = Watcher(Attachment(Monitor(qemu)))
    qemu.told = [MonitorEvent("SHUTDOWN", {})]

    def gone(command: str, arguments: object) -> object:
        raise PeerError("closed the connection")

    monkeypatch.setattr(qemu, "execute", gone)
    with pytest.raises(PeerError):
        watcher.look()
    assert [event.name for event in watcher.last_words().events] == ["SHUTDOWN"]
    assert watcher.events == 1


@pytest.mark.parametrize(("told", "is_error"), [
    (["SHUTDOWN"], False), (["SHUTDOWN", "RESET"], True), (["RESET", "SHUTDOWN"], False),
    (["DEVICE_DELETED"], True),
])  # fmt: skip
def test_a_shutdown_may_be_told_a_look_before_the_connection_ends(
    monkeypatch, capsys, told, is_error
):
    qemu = FakeQemu(FULL, {"query-status": {"status": "running", "running": True}})
    looks = iter([MonitorEvent(name, {}) for name in told])
    look = Watcher.look

    def looked(watcher: Watcher) -> Any:
        event = next(looks, None)
        if event is None:
            raise PeerError("the connection broke")
        qemu.told = [event]
        return look(watcher)

    monkeypatch.setattr(Watcher, "look", looked)
    session = _Session(Attachment(Monitor(qemu)), 0, _Words())
    with pytest.raises(PeerError) if is_error else nullcontext():
        session.run()
    assert capsys.readouterr().out.splitlines()[-1].startswith("watched for ")


@contextmanager
def watching(source: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "guestmap", "watch", source, "--interval", "0.02", *words]
    run = popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
    try:
        yield run
    finally:
        run.kill()
        run.communicate()


def line_with(run: subprocess.Popen[str], words: str) -> str:
    """Wait for a line with these words."""
    assert run.stdout is not None
    seen = []
    for line in run.stdout:
        seen.append(line)
        if words in line:
            return line
    raise AssertionError(f"no {words!r} in {seen}")


@pytest.fixture
def machine(tmp_path):
    """A stopped QEMU with room for DIMMs, and the path of its second monitor."""
    path = str(tmp_path / "qmp")
    with Qemu(
        "-m", "64M,slots=2,maxmem=1G", "-qmp", f"unix:{path},server=on,wait=off"
    ) as qemu:  # fmt: skip
        yield qemu, path


def plug(qemu: Qemu) -> None:
    qemu.qmp("object-add", qom_type="memory-backend-ram", id="m0", size=128 << 20)
    qemu.qmp("device_add", driver="pc-dimm", id="d0", memdev="m0")


@pytest.mark.qemu
def test_changes_and_events_are_printed_as_they_happen_and_ctrl_c_sums_up(machine):
    qemu, path = machine
    with watching(path) as run:
        assert path in line_with(run, "watching")
        plug(qemu)
        line_with(run, "the map changed")
        line_with(run, "100000000-107ffffff: m0")
        qemu.qmp("system_reset")
        assert "reason=host-qmp-system-reset" in line_with(run, "event RESET")
        run.send_signal(signal.SIGINT)
        rest, errors = run.communicate(timeout=20)
    assert run.returncode == 0
    assert errors == ""
    assert rest.splitlines()[-1].startswith("watched for ")
    assert "1 change of the map" in rest


@pytest.mark.qemu
def test_json_lines(machine):
    qemu, path = machine
    with watching(path, "--json") as run:
        first: dict[str, Any] = json.loads(line_with(run, "{"))
        assert first["format"] == "guestmap.watch"
        assert first["snapshot"]["format"] == "guestmap.snapshot"
        plug(qemu)
        change = json.loads(line_with(run, '"diff"'))
        names = [
            each["after"]["name"] for view in change["diff"]["views"] for each in view["ranges"]
        ]
        assert "m0" in names
        assert "m0" in [region["name"] for region in change["snapshot"]["regions"]]
        run.send_signal(signal.SIGINT)
        rest, _ = run.communicate(timeout=20)
    last = json.loads(rest.splitlines()[-1])
    assert last["ended"] is True
    assert last["changes"] == 1
    assert run.returncode == 0


@pytest.mark.qemu
def test_a_machine_that_shuts_down_ends_the_watch(machine):
    qemu, path = machine
    with watching(path) as run:
        line_with(run, "watching")
        qemu.qmp("quit")
        rest, errors = run.communicate(timeout=20)
    assert run.returncode == 0, errors
    assert "event SHUTDOWN" in rest
    assert rest.splitlines()[-1].startswith("watched for ")


@pytest.mark.qemu
def test_a_machine_that_dies_is_an_error_after_the_summary(machine):
    qemu, path = machine
    with watching(path) as run:
        line_with(run, "watching")
        qemu._process.kill()
        rest, errors = run.communicate(timeout=20)
    assert run.returncode == 2
    assert rest.splitlines()[-1].startswith("watched for ")
    assert errors.startswith(f"guestmap: unix:{path}: ")
    assert errors.count("\n") == 1
