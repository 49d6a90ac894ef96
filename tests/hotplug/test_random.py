"""Random valid and invalid requests, and a guest that does anything, to ours and to QEMU 7.2."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.hotplug.sides import (
    Message,
    OurSide,
    QemuSide,
    events_of,
    guest_view,
    settled,
    tree_of_pluggable,
)

MIB, GIB = 1 << 20, 1 << 30
BASE = 4 * GIB
ARGS = ("-m", "128M,slots=3,maxmem=2G")

backends = st.sampled_from(["m0", "m1", "m2", "m3", "pc.ram", "nope"])
devices = st.sampled_from(["d0", "d1", "d2", "at-100000000", "1d"])
sizes = st.sampled_from([0, 1, 2 * MIB, 64 * MIB, 128 * MIB, 700 * MIB, 3 * GIB, 3 * MIB])
addresses = st.sampled_from(
    [
        0,
        0x1000,
        BASE,
        BASE + 2 * MIB,
        BASE + 4 * MIB,
        BASE + 100 * MIB,
        BASE + 64 * MIB + 4096,
        BASE + 5 * GIB,
    ]
) | st.integers(0, 2500).map(lambda n: BASE + n * 2 * MIB)
CLOSE = [BASE + n * 32 * MIB for n in range(8)]
slots = st.integers(-2, 4)
nodes = st.integers(0, 2)
placement = st.fixed_dictionaries({}, optional={"slot": slots, "addr": addresses, "node": nodes})


class BesideQemu(RuleBasedStateMachine):
    """Every step is done to both; answers, events and what there is must be the same."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.ours = OurSide(Path(self._folder.name), *ARGS)
        self.theirs = QemuSide(*ARGS).start()

    def both(self, command: str, **arguments: Any) -> None:
        request: Message = {"execute": command, "arguments": arguments}
        assert settled(self.ours.request(request)) == settled(self.theirs.request(request))
        self.compare()

    def compare(self) -> None:
        assert events_of(self.ours) == events_of(self.theirs)
        for query in ("query-memory-devices", "query-acpi-ospm-status", "query-memdev"):
            request: Message = {"execute": query}
            assert settled(self.ours.request(request)) == settled(self.theirs.request(request))

    @initialize(plugged=st.integers(0, 2))
    def begin(self, plugged: int) -> None:
        """Begin with something to refuse."""
        for number, size in enumerate((128 * MIB, 64 * MIB, 2 * MIB, 700 * MIB)):
            self.object_add(f"m{number}", size)
        for number in range(plugged):
            self.device_add(f"d{number}", f"m{number}", {})

    @rule(name=backends, size=sizes)
    def object_add(self, name: str, size: int) -> None:
        rest = {"qom-type": "memory-backend-ram", "reserve": False}
        self.both("object-add", id=name, size=size, **rest)

    @rule(name=backends)
    def object_del(self, name: str) -> None:
        self.both("object-del", id=name)

    @rule(
        name=devices,
        memdev=st.none() | backends,
        optional=st.fixed_dictionaries(
            {}, optional={"slot": slots, "addr": addresses, "node": nodes}
        ),
    )
    def device_add(self, name: str, memdev: str | None, optional: dict[str, int]) -> None:
        link = {} if memdev is None else {"memdev": memdev}
        self.both("device_add", driver="pc-dimm", id=name, **link, **optional)

    @rule(addr=st.sampled_from(CLOSE), memdev=st.sampled_from(["m1", "m2", "m3"]))
    def device_add_nearby(self, addr: int, memdev: str) -> None:
        """Add a DIMM that could be added, but for who is there already."""
        self.both("device_add", driver="pc-dimm", id=f"at-{addr:x}", memdev=memdev, addr=addr)

    @rule(name=devices)
    def device_del(self, name: str) -> None:
        self.both("device_del", id=name)

    @rule(slot=st.integers(0, 4), command=st.sampled_from([2, 4, 6, 8, 14, 0, 0xFF]))
    def guest_commands(self, slot: int, command: int) -> None:
        for side in (self.ours, self.theirs):
            side.out(0xA00, slot, 4)
            side.out(0xA14, command, 1)
        self.compare()

    @rule(slot=st.integers(0, 4), event=st.sampled_from([1, 3, 0x103]), status=st.integers(0, 255))
    def guest_reports(self, slot: int, event: int, status: int) -> None:
        for side in (self.ours, self.theirs):
            side.out(0xA00, slot, 4)
            side.out(0xA04, event, 4)
            side.out(0xA08, status, 4)
        self.compare()

    @rule(slot=st.integers(0, 4), offset=st.integers(0, 20), size=st.sampled_from([1, 2, 4]))
    def guest_looks(self, slot: int, offset: int, size: int) -> None:
        for side in (self.ours, self.theirs):
            side.out(0xA00, slot, 4)
        assert self.ours.read(0xA00 + offset, size) == self.theirs.read(0xA00 + offset, size)

    @rule(value=st.sampled_from([0, 8, 0xF]))
    def guest_takes_the_event(self, value: int) -> None:
        for side in (self.ours, self.theirs):
            side.out(0xAFE2, 8, 2)
        assert self.ours.read(0xAFE0, 4) == self.theirs.read(0xAFE0, 4)
        for side in (self.ours, self.theirs):
            side.out(0xAFE0, value, 1)

    def teardown(self) -> None:
        try:
            assert guest_view(self.ours) == guest_view(self.theirs)
            assert tree_of_pluggable(self.ours) == tree_of_pluggable(self.theirs)
        finally:
            self.ours.close()
            self.theirs.close()
            self._folder.cleanup()


@pytest.mark.qemu
@pytest.mark.qemu_7_2("how it plugs, and its words")
@pytest.mark.seabios
class TestBesideQemu(BesideQemu.TestCase):  # type: ignore[misc, valid-type, name-defined]
    settings = settings(
        max_examples=30,
        stateful_step_count=30,
        suppress_health_check=list(HealthCheck),
    )
