from __future__ import annotations

import json
from typing import Any

import pytest

from guestmap.base import PeerError, UnsupportedError
from guestmap.conform import QtestCase, read_case, replay
from guestmap.memory import AddressSpace, MemoryRegionOps, MemorySystem
from guestmap.memory.map import UNASSIGNED_IO_OPS


class SwitchMachine:
    """4 KiB of RAM that port 10h switches on and off; it is off after reset."""

    def __init__(self) -> None:
        self.system = MemorySystem()
        ports = self.system.io("io", 0x10000, UNASSIGNED_IO_OPS)
        root = self.system.container("system", 1 << 64)
        self.ram = self.system.ram("ram", 0x1000)
        switch = MemoryRegionOps(
            read=lambda _offset, _size: int(self.ram.enabled),
            write=lambda _offset, value, _size: self.ram.set_enabled(bool(value)),
        )
        ports.add_subregion(0x10, self.system.io("switch", 1, switch))
        root.add_subregion(0, self.ram)
        self.ram.set_enabled(False)
        self.io = self.system.address_space("I/O", ports)
        self.memory = self.system.address_space("memory", root)

    @property
    def address_spaces(self) -> tuple[AddressSpace, ...]:
        return self.system.address_spaces

    def system_reset(self) -> None:
        self.ram.set_enabled(False)


PORTS = [
    [0, 0x10, 0, False, "i/o", "io", 0],
    [0x10, 1, 0, False, "i/o", "switch", 0],
    [0x11, 0xFFEF, 0, False, "i/o", "io", 0x11],
]
# A container whose only child is at 0 shows that child's view; with none enabled, the empty one.
VIEWS = [
    {"root": "io", "ranges": PORTS},
    {"root": "(none)", "ranges": []},
    {"root": "ram", "ranges": [[0, 0x1000, 0, False, "ram", "ram", 0]]},
]
OFF = [["I/O", "io", 0], ["memory", "system", 1]]
ON = [["I/O", "io", 0], ["memory", "system", 2]]


def case(*steps: dict[str, Any]) -> QtestCase:
    form = {"cmdline": ["qemu"], "views": VIEWS, "steps": list(steps)}
    found = read_case(json.dumps(form).encode())
    assert isinstance(found, QtestCase)
    return found


def step(*ops: list[str], spaces: Any = None) -> dict[str, Any]:
    return {"what": "s", "ops": list(ops), **({"as": spaces} if spaces else {"same": True})}


def test_accesses_replies_and_views_that_agree() -> None:
    recorded = case(
        step(spaces=OFF),
        step(["inb 0x10", "0x0000"], ["inw 0x80", "0xffff"], ["readl 0x0", "0x0000000000000000"]),
        step(["outb 0x10 0x1", ""], spaces=ON),
        step(["writel 0x4 0xaabbccdd", ""], ["readb 0x5", "0xcc"], ["readw 0x6", "0xaabb"]),
        step(["writeq 0x8 0x1122334455667788", ""], ["readq 0x8", "0x1122334455667788"]),
        step(["qmp system_reset", ""], spaces=OFF),
    )
    assert replay(recorded, SwitchMachine()) == []


def test_a_reply_that_differs_is_told_with_its_command() -> None:
    (difference,) = replay(case(step(["inb 0x10", "0x0001"], spaces=OFF)), SwitchMachine())
    assert difference.where == "step 0 (s), command 0 'inb 0x10'"
    assert (difference.qemu, difference.guestmap) == ("0x0001", "0x0")


def test_a_view_that_differs_is_told() -> None:
    recorded = case(step(spaces=OFF), step(["outb 0x10 0x1", ""]))
    (difference,) = replay(recorded, SwitchMachine())
    assert difference.where == "step 1 (s), AS 'memory', root 'system', range 0"
    assert difference.qemu == "has no such range"
    assert "type=ram name=ram" in difference.guestmap


def test_an_address_space_missing_or_too_many_is_told() -> None:
    extra = [*OFF, ["smm", "system", 1]]
    (difference,) = replay(case(step(spaces=extra)), SwitchMachine())
    assert (difference.qemu, difference.guestmap) == ("has 1", "has 0")
    (difference,) = replay(case(step(spaces=OFF[:1])), SwitchMachine())
    assert (difference.qemu, difference.guestmap) == ("has 0", "has 1")


def test_a_limit_stops_it() -> None:
    recorded = case(step(["inb 0x10", "0x1"], ["inb 0x10", "0x1"], spaces=ON))
    assert len(replay(recorded, SwitchMachine())) == 3
    assert len(replay(recorded, SwitchMachine(), limit=1)) == 1


def test_a_command_that_is_not_replayed_is_unsupported_by_name() -> None:
    with pytest.raises(UnsupportedError, match="clock_step"):
        replay(case(step(["clock_step 100", "0x1"], spaces=OFF)), SwitchMachine())


def test_a_view_that_the_recording_lacks_is_refused() -> None:
    with pytest.raises(PeerError, match="view 9, absent"):
        replay(case(step(spaces=[["I/O", "io", 9]])), SwitchMachine())


def test_a_reply_that_is_none_of_qtests_is_refused() -> None:
    with pytest.raises(PeerError, match="'OK 0x1' is no reply of qtest"):
        replay(case(step(["inb 0x10", "OK 0x1"], spaces=OFF)), SwitchMachine())
