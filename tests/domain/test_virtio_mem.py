"""virtio-mem: planned, plugged, resized and followed, on a machine that is played and on QEMU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guestmap.base import GIB, MIB
from guestmap.domain import (
    Applier,
    Observer,
    Outcome,
    PlugRequest,
    ResizeRequest,
    Result,
    UnplugRequest,
    open_peer,
    plan_plug,
    plan_resize,
    plan_unplug,
    survey,
)
from guestmap.domain.overview import overview
from guestmap.domain.virtio_mem import free_ports
from guestmap.qmp.client import GoneError
from tests.domain.machines import BASE, ROOM, FakeMachine, FakePace, holding, scene, virtio_mem
from tests.support.qemu import Qemu

GROWN = virtio_mem("vm0", BASE, 2 * GIB, 0, 256 * MIB)
FULL = holding(virtio_mem("vm0", BASE, 2 * GIB, GIB, GIB))


def taking(*steps: int) -> Any:
    """Return a guest that comes to these sizes one after another, however often it is looked at."""

    def guest(machine: FakeMachine, verb: str, device: str) -> None:
        left = list(steps)
        told = machine._query_memory_devices

        def look() -> list[dict[str, Any]]:
            if left:
                machine.resized(device, present=left.pop(0))
            return told()

        machine._query_memory_devices = look  # type: ignore[method-assign]

    return guest


def resize(machine: FakeMachine, size: int, **more: Any) -> Result:
    peer = machine.peer()
    plan = plan_resize(survey(peer), ResizeRequest("vm0", size))
    return Applier(peer, timeout_s=2.0, pace=FakePace(), **more).resize(plan)


def test_what_a_guest_has_is_told_apart_from_what_it_may_have():
    seen = overview(holding(GROWN))
    assert (seen.plugged, seen.used, seen.left) == (0, 2 * GIB, ROOM.capacity - 2 * GIB)
    (other,) = seen.others
    assert (other.plugged, other.requested, other.size, other.block) == (
        0, 256 * MIB, 2 * GIB, 2 * MIB)  # fmt: skip


def test_a_plan_to_plug_one_needs_no_slot():
    full = holding(slots=0)
    plan = plan_plug(scene(full), PlugRequest(GIB, kind="virtio-mem", requested=512 * MIB))
    assert (plan.blockers, plan.cautions) == ((), ())
    assert [(s.command, s.arguments) for s in plan.steps] == [
        ("object-add", {"qom-type": "memory-backend-ram", "id": "memvirtiomem0", "size": GIB,
                        "reserve": False}),
        ("device_add", {"driver": "virtio-mem-pci", "id": "virtiomem0", "memdev": "memvirtiomem0",
                        "node": 0, "requested-size": 512 * MIB}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "request_", "code"),
    [
        ({"machine": "pseries-11.1", "arch": "ppc64"}, {}, "no-virtio-mem"),
        ({"machine": "microvm"}, {}, "no-virtio-mem"),
        ({"machine": "pc-q35-11.1"}, {}, "no-port"),
        ({"machine": "virt-11.1", "arch": "aarch64", "acpi": False}, {}, "no-port"),
        ({"window": None}, {}, "no-device-memory"),
        ({}, {"requested": 2 * GIB}, "over-size"),
        ({}, {"requested": MIB}, "size-unaligned"),
        ({}, {"size": 4 * GIB}, "over-maxmem"),
        ({}, {"size": 3 * MIB}, "size-unaligned"),
    ],
)
def test_what_stands_in_the_way_of_one(changes, request_, code):
    request = PlugRequest(**{"size": GIB, "kind": "virtio-mem", **request_})
    (finding,) = plan_plug(scene(replace(ROOM, **changes)), request).blockers
    assert (finding.code, bool(finding.remedy)) == (code, True)


def test_where_the_machine_has_no_pci_another_type_is_plugged():
    s390x = replace(ROOM, machine="s390-ccw-virtio-11.1", arch="s390x", acpi=False)
    plan = plan_plug(scene(s390x), PlugRequest(GIB, kind="virtio-mem"))
    assert plan.blockers == ()
    assert plan.steps[1].arguments["driver"] == "virtio-mem-ccw"


def test_a_root_port_is_free_where_nothing_is_behind_it(monkeypatch):
    machine = FakeMachine()
    kinds = {"rp0": "pcie-root-port", "rp1": "pcie-root-port", "br0": "pci-bridge"}
    monkeypatch.setattr(
        machine, "_qom_list", lambda path: [{"name": n, "type": f"child<{k}>"}
                                            for n, k in kinds.items()])  # fmt: skip
    assert free_ports(machine.peer()) == ("rp1",)


def test_a_guest_that_takes_what_is_requested_is_followed():
    told: list[int] = []

    class Notes(Observer):
        def resized(self, device: str, has: int, wanted: int) -> None:
            told.append(has)

    machine = FakeMachine(taking(0, 128 * MIB, 512 * MIB), situation=holding(GROWN))
    result = resize(machine, 512 * MIB, observer=Notes())
    assert (result.outcome, result.wrong) == (Outcome.RESIZED, ())
    assert told == [0, 128 * MIB, 512 * MIB]
    path = "/machine/peripheral/vm0"
    assert machine.sent == [
        ("qom-set", {"path": path, "property": "requested-size", "value": 512 * MIB})
    ]
    assert result.device is not None
    assert result.device.plugged == 512 * MIB


@pytest.mark.parametrize(
    ("steps", "size", "outcome", "why"),
    [
        ((), 512 * MIB, Outcome.SILENT, "no driver for virtio-mem"),
        ((128 * MIB,), 512 * MIB, Outcome.SHORT, "page structures"),
    ],
)
def test_a_guest_that_stops_short_is_told_why(steps, size, outcome, why):
    machine = FakeMachine(taking(*steps), situation=holding(GROWN))
    result = resize(machine, size)
    assert result.outcome is outcome
    assert any(why in note for note in result.notes)
    assert result.waited_s == pytest.approx(2.0)


def test_a_guest_that_keeps_blocks_is_told_why():
    result = resize(FakeMachine(taking(512 * MIB), situation=FULL), 0)
    assert result.outcome is Outcome.SHORT
    assert "the guest has 512 MiB of 0 B requested" in result.notes
    assert any("cannot be moved" in note for note in result.notes)


def test_another_who_requests_meanwhile_is_named():
    def other(machine: FakeMachine, verb: str, device: str) -> None:
        machine.resized(device, requested=64 * MIB)

    result = resize(FakeMachine(other, situation=FULL), 0)
    assert result.waited_s == 0
    assert any("somebody else requested 64 MiB" in note for note in result.notes)


def test_a_machine_that_is_killed_while_it_is_followed():
    def killed(machine: FakeMachine, verb: str, device: str) -> None:
        def gone() -> list[dict[str, Any]]:
            raise GoneError("closed the connection")

        machine._query_memory_devices = gone  # type: ignore[method-assign]

    result = resize(FakeMachine(killed, situation=FULL), 0)
    assert result.outcome is Outcome.ENDED
    assert "another size of vm0 was requested before" in result.error


def test_one_that_is_plugged_is_followed_to_what_is_requested():
    machine = FakeMachine(taking(0, GIB))
    peer = machine.peer()
    plan = plan_plug(survey(peer), PlugRequest(2 * GIB, kind="virtio-mem", requested=GIB))
    result = Applier(peer, timeout_s=2.0, pace=FakePace()).plug(plan)
    assert (result.outcome, result.wrong) == (Outcome.RESIZED, ())


@pytest.mark.parametrize(
    ("name", "size", "code"),
    [
        ("nobody", 0, "unknown-device"),
        ("vm0", 3 * GIB, "over-size"),
        ("vm0", MIB, "size-unaligned"),
    ],
)
def test_sizes_that_qemu_would_refuse(name, size, code):
    (finding,) = plan_resize(scene(FULL), ResizeRequest(name, size)).blockers
    assert finding.code == code
    assert "0x" not in finding.remedy.replace("0x100000000-0x17fffffff", "")


def test_an_empty_one_can_be_unplugged_by_qemu_that_knows_how():
    old = plan_unplug(scene(holding(GROWN)), UnplugRequest("vm0"))
    assert [each.code for each in old.blockers] == ["not-unpluggable"]
    newer = replace(FULL, version="11.1.3")
    held = plan_unplug(scene(newer), UnplugRequest("vm0"))
    assert [each.code for each in held.blockers] == ["still-plugged"]
    assert "guestmap resize SOURCE vm0 0" in held.blockers[0].remedy
    empty = replace(holding(virtio_mem("vm0", BASE, GIB, 0, 0)), version="11.1.3")
    plan = plan_unplug(scene(empty), UnplugRequest("vm0"))
    assert [str(each) for each in plan.steps] == ["device_del id=vm0", "object-del id=memvm0"]


@pytest.mark.qemu
def test_on_a_real_qemu(tmp_path):
    path = tmp_path / "qmp"
    with Qemu("-m", "256M,slots=1,maxmem=4G", "-qmp", f"unix:{path},server=on,wait=off") as qemu, (
        open_peer(str(path))
    ) as peer:  # fmt: skip
        plan = plan_plug(survey(peer), PlugRequest(GIB, kind="virtio-mem", requested=GIB))
        applier = Applier(peer, timeout_s=0)
        result = applier.plug(plan)
        assert (result.outcome, result.wrong) == (Outcome.SILENT, ())
        assert result.device is not None
        assert result.device.requested == GIB
        smaller = applier.resize(plan_resize(survey(peer), ResizeRequest("virtiomem0", 0)))
        assert (smaller.outcome, smaller.wrong) == (Outcome.RESIZED, ())
        (device,) = qemu.qmp("query-memory-devices")
        assert device["data"]["requested-size"] == 0
        refused = plan_resize(survey(peer), ResizeRequest("virtiomem0", 2 * GIB))
        answer = qemu.request({"execute": "qom-set", "arguments": {
            "path": "/machine/peripheral/virtiomem0", "property": "requested-size",
            "value": 2 * GIB}})  # fmt: skip
        assert refused.is_blocked == ("error" in answer) is True
