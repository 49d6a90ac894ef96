"""Plans held to a real QEMU: what is blocked is refused, and what is not lands where planned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

import guestmap
from guestmap.base import GIB, MIB
from guestmap.domain import Applier, Outcome, Peer, Plan, PlugRequest, open_peer, plan_plug, survey
from guestmap.domain.devices import read_devices
from guestmap.domain.plug_plan import plug_steps
from guestmap.domain.plugged import MemoryDevice
from guestmap.domain.situation import backend_id
from guestmap.machine import VirtualMachine, config_of
from guestmap.monitor import MonitorServer
from guestmap.qmp.client import CommandError
from tests.support.qemu import MACHINE, Qemu

BASE = 4 * GIB
_GPE0_ENABLE = 0xAFE2
UNCHECKED_IDS = "10."
"""Here device_add takes any id, also one that no path can name; 7.2 and 11.1 refuse it as we do."""
FEW = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass
class Lab:
    """A stopped machine, by its monitor."""

    peer: Peer

    def attempt(self, plan: Plan, request: PlugRequest) -> str:
        """Do it whatever the plan says; return QEMU's refusal, or ""."""
        name = "probe" if request.id is None else request.id
        if plan.device is not None and plan.device.id is not None:
            name = plan.device.id
        backend = backend_id(name)
        device = MemoryDevice(name, "dimm", 0, request.size)
        add, plug = plan.steps or plug_steps(device, backend, request)
        try:
            self.peer.change(add.command, add.arguments)
        except CommandError as error:
            return str(error)
        try:
            self.peer.change(plug.command, plug.arguments)
        except CommandError as error:
            self.peer.change("object-del", {"id": backend})
            return str(error)
        return ""

    def follow(self, request: PlugRequest) -> None:
        """Hold the plan of a request to what comes of it."""
        scene = survey(self.peer)
        plan = plan_plug(scene, request)
        codes = [each.code for each in plan.blockers]
        note(f"{request} -> {codes}")
        if codes == ["id-invalid"] and scene.situation.version.startswith(UNCHECKED_IDS):
            return
        refusal = self.attempt(plan, request)
        assert bool(refusal) == plan.is_blocked, (refusal, plan.blockers)
        if plan.device is not None:
            after = read_devices(self.peer)
            assert plan.device in after
            assert sum(each.size for each in after) == scene.situation.used + request.size


@dataclass
class QemuLab(Lab):
    """A stopped QEMU, whose guest is played on its registers."""

    qemu: Qemu

    def eject(self, slot: int) -> None:
        """Let go of a DIMM as a guest does, by the registers; drop its backend."""
        (device,) = (
            each["data"]
            for each in self.qemu.qmp("query-memory-devices")
            if each["data"]["slot"] == slot
        )
        self.qemu.outl(0xA00, slot)
        self.qemu.outb(0xA14, 8)
        self.qemu.qmp("object-del", id=device["memdev"].rsplit("/")[-1])

    def clear(self) -> None:
        for each in self.qemu.qmp("query-memory-devices"):
            self.eject(each["data"]["slot"])
        for each in self.qemu.qmp("query-memdev"):
            if each["id"] != "pc.ram":
                self.qemu.qmp("object-del", id=each["id"])


def lab_of(tmp_path_factory: pytest.TempPathFactory, *words: str) -> Iterator[QemuLab]:
    path = tmp_path_factory.mktemp("lab") / "qmp"
    with Qemu(*words, "-qmp", f"unix:{path},server=on,wait=off") as qemu, open_peer(
        str(path)
    ) as peer:  # fmt: skip
        yield QemuLab(peer, qemu)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QemuLab]:
    yield from lab_of(tmp_path_factory, "-m", "256M,slots=5,maxmem=2G")


sizes = st.one_of(
    st.integers(1, 12).map(lambda n: n * 128 * MIB),
    st.integers(1, 900).map(lambda n: n * 2 * MIB),
    st.sampled_from([0, 1, 4096, MIB, 2 * MIB, 3 * MIB, 128 * MIB + 1, 1792 * MIB, 1794 * MIB]),
)
addresses = st.one_of(
    st.none(),
    st.none(),
    st.integers(0, 3600).map(lambda n: BASE + n * 2 * MIB),
    st.sampled_from([0, 1, 0x1000, 2 * MIB, BASE - 2 * MIB, BASE + 4096, BASE + 6 * GIB,
                     (1 << 64) - 2 * MIB, (1 << 64) - 1, 1 << 63]),
)  # fmt: skip
names = st.sampled_from([None, None, None, "a", "b", "dimm0", "dimm1", "type", "1x", "a.b-c_d", ""])
requests = st.builds(
    PlugRequest,
    size=sizes,
    node=st.sampled_from([0, 0, 0, 0, 1, 7]),
    slot=st.sampled_from([None, None, None, 0, 1, 2, 3, 4, 5, 255]),
    addr=addresses,
    id=names,
)
moves = st.lists(st.one_of(requests, requests, requests, st.integers(0, 4)), max_size=14)


@pytest.mark.qemu
@FEW
@given(moves)
def test_a_plan_says_what_qemu_will_say(lab: QemuLab, moves: list[PlugRequest | int]) -> None:
    lab.clear()
    for move in moves:
        if isinstance(move, PlugRequest):
            lab.follow(move)
        elif move in (each.slot for each in read_devices(lab.peer)):
            lab.eject(move)


@pytest.mark.unicorn
@pytest.mark.seabios
@settings(FEW, max_examples=6)
@given(st.lists(requests, max_size=10))
def test_a_plan_says_what_our_machine_will_say(
    tmp_path_factory: pytest.TempPathFactory, moves: list[PlugRequest]
) -> None:
    path = f"unix:{tmp_path_factory.mktemp('ours')}/qmp"
    words = [*MACHINE, "-global", "apic-common.vapic=off", "-m", "256M,slots=5,maxmem=2G"]
    with VirtualMachine(config_of(words)) as vm, MonitorServer(vm, [path]):
        vm.start(paused=True)
        with open_peer(path) as peer:
            lab = Lab(peer)
            for move in moves:
                lab.follow(move)


@pytest.mark.unicorn
@pytest.mark.seabios
def test_what_the_guest_of_our_machine_enabled_is_known(tmp_path_factory):
    path = f"unix:{tmp_path_factory.mktemp('ours')}/qmp"
    words = [*MACHINE, "-global", "apic-common.vapic=off", "-m", "256M,slots=5,maxmem=2G"]
    with VirtualMachine(config_of(words)) as vm, MonitorServer(vm, [path]):
        vm.start(paused=True)
        with open_peer(path) as peer:
            situation = survey(peer).situation
            assert (situation.nodes, situation.gpe_enabled) == (1, False)
            assert situation.version == f"guestmap {guestmap.__version__}"
            for enabled in (0x08, 0x07, 0xFF):
                with vm.exclusive():
                    vm.board.io.store(_GPE0_ENABLE, 1, enabled)
                assert survey(peer).situation.gpe_enabled is bool(enabled & 8)


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("words", "codes", "refusal"),
    [
        (["-m", "128M"], {"no-device-memory"}, "no slots where allocated"),
        (["-m", "128M,maxmem=2G"], {"no-slots"}, "no slots where allocated"),
        (["-m", "128M,slots=2,maxmem=2G", "-machine", "acpi=off"], {"no-acpi"}, "missing acpi"),
        (["-M", "isapc", "-m", "64M"], {"no-hotplug"}, "missing acpi"),
        (["-M", "microvm", "-m", "128M,slots=2,maxmem=2G"], {"no-hotplug"}, "can not be hot"),
    ],
)
def test_machines_that_take_none(tmp_path_factory, words, codes, refusal):
    for lab in lab_of(tmp_path_factory, *words):
        plan = plan_plug(survey(lab.peer), PlugRequest(128 * MIB))
        assert {each.code for each in plan.blockers} == codes
        assert refusal in lab.attempt(plan, PlugRequest(128 * MIB))


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("words", "window", "alignment", "nodes"),
    [
        (["-M", "q35", "-m", "5G,slots=3,maxmem=20G"], (0x1C0000000, 0x480000000), 2 * MIB, 1),
        pytest.param(
            ["-M", "pc-i440fx-2.1", "-m", "1G,slots=2,maxmem=4G"], (BASE, 3 * GIB), 4096, 0,
            marks=pytest.mark.qemu_7_2("machine types of that age"),
        ),
        (["-m", "256M,slots=2,maxmem=1G", "-smp", "2",
          "-object", "memory-backend-ram,id=n0,size=128M",
          "-object", "memory-backend-ram,id=n1,size=128M",
          "-numa", "node,memdev=n0,cpus=0", "-numa", "node,memdev=n1,cpus=1"],
         (BASE, 2 * GIB + 768 * MIB), 2 * MIB, 2),
    ],
    ids=["q35", "old", "numa"],
)  # fmt: skip
def test_other_machines_are_read_and_planned_for(
    tmp_path_factory, words, window, alignment, nodes
):  # fmt: skip
    for lab in lab_of(tmp_path_factory, *words):
        situation = survey(lab.peer).situation
        assert situation.window == window
        assert (situation.alignment, situation.nodes) == (alignment, nodes)
        for request in (
            PlugRequest(128 * MIB, node=max(nodes - 1, 0)),
            PlugRequest(128 * MIB, node=max(nodes, 1)),
            PlugRequest(128 * MIB + 4096),
        ):
            plan = plan_plug(survey(lab.peer), request)
            refusal = lab.attempt(plan, request)
            assert bool(refusal) == plan.is_blocked, (refusal, plan.blockers)
            if plan.device is not None:
                now = survey(lab.peer).situation
                assert now.device(plan.device.id or "") == plan.device


@pytest.mark.qemu
def test_what_is_plugged_beside_dimms_is_counted(tmp_path_factory):
    words = ["-m", "256M,slots=2,maxmem=2G", "-object", "memory-backend-ram,id=vm,size=512M",
             "-device", "virtio-mem-pci,id=v,memdev=vm,requested-size=128M"]  # fmt: skip
    for lab in lab_of(tmp_path_factory, *words):
        scene = survey(lab.peer)
        (device,) = scene.situation.devices
        assert (device.kind, device.size, device.slot) == ("virtio-mem", 512 * MIB, None)
        request = PlugRequest(GIB)
        plan = plan_plug(scene, request)
        assert lab.attempt(plan, request) == ""
        assert survey(lab.peer).situation.device("dimm0") == plan.device
        more = PlugRequest(512 * MIB)
        blocked = plan_plug(survey(lab.peer), more)
        assert {each.code for each in blocked.blockers} == {"over-maxmem"}
        assert "not enough space" in lab.attempt(blocked, more)


@pytest.mark.qemu
def test_a_migrating_machine_takes_none(tmp_path_factory):
    for lab in lab_of(tmp_path_factory, "-m", "256M,slots=2,maxmem=2G"):
        lab.qemu.qtest("memset 0x100000 0x4000000 0x55")  # 64 MiB that take hours at this rate
        lab.qemu.qmp("migrate-set-parameters", max_bandwidth=4096)
        lab.qemu.qmp("migrate", uri="exec:cat > /dev/null")
        plan = plan_plug(survey(lab.peer), PlugRequest(128 * MIB))
        assert {each.code for each in plan.blockers} == {"migrating"}
        assert "migrating" in lab.attempt(plan, PlugRequest(128 * MIB))
        lab.qemu.qmp("migrate_cancel")


@pytest.mark.qemu
def test_a_race_that_is_lost_is_rolled_back(lab: QemuLab) -> None:
    """The slot is taken between plan and apply: QEMU refuses, and nothing is left behind."""
    lab.clear()
    plan = plan_plug(survey(lab.peer), PlugRequest(128 * MIB, slot=1))
    quicker = PlugRequest(128 * MIB, slot=1, id="quicker")
    assert lab.attempt(plan_plug(survey(lab.peer), quicker), quicker) == ""
    before = memory_of(lab.qemu)
    result = Applier(lab.peer, timeout_s=0).plug(plan)
    assert "slot 1 is busy" in result.error
    assert memory_of(lab.qemu) == before
    assert (result.outcome, result.wrong) == (Outcome.QEMU_REFUSED, ())
    lab.clear()


def memory_of(qemu: Qemu) -> Any:
    names = sorted(each["name"] for each in qemu.qmp("qom-list", path="/objects"))
    blocks = sorted(qemu.hmp("info mtree -f").split("\n\n"))
    views = [re.sub(r"FlatView #\d+", "", block) for block in blocks]
    return names, qemu.qmp("query-memory-devices"), sorted(views)
