"""Whatever fails while memory is plugged in or out: nothing has changed, and the next try works.

A failure is put into every function that takes part, one after the other, and into everything that
the host, a listener or the configuration can refuse.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from guestmap.base import ConfigError, HostError, ManualClock
from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import MachineConfig, MachineEvent, NumaNode, Pc
from guestmap.memory import MemoryListener, MemoryRegionSection
from guestmap.memory.ram.host import HostMemory

pytestmark = pytest.mark.seabios

MIB, GIB = 1 << 20, 1 << 30

STEPS = (
    "machine/management.py", "machine/hotplug/device_maker.py", "machine/hotplug/handler.py",
    "machine/hotplug/pc_dimm.py", "machine/hotplug/backends.py",
    "machine/hotplug/backend_properties.py", "machine/hotplug/device_memory.py",
    "hw/acpi/memory_hotplug.py", "memory/ram/host/options.py",
)  # fmt: skip
"""The modules of the way from a request to the guest, and back."""

NOT_STEPS = {
    "unparent", "unparented", "unrealize", "do_unrealize", "undo_pre_plug", "mark_unused",
    "finalize",
}  # fmt: skip
"""What takes things back is not allowed to fail."""

GUEST_CALLS = {"_write", "_read", "_command", "_eject"}
"""What the guest calls cannot raise; what they call can."""


class InjectedError(ConfigError):
    """What the test makes fail."""


def taking_back(frame: FrameType | None) -> bool:
    """Tell whether a call is, or belongs to, one that is not allowed to fail."""
    if frame is not None and frame.f_code.co_name in GUEST_CALLS:
        return True
    while frame is not None:
        code = frame.f_code
        if code.co_name in NOT_STEPS:
            return True
        if code.co_qualname == "Management.remove":  # the device has left already
            return True
        frame = frame.f_back
    return False


@contextmanager
def failing_at(number: int) -> Iterator[list[str]]:
    """Raise as the ``number``-th step is entered (0: never); yields the names of those entered."""
    entered: list[str] = []

    def trace(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event != "call" or len(entered) == number > 0 or taking_back(frame):
            return
        if code.co_name.startswith("<") or not code.co_filename.endswith(STEPS):
            return
        entered.append(f"{Path(code.co_filename).stem}.{code.co_qualname}")
        if len(entered) == number:
            raise InjectedError(f"injected in {entered[-1]}")

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        yield entered
    finally:
        sys.settrace(former)


class Machine:
    """A PC with one DIMM plugged in and one back-end that is free."""

    def __init__(self) -> None:
        self.pc = Pc(MachineConfig(slots=3, max_ram=2 * GIB), ManualClock(), epoch_ns=0)
        self.manage = self.pc.manage
        self.events: list[MachineEvent] = []
        self.pc.events.subscribe(self.events.append)
        self.manage.object_add("memory-backend-ram", "m0", {"size": 64 * MIB})
        self.manage.device_add("pc-dimm", "d0", {"memdev": "m0"})
        self.manage.object_add("memory-backend-ram", "m1", {"size": 128 * MIB})
        self.out(0xAFE2, 8, 2)

    def out(self, port: int, value: int, size: int) -> None:
        self.pc.io.store(port, size, value)

    def eject(self, slot: int) -> None:
        self.out(0xA00, slot, 4)
        self.out(0xA14, 8, 1)

    def state(self) -> dict[str, object]:
        """Return all that must be as before."""
        snapshot = Snapshot.of(self.pc.system)
        registers = []
        for slot in range(3):
            self.out(0xA00, slot, 4)
            registers.append([self.pc.io.load(0xA00 + n, 4) for n in range(0, 24, 4)])
        return {
            "objects": {each.path: values(each) for each in self.pc.tree.root.walk()},
            "blocks": [(b.name, b.offset, b.used_length) for b in self.pc.system.ram_blocks],
            "map": write_flat(snapshot) + write_mtree(snapshot),
            "registers": registers,
            "gpe": self.pc.io.load(0xAFE0, 4),
            "devices": self.manage.memory_devices(),
            "status": self.manage.acpi_ospm_status(),
            "mappings": guest_mappings(),
        }


def values(each: Any) -> dict[str, object]:
    """Return an object's properties that can be read and do not follow the clock."""
    return {
        prop.name: each.get(prop.name)
        for prop in each.properties()
        if prop.get is not None and prop.name not in {"rtc-time", "date"}
    }


_PIECE = 32 * MIB


def guest_mappings() -> int:
    """Return how many bytes this process has mapped without a name, in large pieces.

    Whole multiples only: the kernel joins a large piece with small ones of the allocator beside it.
    """
    total = 0
    for line in Path("/proc/self/maps").read_text(encoding="ascii").splitlines():
        span, *_rest, _inode = line.split(maxsplit=5)[:5]
        start, end = (int(each, 16) for each in span.split("-"))
        if len(line.split()) == 5:
            total += (end - start) // _PIECE * _PIECE
    return total


@pytest.fixture
def machine() -> Iterator[Machine]:
    gc.collect()  # what earlier machines mapped
    made = Machine()
    yield made
    made.pc.system.close()


OPERATIONS: dict[str, Callable[[Machine], None]] = {
    "object-add": lambda m: m.manage.object_add(
        "memory-backend-ram", "m2", {"size": 32 * MIB, "merge": False, "dump": False}
    ),
    "object-add, filled in": lambda m: m.manage.object_add(
        "memory-backend-memfd", "m2", {"size": 32 * MIB, "prealloc": True}
    ),
    "device_add": lambda m: m.manage.device_add("pc-dimm", "d1", {"memdev": "m1", "slot": 1}),
    "device_del": lambda m: m.manage.device_del("d0"),
    "object-del": lambda m: m.manage.object_del("m1"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_failure_at_every_step(machine: Machine, operation: str) -> None:
    run = OPERATIONS[operation]
    before = machine.state()
    number, told = 1, len(machine.events)
    while True:
        with failing_at(number) as entered:
            try:
                run(machine)
            except InjectedError:
                pass
            else:
                break
        machine.pc.system.rcu.drain()
        assert machine.state() == before, entered[-1]
        assert len(machine.events) == told, entered[-1]
        number += 1
    assert number > 2
    assert machine.state() != before, "in the end it is done"


def test_a_failure_at_every_step_of_an_eject(machine: Machine) -> None:
    """The guest is not told of it by an exception: it reads the slot again."""
    before = machine.state()
    number, told = 1, len(machine.events)
    while True:
        with failing_at(number):
            machine.eject(0)
        if not machine.manage.memory_devices():
            break
        machine.pc.system.rcu.drain()
        assert machine.state() == before, number
        names = [event.name for event in machine.events[told:]]
        assert names in ([], ["MEM_UNPLUG_ERROR", "DEVICE_UNPLUG_GUEST_ERROR"])
        del machine.events[told:]
        number += 1
    assert number > 3
    assert [event.name for event in machine.events[told:]] == ["DEVICE_DELETED"]


# -- what can really be refused --------------------------------------------------------------------


class Refuses(MemoryListener):
    """A listener without room for another slot (as KVM's can be), or that cannot let go of one."""

    name = "full"
    refuses_add = refuses_del = False

    def region_add(self, section: MemoryRegionSection) -> None:
        if self.refuses_add and section.offset_within_address_space >= 4 * GIB:
            raise ConfigError("no free slot available")

    def region_del(self, section: MemoryRegionSection) -> None:
        if self.refuses_del and section.offset_within_address_space >= 4 * GIB:
            raise ConfigError("the slot is in use")


@pytest.fixture
def listener(machine: Machine) -> Iterator[Refuses]:
    made = Refuses()
    machine.pc.memory.register_listener(made)
    yield made
    made.refuses_add = made.refuses_del = False
    machine.pc.memory.unregister_listener(made)


def test_a_listener_that_refuses_a_dimm(machine: Machine, listener: Refuses) -> None:
    before = machine.state()
    listener.refuses_add = True
    with pytest.raises(ConfigError, match="no free slot available"):
        OPERATIONS["device_add"](machine)
    assert machine.state() == before
    listener.refuses_add = False
    OPERATIONS["device_add"](machine)
    assert len(machine.manage.memory_devices()) == 2


def test_a_listener_that_keeps_a_dimm(machine: Machine, listener: Refuses) -> None:
    before, told = machine.state(), len(machine.events)
    listener.refuses_del = True
    machine.eject(0)
    assert machine.state() == before
    error, told_path = (event.data for event in machine.events[told:])
    assert error == {"device": "d0", "msg": "the slot is in use"}
    assert told_path == {"device": "d0", "path": "/machine/peripheral/d0"}
    listener.refuses_del = False
    machine.eject(0)
    assert machine.manage.memory_devices() == []


@pytest.mark.parametrize("properties", [
    {"size": 1 << 60}, {"size": 32 * MIB, "policy": "bind", "host-nodes": [100]}, {"size": 0},
    {"size": 32 * MIB, "policy": "bind"}, {"size": 32 * MIB, "frob": 1}, {},
])  # fmt: skip
def test_a_back_end_that_cannot_be(machine: Machine, properties: dict[str, Any]) -> None:
    before = machine.state()
    with pytest.raises((ConfigError, HostError)):
        machine.manage.object_add("memory-backend-ram", "m2", properties)
    assert machine.state() == before


def test_a_host_that_maps_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> HostMemory:
        raise HostError("cannot set up guest memory 'm2'", errno=12, call="mmap")

    before = machine.state()
    with monkeypatch.context() as patch:
        patch.setattr(HostMemory, "map", refuse)
        with pytest.raises(HostError, match="Cannot allocate memory"):
            OPERATIONS["object-add"](machine)
    assert machine.state() == before
    OPERATIONS["object-add"](machine)


@pytest.mark.parametrize(("properties", "refusal"), [
    ({"memdev": "m0"}, "can't use already busy memdev: m0"),
    ({"memdev": "m1", "node": 5}, "exceeds the number of numa nodes: 1"),
    ({"memdev": "m1", "slot": 0}, "slot 0 is busy"),
    ({"memdev": "m1", "addr": 4 * GIB}, "conflicts with memory device id='d0'"),
    ({"memdev": "m1", "nope": 1}, "not found"),
    ({}, "'memdev' property must be set"),
])  # fmt: skip
def test_a_dimm_that_cannot_be(machine: Machine, properties: dict[str, Any], refusal: str) -> None:
    before = machine.state()
    with pytest.raises(ConfigError, match=refusal):
        machine.manage.device_add("pc-dimm", "d1", properties)
    assert machine.state() == before


@pytest.mark.parametrize("node", [0, 1, 2, 3])
def test_a_dimm_is_in_one_of_the_machines_nodes(node: int) -> None:
    nodes = (NumaNode(64 * MIB, frozenset({0})), NumaNode(64 * MIB))
    config = MachineConfig(ram_size=128 * MIB, slots=1, max_ram=GIB, numa_nodes=nodes)
    pc = Pc(config, ManualClock(), epoch_ns=0)
    with pc.system:
        pc.manage.object_add("memory-backend-ram", "m0", {"size": 64 * MIB})
        properties = {"memdev": "m0", "node": node}
        if node < 2:
            pc.manage.device_add("pc-dimm", "d0", properties)
            assert pc.manage.memory_devices()[0]["data"]["node"] == node
        else:
            with pytest.raises(ConfigError, match="exceeds the number of numa nodes: 2"):
                pc.manage.device_add("pc-dimm", "d0", properties)


def test_numbers_of_devices_without_a_name_do_not_come_again(machine: Machine) -> None:
    """QEMU counts them (``anon_count`` in its qdev-monitor): one that failed has had its number."""
    anonymous = machine.pc.tree.container("/machine/peripheral-anon")
    machine.manage.device_add("pc-dimm", None, {"memdev": "m1", "slot": 1})
    assert list(anonymous.children) == ["device[0]"]
    machine.manage.object_add("memory-backend-ram", "m2", {"size": 64 * MIB})
    with pytest.raises(ConfigError, match="slot number 9"):
        machine.manage.device_add("pc-dimm", None, {"memdev": "m2", "slot": 9})
    machine.manage.device_add("pc-dimm", None, {"memdev": "m2", "slot": 2})
    assert list(anonymous.children) == ["device[0]", "device[2]"]
    machine.eject(1)
    assert list(anonymous.children) == ["device[2]"]
    machine.manage.device_add("pc-dimm", None, {"memdev": "m1", "slot": 1})
    assert sorted(anonymous.children) == ["device[2]", "device[3]"]


def test_slots_that_are_all_taken(machine: Machine) -> None:
    for number in (2, 3):
        machine.manage.object_add("memory-backend-ram", f"s{number}", {"size": 2 * MIB})
        machine.manage.device_add("pc-dimm", f"d{number}", {"memdev": f"s{number}"})
    before = machine.state()
    with pytest.raises(ConfigError, match="no free slots available"):
        machine.manage.device_add("pc-dimm", "d1", {"memdev": "m1"})
    assert machine.state() == before


def test_the_hosts_memory_goes_back(machine: Machine) -> None:
    before = guest_mappings()
    machine.manage.object_add("memory-backend-ram", "m2", {"size": 512 * MIB})
    machine.manage.device_add("pc-dimm", "d1", {"memdev": "m2"})
    assert guest_mappings() >= before + 512 * MIB
    machine.pc.memory.write(machine.manage.memory_devices()[1]["data"]["addr"], b"x" * MIB)  # type: ignore[index,call-overload]
    machine.manage.device_del("d1")
    machine.eject(1)
    machine.manage.object_del("m2")
    machine.pc.system.rcu.drain()
    assert guest_mappings() == before


def test_room_that_was_given_back_can_be_used_again(machine: Machine) -> None:
    for _again in range(5):
        machine.manage.object_add("memory-backend-ram", "big", {"size": 1800 * MIB})
        machine.manage.device_add("pc-dimm", "b", {"memdev": "big", "slot": 2})
        machine.eject(2)
        machine.manage.object_del("big")
