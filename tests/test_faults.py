"""Killed at each step that changes something outside: the next run finds all of it, or none."""

from __future__ import annotations

import ast
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from guestmap.base import MIB, faults
from guestmap.domain.store.faults import POINTS as DOMAINS
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.machine.saved import restore, save
from guestmap.machine.saved.snapshots import Snapshots
from guestmap.memory.ram.host.backing_file import backing_file
from guestmap.monitor import UnixAddress
from guestmap.monitor.listening import Listener
from tests.domain.machines import ROOM, FakeMachine, dimm, holding, virtio_mem
from tests.support.killed import End, killed_at
from tests.support.program import run_program
from tests.support.qmp_serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = Path(__file__).resolve().parents[1] / "src" / "guestmap"
RENAMED = ("before-folder-fsync", "after")
"""Steps at which the new file is there."""
MAP = """address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): pc.ram
"""


def _called(file: Path) -> set[str]:
    """Return the names of a module's points; what is filled in at run time is a dot and a star."""
    found: set[str] = set()
    text = file.read_text(encoding="utf-8")
    if "point(" not in text:
        return found
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "point":
            match node.args[0]:
                case ast.Constant(str(name)):
                    found.add(re.escape(name))
                case ast.JoinedStr(parts):
                    found.add("".join(
                        re.escape(part.value) if isinstance(part, ast.Constant) else ".*"
                        for part in parts
                    ))  # fmt: skip
    return found


def test_each_point_is_listed_and_each_that_is_listed_is_there():
    patterns = set[str]().union(*map(_called, SOURCES.rglob("*.py")))
    listed = (*faults.POINTS, *DOMAINS)
    for each in patterns:
        assert any(re.fullmatch(each, name) for name in listed), f"{each} is not listed"
    for name in listed:
        assert any(re.fullmatch(each, name) for each in patterns), f"{name} is nowhere"


@pytest.mark.parametrize("step", faults.WHOLE_FILE_STEPS)
@pytest.mark.parametrize(
    ("words", "name"),
    [(("snapshot", "map.txt"), "map.json"), (("draw", "map.txt"), "map.svg")],
)
def test_an_output_is_the_old_one_or_the_new_one(step, words, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("map.txt").write_text(MAP, encoding="utf-8")
    whole = Path("whole", name)
    whole.parent.mkdir()
    assert run_program(*words, "-o", whole).status == 0
    Path(name).write_text("old", encoding="utf-8")
    assert killed_at(f"file.{step}", lambda: run_program(*words, "-o", name)) is End.KILLED
    is_new = step in RENAMED
    assert Path(name).read_bytes() == (whole.read_bytes() if is_new else b"old")
    assert run_program(*words, "-o", name).status == 0
    assert Path(name).read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("step", faults.WHOLE_FILE_STEPS)
def test_a_saved_machine_is_the_old_one_or_the_new_one(step, tmp_path):
    path = tmp_path / "vm.saved"
    with VirtualMachine(MachineConfig(machine="none", ram_size=MIB)) as vm:
        save(vm, path)
        old = path.read_bytes()
        vm.board.memory.write(0x5000, b"more")
        assert killed_at(f"saved.{step}", lambda: save(vm, path)) is End.KILLED
    assert (path.read_bytes() != old) == (step in RENAMED)
    with restore(path) as again:
        assert again.board.memory.read(0x5000, 4) == (b"more" if step in RENAMED else bytes(4))


def test_a_saved_machine_that_is_dropped_is_there_or_not(tmp_path):
    kept = Snapshots(tmp_path)
    with VirtualMachine(MachineConfig(machine="none", ram_size=MIB)) as vm:
        kept.save(vm, "one")
    assert killed_at("saved.before-remove", lambda: kept.delete("one")) is End.KILLED
    assert [each.name for each in kept] == ["one"]
    kept.delete("one")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("step", faults.SOCKET_STEPS)
def test_the_next_machine_takes_the_place_of_a_socket(step, tmp_path):
    address = UnixAddress(str(tmp_path / "qmp"))

    def work() -> None:
        Listener(address).close()

    assert killed_at(f"socket.{step}", work) is End.KILLED
    listener = Listener(address)
    assert listener.socket.getsockname() == address.path
    listener.close()
    assert os.listdir(tmp_path) == []


def test_memory_whose_file_has_a_name_yet_leaves_an_empty_file(tmp_path):
    """A folder that was given holds files without names: what a killed one leaves costs no room."""

    def work() -> None:
        with backing_file(str(tmp_path), "ram", readonly=False) as file:
            file.make_room(MIB)

    assert killed_at("backing.before-unlink", work) is End.KILLED
    (left,) = tmp_path.iterdir()
    assert left.stat().st_size == 0
    work()
    assert list(tmp_path.iterdir()) == [left]


def _willing(played: FakeMachine, verb: str, device: str) -> None:
    """Be a guest that does what it is asked."""
    (slot,) = (each.slot for each in played.devices if each.id == device)
    if verb == "plug":
        assert slot is not None
        played.ost(slot, 1, 0)
    elif verb == "unplug":
        played.eject(device)


def _resizing(played: FakeMachine, verb: str, device: str) -> None:
    """Be a guest that takes what it is offered."""
    assert verb == "resize"
    (asked,) = (each.requested for each in played.devices if each.id == device)
    played.resized(device, present=asked or 0)
    played.tell("MEMORY_DEVICE_SIZE_CHANGE", id=device, size=asked or 0)


def _empty() -> FakeMachine:
    return FakeMachine(_willing)


def _holding_one() -> FakeMachine:
    return FakeMachine(_willing, situation=holding(dimm(0, ROOM.window.start, 128 * MIB)))  # type: ignore[union-attr]


def _holding_virtio() -> FakeMachine:
    device = virtio_mem("vm0", ROOM.window.start, 1024 * MIB, 0, 0)  # type: ignore[union-attr]
    return FakeMachine(_resizing, situation=holding(device))


NOTED = (*(f"note.{step}" for step in faults.WHOLE_FILE_STEPS), "note.before-remove")
PLUG = (*NOTED, "send.before-object-add", "send.after-object-add", "send.before-device_add",
        "send.after-device_add")  # fmt: skip
UNPLUG = (*NOTED, "send.before-device_del", "send.after-device_del", "send.before-object-del",
          "send.after-object-del")  # fmt: skip
RESIZE = ("send.before-qom-set", "send.after-qom-set")
CHANGES = [
    *((point, _empty, ("plug", "128M")) for point in PLUG),
    *((point, _holding_one, ("unplug", "dimm0")) for point in UNPLUG),
    *((point, _holding_virtio, ("resize", "vm0", "512M")) for point in RESIZE),
]


def test_every_point_of_a_change_is_walked():
    walked = {point for point, _, _ in CHANGES}
    assert walked == {each for each in faults.POINTS if each.startswith(("note.", "send."))}


@pytest.mark.parametrize(
    ("point", "made", "words"), CHANGES, ids=[f"{words[0]} {point}" for point, _, words in CHANGES]
)
def test_a_change_that_was_broken_off_is_told_and_can_be_done_again(
    point: str, made: Callable[[], FakeMachine], words: tuple[str, ...], tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("guestmap.domain.orphans.APART_S", 0)
    played = made()
    verb, *rest = words
    with serving(played, tmp_path / "qmp") as served:

        def run(verb: str, *rest: str) -> tuple[int, str]:
            done = run_program(verb, served.path, *rest)
            assert "Traceback" not in done.stderr
            return done.status, done.stdout + done.stderr

        assert killed_at(point, lambda: run(verb, *rest)) is End.KILLED
        used = {each.backend for each in played.devices}
        left = set(played.objects) - used - {"pc.ram"}
        status, told = run("dimms")
        assert status == 0
        assert all(f"--clean {name}" in told for name in left), told
        if verb == "plug":
            before = len(played.devices)
            assert run(*words)[0] == 10
            assert len(played.devices) == before + 1
        elif verb == "resize":
            assert run(*words)[0] in (0, 10)
            assert [each.present for each in played.devices] == [512 * MIB]
        elif played.devices:
            assert run(*words)[0] == 0
            assert played.devices == []
        for name in left:
            if name in played.objects:
                assert run("dimms", "--clean", name)[0] == 0
        used = {each.backend for each in played.devices}
        assert set(played.objects) - used <= {"pc.ram"}
        _, told = run("dimms", "--json")
        assert json.loads(told)["orphans"] == []


@pytest.mark.parametrize("command", faults.UNDOING)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_refused_change_whose_undoing_was_broken_off_is_told(
    when, command, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("guestmap.domain.orphans.APART_S", 0)
    played = FakeMachine(_willing, refuse={"device_add": "not now"})
    with serving(played, tmp_path / "qmp") as served:
        plug = lambda: run_program("plug", served.path, "128M")  # noqa: E731
        assert killed_at(f"undo.{when}-{command}", plug) is End.KILLED
        left = set(played.objects) - {"pc.ram"}
        assert bool(left) == (when == "before")
        told = run_program("dimms", served.path).stdout
        for name in left:
            assert f"--clean {name}" in told
            assert run_program("dimms", served.path, "--clean", name).status == 0
        assert set(played.objects) == {"pc.ram"}
        played.refuse.clear()
        assert plug().status == 10
