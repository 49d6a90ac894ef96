"""The wire below: what may be sent, and what a machine's answers are held to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guestmap.base import GIB, MIB, ConfigError, GuestmapError, PeerError
from guestmap.domain import PlugRequest, open_peer, plan_plug, survey
from guestmap.domain.host import parse_host_memory, read_host_memory, read_number
from guestmap.domain.overview import overview
from guestmap.domain.peer import route_of
from guestmap.qmp.client import LibvirtTarget, TcpTarget, UnixTarget
from tests.domain.machines import BASE, ROOM, FakeMachine, dimm, holding

NUMBERS = st.integers(-(1 << 70), 1 << 70) | st.sampled_from([0, 1, BASE, GIB, (1 << 64) - 1])
SCALARS = st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3)
)


def almost(*names: str) -> st.SearchStrategy[Any]:
    """Draw objects with some of these members, and scalars in them."""
    return st.dictionaries(st.sampled_from(names), SCALARS, max_size=len(names))


DEVICE = st.fixed_dictionaries(
    {"type": st.sampled_from(["dimm", "nvdimm", "virtio-mem", "x"]),
     "data": almost("id", "addr", "memaddr", "size", "max-size", "slot", "node", "memdev")}
)  # fmt: skip
ALMOST = (
    st.lists(DEVICE, max_size=4)
    | almost("size", "max-size", "slots", "status", "running", "enabled", "base-memory")
    | st.lists(almost("slot", "slot-type", "source", "status", "id", "size", "name"), max_size=3)
)


def test_questions_and_changes_are_kept_apart():
    machine = FakeMachine()
    peer = machine.peer()
    with pytest.raises(ConfigError, match="is not sent"):
        peer.ask("object-del", dict, {"id": "x"})
    with pytest.raises(ConfigError, match="is a question"):
        peer.change("query-status", {})
    assert machine.sent == []


def test_an_answer_of_another_shape_is_the_peers_fault(monkeypatch):
    machine = FakeMachine()
    monkeypatch.setattr(machine, "_query_memory_devices", lambda: [{"type": 7}])
    with pytest.raises(PeerError, match="query-memory-devices returned is not what QMP promises"):
        survey(machine.peer())


def test_a_situation_is_read_as_it_is():
    held = holding(dimm(0, BASE, GIB), dimm(2, BASE + 2 * GIB, 128 * MIB, hotplugged=False))
    assert survey(FakeMachine(situation=held).peer()).situation == held
    assert survey(FakeMachine().peer()).situation == ROOM


def test_a_machine_that_tells_less_is_concluded_from_its_map(monkeypatch):
    machine = FakeMachine()
    told = machine._qom_get

    def less(path: str, property: str) -> object:  # noqa: A002
        return {} if property == "memory" else told(path, property)

    monkeypatch.setattr(machine, "_qom_get", less)
    situation = survey(machine.peer()).situation
    assert (situation.max_ram, situation.slots, situation.ram) == (4 * GIB, 4, ROOM.ram)


def test_how_a_machine_is_reached_tells_where_it_is():
    assert route_of(UnixTarget("/x")).is_local
    assert route_of(TcpTarget("localhost", 1)).is_local
    assert not route_of(TcpTarget("example.org", 1)).is_local
    here, there = LibvirtTarget("vm"), LibvirtTarget("vm", "qemu+ssh://host/system")
    assert route_of(here).is_local
    assert route_of(LibvirtTarget("vm", "qemu:///system")).is_local
    assert not route_of(there).is_local
    assert route_of(there).is_libvirts
    assert not route_of(there).carries_events


def test_a_file_is_no_machine(tmp_path):
    with pytest.raises(ConfigError, match=r"needs a running machine.*unix:PATH"):
        open_peer(str(tmp_path))


MEMINFO = """\
MemTotal:       24684084 kB
MemFree:        23000000 kB
MemAvailable:   24000000 kB
SwapTotal:       1048576 kB
SwapFree:        1000000 kB
CommitLimit:    12342040 kB
Committed_AS:    2342040 kB
HugePages_Total:       0
"""


def test_the_hosts_memory_is_read_from_proc(tmp_path):
    host = parse_host_memory(MEMINFO, 2)
    assert host is not None
    assert (host.total, host.available) == (24684084 << 10, 24000000 << 10)
    assert (host.swap_total, host.swap_free, host.overcommit) == (GIB, 1000000 << 10, 2)
    assert host.commit_left == 10000000 << 10
    assert parse_host_memory("MemFree: 1 kB\n") is None
    assert read_host_memory(tmp_path / "none", tmp_path / "none") is None
    (tmp_path / "info").write_text(MEMINFO)
    (tmp_path / "mode").write_text("1\n")
    read = read_host_memory(tmp_path / "info", tmp_path / "mode")
    assert read is not None
    assert read.overcommit == 1
    (tmp_path / "word").write_text("Y\n")
    assert read_number(tmp_path / "word") is None


@pytest.mark.parametrize(
    "command",
    ["query_memory_devices", "query_acpi_ospm_status", "query_memdev", "query_status",
     "query_kvm", "query_migrate", "query_version", "query_memory_size_summary", "qom_get",
     "qom_list", "human_monitor_command"],
)  # fmt: skip
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nonsense=JSON | ALMOST)
def test_a_peer_may_answer_anything(command, nonsense):
    machine = FakeMachine(situation=holding(dimm(0, BASE, GIB)))
    setattr(machine, f"_{command}", lambda **_: nonsense)
    try:
        scene = survey(machine.peer())
    except GuestmapError:
        return
    plan = plan_plug(scene, PlugRequest(GIB))
    assert plan.to_json()
    assert overview(scene.situation).to_json()


def test_nodes_that_nobody_tells_of_are_not_guessed(monkeypatch):
    machine = FakeMachine()
    told = machine._human_monitor_command
    monkeypatch.setattr(
        machine,
        "_human_monitor_command",
        lambda command_line: told(command_line.replace("info numa", "info nothing")),
    )
    assert survey(machine.peer()).situation.nodes is None


def test_vhost_is_known_by_a_devices_type_and_not_asked_for(monkeypatch):
    machine = FakeMachine()
    kinds = {"fs0": "vhost-user-fs-pci", "vsock0": "vhost-vsock-pci", "net0": "virtio-net-pci"}
    monkeypatch.setattr(
        machine, "_qom_list", lambda path: [{"name": n, "type": f"child<{k}>"}
                                            for n, k in kinds.items()])  # fmt: skip
    assert survey(machine.peer()).situation.vhost == ("fs0", "vsock0")


LACKING = {
    "CommitLimit": 0, "Committed_AS": 12342040 << 10, "SwapTotal": 10000000 << 10,
    "SwapFree": 10000000 << 10,
}  # fmt: skip


@pytest.mark.parametrize("name", LACKING)
def test_what_proc_does_not_say_is_nothing(name):
    text = "".join(line + "\n" for line in MEMINFO.splitlines() if not line.startswith(name))
    host = parse_host_memory(text)
    assert host is not None
    assert (host.commit_left, host.overcommit) == (LACKING[name], 0)
    assert host.swap_total == (0 if name == "SwapTotal" else GIB)
    assert host.swap_free == (0 if name == "SwapFree" else 1000000 << 10)


@pytest.mark.parametrize("name", ["MemTotal", "MemAvailable"])
def test_without_its_totals_nothing_is_known_of_the_host(name):
    assert parse_host_memory(MEMINFO.replace(name, "Other")) is None


def test_more_committed_than_may_be_leaves_nothing():
    host = parse_host_memory(MEMINFO.replace("  2342040 kB", " 99999999 kB"))
    assert host is not None
    assert host.commit_left == 0
