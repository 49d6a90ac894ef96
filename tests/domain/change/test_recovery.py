"""Killed at any step of any change, nothing is lost, torn or left over after the next one."""

import os

import pytest
from msgspec.structs import replace

from guestmap.domain.change.which import Which
from guestmap.domain.process.launch import end, ends_soon
from guestmap.domain.store.faults import POINTS
from guestmap.domain.store.status import Pending
from tests.domain.documents import domain, memory
from tests.support.domains import BOTH, DIMM
from tests.support.killed import End, killed_at

SHARED = memory("128", words=" access='shared'")
VIRTIO = memory("1", "GiB", model="virtio-mem", target="<block>2048</block>")

ATTACHES = [point for point in POINTS if point.startswith(("journal", "status", "config", "attach"))
            and not point.startswith(("status.before-remove", "config.before-remove"))]  # fmt: skip
DETACHES = [point.replace("attach.", "detach.") for point in ATTACHES if "attach" not in point] + [
    point for point in POINTS if point.startswith("detach")
]
UPDATES = [point for point in ATTACHES if "attach" not in point] + [
    point for point in POINTS if point.startswith("update")
]


def plugged(manager, *documents):
    manager.running()
    for each in documents:
        manager.changes.attach("vm", each, BOTH)


@pytest.mark.parametrize("point", ATTACHES)
def test_an_attach_is_finished_or_undone_in_both_definitions(manager, point):
    plugged(manager)
    assert killed_at(point, lambda: manager.changes.attach("vm", DIMM, BOTH)) is End.KILLED
    manager.changes.reconnect("vm")
    manager.consistent()
    count = len(manager.plugged())
    assert len(manager.known(live=False)) == count
    # And the next one is as any other.
    manager.changes.attach("vm", DIMM, BOTH)
    manager.consistent()
    assert len(manager.known(live=False)) == count + 1


@pytest.mark.parametrize("point", DETACHES)
def test_a_detach_is_finished_or_undone_in_both_definitions(manager, point):
    plugged(manager, DIMM)
    assert killed_at(point, lambda: manager.changes.detach("vm", DIMM, BOTH)) is End.KILLED
    manager.changes.reconnect("vm")
    manager.changes.reconnect("vm")  # one that was asked again has let go by now
    manager.consistent()
    assert len(manager.known(live=False)) == len(manager.plugged())


@pytest.mark.parametrize("point", UPDATES)
def test_a_size_is_requested_in_both_definitions_or_in_none(manager, point):
    plugged(manager, VIRTIO)
    change = lambda: manager.changes.update("vm", Which(), 4096, BOTH)  # noqa: E731
    assert killed_at(point, change) is End.KILLED
    manager.changes.reconnect("vm")
    manager.consistent()
    stored, running = manager.store.known("vm")
    (device,) = manager.ask("query-memory-devices")
    requested = device["data"]["requested-size"] // 1024
    assert (stored.devices[0].requested or 0) == requested
    assert (running.definition.devices[0].requested or 0) == requested


SETMEMS = [point for point in ATTACHES if "attach" not in point] + [
    point for point in POINTS if point.startswith("setmem")
]
BALLOON = "    <memballoon model='virtio'/>\n"


@pytest.mark.parametrize("point", SETMEMS)
def test_the_guest_is_asked_for_memory_in_both_definitions_or_in_none(manager, point):
    whole = domain(emulator=str(manager.emulator), devices=BALLOON)
    manager.define(whole.replace(b"    <memballoon model='none'/>\n", b""))
    manager.changes.start("vm")
    change = lambda: manager.changes.set_memory("vm", 262144, BOTH)  # noqa: E731
    assert killed_at(point, change) is End.KILLED
    manager.changes.reconnect("vm")
    manager.consistent()
    stored, running = manager.store.known("vm")
    asked = [line for line in manager.told() if '"balloon"' in line]
    assert (running.definition.current, stored.current) == (
        (262144, 262144) if asked else (524288, 524288)
    )


STARTS = [point for point in POINTS if point.startswith(("start", "status"))
          and not point.startswith("status.before-remove")]  # fmt: skip


@pytest.mark.parametrize("point", STARTS)
def test_a_start_leaves_a_machine_that_is_known_or_none(manager, point):
    manager.define(domain(emulator=str(manager.emulator)))
    assert killed_at(point, lambda: manager.changes.start("vm")) is End.KILLED
    manager.changes.reconnect("vm")
    if manager.store.running("vm") is None:
        assert manager.store.status("vm") is None
        manager.changes.start("vm")
    assert manager.ask("query-status")["running"]
    assert manager.store.running("vm").state == "running"
    manager.consistent()


DESTROYS = [point for point in POINTS if point.startswith(("destroy", "memories", "sockets"))
            ] + ["status.before-remove"]  # fmt: skip


@pytest.mark.parametrize("point", DESTROYS)
def test_a_destroy_leaves_a_machine_that_runs_or_none(manager, point):
    plugged(manager, DIMM)
    manager.changes.attach("vm", SHARED, BOTH)
    folder = manager.store.memory_folder("vm", 1)
    (folder / "dimm1").write_bytes(b"")  # QEMU makes it
    assert killed_at(point, lambda: manager.changes.destroy("vm")) is End.KILLED
    manager.changes.reconnect("vm")
    if manager.store.running("vm") is None:
        assert manager.store.status("vm") is None
        assert not folder.exists()
        manager.changes.start("vm")
        assert os.listdir(manager.store.machine_folder("vm"))
    manager.consistent()


RESETS = [point for point in POINTS if point.startswith(("reset", "status"))
          and point != "status.before-remove"]  # fmt: skip
SHUTDOWNS = [point for point in POINTS if point.startswith("shutdown")]


@pytest.mark.parametrize("point", RESETS)
def test_a_reset_leaves_a_machine_that_is_known(manager, point):
    plugged(manager, DIMM)
    assert killed_at(point, lambda: manager.changes.reset("vm")) is End.KILLED
    manager.changes.reconnect("vm")
    manager.consistent()
    manager.changes.reset("vm")
    manager.consistent()


@pytest.mark.parametrize("point", SHUTDOWNS)
def test_a_shutdown_leaves_a_machine_that_runs_or_none(manager, point):
    process = manager.running().process
    assert killed_at(point, lambda: manager.changes.shutdown("vm")) is End.KILLED
    if point == "shutdown.before-powerdown":
        assert manager.ask("query-status")["running"]
        manager.changes.shutdown("vm")
    assert ends_soon(process, 10)
    manager.changes.reconnect("vm")
    assert manager.store.status("vm") is None
    manager.changes.start("vm")
    manager.consistent()


def test_every_point_is_walked():
    walked = {*ATTACHES, *DETACHES, *UPDATES, *SETMEMS, *STARTS, *RESETS, *SHUTDOWNS,
              *DESTROYS, *FILES}  # fmt: skip
    assert set(POINTS) - walked == {"config.before-remove"}  # undefine: see the next test


def test_an_undefine_is_whole_or_nothing(manager):
    manager.define(domain(emulator=str(manager.emulator)))
    assert killed_at("config.before-remove", lambda: manager.undefine("vm")) is End.KILLED
    assert manager.dumpxml("vm")


def test_a_device_that_is_known_no_more_is_waited_for_no_more(manager):
    status = manager.running()
    manager.store.save_status(replace(status, pending=(Pending("dimm7", config=True),)))
    manager.changes.reconnect("vm")
    assert manager.info("vm").pending == ()
    manager.consistent()


def test_a_file_that_would_have_been_memory_goes_with_the_attach_that_is_undone(manager):
    plugged(manager)
    change = lambda: manager.changes.attach("vm", SHARED, BOTH)  # noqa: E731
    assert killed_at("attach.before-device-add", change) is End.KILLED
    file = manager.store.memory_folder("vm", 1) / "dimm0"
    file.write_bytes(b"")  # QEMU makes it
    manager.changes.reconnect("vm")
    assert not file.exists()
    manager.consistent()


FILES = [point for point in POINTS if point.startswith("memory.")]


@pytest.mark.parametrize("point", FILES)
def test_a_file_that_was_memory_goes_with_its_device(manager, point):
    plugged(manager, SHARED)
    file = manager.store.memory_folder("vm", 1) / "dimm0"
    file.write_bytes(b"")  # QEMU makes it
    assert killed_at(point, lambda: manager.changes.detach("vm", SHARED, BOTH)) is End.KILLED
    assert file.exists() == (point == "memory.before-remove")
    manager.changes.reconnect("vm")
    assert not file.exists()
    manager.consistent()
    assert manager.known(live=False) == manager.plugged() == []


def test_files_that_were_memory_go_with_a_machine_that_ended_by_itself(manager):
    status = manager.running()
    folder = manager.store.memory_folder("vm", status.id)
    folder.mkdir(parents=True)
    (folder / "ram-node0").write_bytes(b"")
    end(status.process, gently=False)
    manager.changes.reconnect("vm")
    assert not folder.exists()
