"""The registers of memory slots beside QEMU's: the same programs, the same reads and reports.

One QEMU runs all programs. Before each, its slots are brought back to where they began.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guestmap.base import GIB, MIB, IrqLine, ManualClock
from guestmap.hw.acpi.memory_hotplug import OstReport, PluggedMemory
from guestmap.hw.pci import PciBus
from guestmap.hw.piix4_pm import Piix4Pm
from guestmap.machine.placement import MapPlacer
from guestmap.memory import MemorySystem
from guestmap.memory.map import UNASSIGNED_IO_OPS
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.qemu, pytest.mark.qemu_7_2("its slots' registers, and its words")]

SLOTS = 3
SELECT, OST_EVENT, OST_STATUS, FLAGS = 0xA00, 0xA04, 0xA08, 0xA14
INSERTING, REMOVING, EJECT = 2, 4, 8
GPE_STATUS, GPE_ENABLE = 0xAFE0, 0xAFE2
LETTERS = {1: "b", 2: "w", 4: "l"}
DIMMS = (
    PluggedMemory("d0", 0x1_0000_0000, 64 * MIB, 0),
    PluggedMemory("d1", 0x1_4000_0000, 5 * GIB, 1),
    PluggedMemory("d2", 0x12_0000_0000, 2 * MIB, 0),
)
ARGUMENTS = [
    *("-m", f"128M,slots={SLOTS},maxmem=100G", "-smp", "2"),
    *("-object", "memory-backend-ram,id=ram0,size=128M", "-numa", "node,memdev=ram0"),
    *("-numa", "node"),
]


class Theirs:
    """QEMU."""

    def __init__(self, qemu: Qemu) -> None:
        self.qemu = qemu
        qemu.qtest("irq_intercept_in /machine/i440fx/ioapic")
        for number, dimm in enumerate(DIMMS):
            properties: dict[str, Any] = {
                "qom_type": "memory-backend-ram", "id": f"m{number}", "size": dimm.size,
            }  # fmt: skip
            qemu.qmp("object-add", **properties, reserve=False)

    def start(self) -> None:
        """Make it as it was at the beginning: empty slots, nothing said, nothing raised."""
        for slot in range(SLOTS):
            for port, value in (
                (SELECT, slot), (FLAGS, INSERTING), (FLAGS, REMOVING), (FLAGS, EJECT),
                (OST_EVENT, 0), (OST_STATUS, 0),
            ):  # fmt: skip
                self.qemu.outl(port, value)
        for port, value in ((SELECT, 0), (GPE_STATUS, 0xFFFF), (GPE_ENABLE, 0)):
            self.qemu.outl(port, value)
        self.qemu.qmp("query-status")
        self.qemu.events.clear()
        self.qemu.irqs.clear()

    def load(self, port: int, size: int) -> int:
        return int(self.qemu.qtest(f"in{LETTERS[size]} {port:#x}"), 16)

    def store(self, port: int, size: int, value: int) -> None:
        self.qemu.qtest(f"out{LETTERS[size]} {port:#x} {value:#x}")

    def plug(self, slot: int) -> None:
        dimm = DIMMS[slot]
        self.qemu.qmp(
            "device_add", driver="pc-dimm", id=dimm.id, memdev=f"m{slot}", slot=slot,
            addr=dimm.addr, node=dimm.node,
        )  # fmt: skip

    def ask(self, slot: int) -> None:
        self.qemu.qmp("device_del", id=f"d{slot}")

    def reset(self) -> None:
        self.qemu.qmp("system_reset")
        self.qemu.wait_event("RESET")

    def taken(self) -> list[int]:
        return sorted(each["data"]["slot"] for each in self.qemu.qmp("query-memory-devices"))

    def said(self) -> list[OstReport]:
        return [_report(each) for each in self.qemu.qmp("query-acpi-ospm-status")]

    def events(self) -> list[object]:
        self.qemu.qmp("query-status")
        events: list[object] = []
        for each in self.qemu.events:
            if each["event"] == "ACPI_DEVICE_OST":
                events.append(_report(each["data"]["info"]))
            elif each["event"] == "DEVICE_DELETED" and "device" in each["data"]:
                events.append(each["data"]["device"])
        self.qemu.events.clear()
        return events

    def interrupts(self) -> list[str]:
        self.qemu.qtest("inb 0x80")  # what was raised before stands in front of the answer
        return [each for each in self.qemu.irqs if each.endswith(" 9")]


def _report(info: dict[str, Any]) -> OstReport:
    assert info["slot-type"] == "DIMM"
    return OstReport(int(info["slot"]), info.get("device"), info["source"], info["status"])


class Ours:
    """The power management function, and no more."""

    def __init__(self) -> None:
        memory = MemorySystem()
        system = memory.container("system", 1 << 64)
        root = memory.io("io", 0x10000, UNASSIGNED_IO_OPS)
        self.ports = memory.address_space("I/O", root)
        self.bus = PciBus(MapPlacer(memory), memory.container("pci", 1 << 64), root, system)
        sci = IrqLine()
        self._interrupts: list[str] = []
        sci.connect(lambda level: self._interrupts.append(f"{'raise' if level else 'lower'} 9"))
        pm = Piix4Pm(self.bus, 0xB, ManualClock(), sci, memory_slots=SLOTS)
        assert pm.memory_hotplug is not None
        self.hotplug = pm.memory_hotplug
        self._events: list[object] = []
        self.hotplug.on_ost = self._events.append
        self.hotplug.on_eject = self._eject
        self._interrupts.clear()

    def _eject(self, slot: int) -> bool:
        self._events.append(f"d{slot}")
        self.hotplug.unplug(slot)
        return True

    def load(self, port: int, size: int) -> int:
        return self.ports.load(port, size)

    def store(self, port: int, size: int, value: int) -> None:
        self.ports.store(port, size, value)

    def plug(self, slot: int) -> None:
        self.hotplug.plug(slot, DIMMS[slot], hotplugged=True)

    def ask(self, slot: int) -> None:
        self.hotplug.unplug_request(slot)

    def reset(self) -> None:
        self.bus.reset()

    def taken(self) -> list[int]:
        return [slot for slot in range(SLOTS) if self.hotplug.device(slot) is not None]

    def said(self) -> list[OstReport]:
        return list(self.hotplug.statuses())

    def events(self) -> list[object]:
        return self._events

    def interrupts(self) -> list[str]:
        return self._interrupts


Step = tuple[Any, ...]

PORTS = st.one_of(
    st.integers(0x9FD, 0xA1A),
    st.sampled_from([SELECT, OST_EVENT, OST_STATUS, FLAGS, FLAGS]),
    st.integers(GPE_STATUS, GPE_ENABLE + 1),
)
VALUES = st.one_of(st.integers(0, 15), st.integers(0, 0xFFFF_FFFF))
SIZES = st.sampled_from([1, 2, 4])
STEPS = st.one_of(
    st.tuples(st.just("load"), PORTS, SIZES),
    st.tuples(st.just("store"), PORTS, SIZES, VALUES),
    st.tuples(st.just("select"), st.integers(0, SLOTS)),
    st.tuples(st.just("plug"), st.integers(0, SLOTS - 1)),
    st.tuples(st.just("ask"), st.integers(0, SLOTS - 1)),
    st.tuples(st.just("reset")),
)


def run(steps: list[Step], side: Theirs | Ours) -> tuple[Any, ...]:
    """Return everything that can be seen of a side while it runs a program."""
    reads: list[int] = []
    for what, *arguments in steps:
        if what == "load":
            reads.append(side.load(*arguments))
        elif what == "store":
            port, size, value = arguments
            side.store(port, size, value & ((1 << 8 * size) - 1))
        elif what == "select":
            side.store(SELECT, 4, arguments[0])
        elif what == "reset":
            side.reset()
        elif (arguments[0] in side.taken()) == (what == "ask"):
            (side.plug if what == "plug" else side.ask)(arguments[0])
    for slot in range(SLOTS + 1):
        side.store(SELECT, 4, slot)
        reads += [side.load(0xA00 + offset, 4) for offset in range(0, 24, 4)]
    reads += [side.load(port, 1) for port in range(GPE_STATUS, GPE_ENABLE + 2)]
    return reads, side.taken(), side.said(), side.events(), side.interrupts()


@pytest.fixture(scope="module")
def theirs() -> Iterator[Theirs]:
    with Qemu(*ARGUMENTS) as qemu:
        yield Theirs(qemu)


@settings(
    max_examples=150, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(steps=st.lists(STEPS, max_size=40))
def test_random_programs(theirs: Theirs, steps: list[Step]) -> None:
    theirs.start()
    expected = run(steps, theirs)
    assert run(steps, Ours()) == expected


LOOK: list[Step] = [
    ("load", 0xA00 + offset, size)
    for size in (1, 2, 4)
    for offset in range(0, 24, 1 if size < 4 else 2)
]
PROGRAMS: dict[str, list[Step]] = {
    "every register, every size": [
        *LOOK, ("plug", 1), *LOOK, ("select", 1), *LOOK, ("select", 3), *LOOK,
        ("select", 0xFFFF_FFFF), *LOOK,
    ],
    "the whole life": [
        ("store", GPE_ENABLE, 1, 8), ("plug", 0), ("load", GPE_STATUS, 1), ("select", 0), *LOOK,
        ("store", FLAGS, 1, INSERTING), ("load", FLAGS, 1), ("store", GPE_STATUS, 1, 8),
        ("store", OST_EVENT, 4, 1), ("store", OST_STATUS, 4, 0), ("ask", 0), ("load", FLAGS, 1),
        ("store", GPE_STATUS, 1, 8), ("store", FLAGS, 1, REMOVING), ("load", FLAGS, 1),
        ("store", OST_EVENT, 4, 0x103), ("store", OST_STATUS, 4, 0x84),
        ("store", FLAGS, 1, EJECT), *LOOK, ("plug", 0), *LOOK,
    ],
    "ejected with both flags up": [
        ("plug", 0), ("select", 0), ("ask", 0), ("store", FLAGS, 1, EJECT), ("load", FLAGS, 1),
        ("plug", 0), ("load", FLAGS, 1),
    ],
    "reset with everything up": [
        ("store", GPE_ENABLE, 1, 8), ("plug", 0), ("plug", 1), ("select", 1), ("ask", 1),
        ("store", OST_EVENT, 4, 3), ("store", OST_STATUS, 4, 0x80), ("reset",), *LOOK,
    ],
    "several commands at once": [
        ("plug", 0), ("select", 0), ("ask", 0), ("store", FLAGS, 1, 15), ("load", FLAGS, 1),
        ("store", FLAGS, 1, 12), ("load", FLAGS, 1), ("store", FLAGS, 1, 9), ("load", FLAGS, 1),
    ],
    "nothing reaches a slot that is not": [
        ("select", 3), ("store", OST_EVENT, 4, 1), ("store", OST_STATUS, 4, 1),
        ("store", FLAGS, 1, EJECT), ("select", 0), ("store", OST_STATUS, 1, 0x81),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(theirs: Theirs, name: str) -> None:
    theirs.start()
    expected = run(PROGRAMS[name], theirs)
    assert run(PROGRAMS[name], Ours()) == expected
