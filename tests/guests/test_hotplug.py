"""The whole chain of memory hot-plug, with a guest at its end: the same on QEMU and on ours.

QEMU is the oracle: what is expected here is what it does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guestmap.base import MIB
from tests.guests.conftest import Boot
from tests.guests.peers import Peer

pytestmark = pytest.mark.nasm

RAM = ("-m", "128M,slots=4,maxmem=4G")
FIRST = 0x100000000
INSERT, EJECT = 1, 3
SUCCESS, FAILURE, BUSY, PENDING = 0, 1, 0x82, 0x84


def _ready(machine: Peer) -> int:
    return int(machine.console.expect(r"guest: ready slots=(\d+)")[1])


def _add(machine: Peer, name: str, size: int, **properties: Any) -> None:
    machine.qmp("object-add", qom_type="memory-backend-ram", id=f"m-{name}", size=size)
    machine.qmp("device_add", driver="pc-dimm", id=name, memdev=f"m-{name}", **properties)


def _plug(machine: Peer, name: str, size: int, **properties: Any) -> None:
    """Plug memory in and wait until the guest has it."""
    _add(machine, name, size, **properties)
    event, data = machine.next_event()
    assert event == "ACPI_DEVICE_OST"
    assert (data["info"]["source"], data["info"]["status"]) == (INSERT, SUCCESS)


def _ost(slot: int, source: int, status: int, device: str | None) -> tuple[str, dict[str, Any]]:
    info: dict[str, Any] = {
        "source": source, "status": status, "slot": str(slot), "slot-type": "DIMM",
    }  # fmt: skip
    if device is not None:
        info["device"] = device
    return "ACPI_DEVICE_OST", {"info": info}


def _read(machine: Peer, address: int) -> int:
    answer = machine.console.ask(f"p {address:x}", r"guest: read addr=(\S+) value=(\S+)")
    assert int(answer[1], 16) == address
    return int(answer[2], 16)


def _answers(machine: Peer) -> list[tuple[str | None, int, int]]:
    """Return device, source and status of every slot, as the host has them."""
    slots = machine.qmp("query-acpi-ospm-status")
    dimms = [each for each in slots if each["slot-type"] == "DIMM"]
    return [(each.get("device"), each["source"], each["status"]) for each in dimms]


# -- plugging in ---------------------------------------------------------------------------------


def test_a_machine_without_slots(boot: Boot) -> None:
    machine = boot("-m", "64M")
    assert _ready(machine) == 0
    assert machine.console.lines == ("guest: ready slots=0",)
    assert _read(machine, FIRST) == 0


@pytest.mark.parametrize("slots", [1, 2, 16, 255])
def test_the_guest_counts_the_slots(boot: Boot, slots: int) -> None:
    assert _ready(boot("-m", f"64M,slots={slots},maxmem=1G")) == slots


def test_new_memory_is_tested_and_acknowledged(boot: Boot) -> None:
    machine = boot(*RAM)
    _ready(machine)
    _add(machine, "d0", 128 * MIB)
    assert machine.next_event() == _ost(0, INSERT, SUCCESS, "d0")
    machine.console.expect("guest: slot 0 ost .*")
    assert machine.console.lines[-3:] == (
        f"guest: slot 0 insert addr={FIRST:#x} size=0x8000000 node=0",
        "guest: slot 0 ok blocks=64",
        "guest: slot 0 ost event=0x1 status=0x0",
    )
    machine.console.ask("c 0", "guest: slot 0 same blocks=64")
    assert _answers(machine) == [("d0", INSERT, SUCCESS), *[(None, 0, 0)] * 3]


def test_slots_and_addresses_are_those_that_were_asked_for(boot: Boot) -> None:
    machine = boot(*RAM)
    _ready(machine)
    _add(machine, "high", 64 * MIB, addr=FIRST + 256 * MIB, slot=2)
    machine.console.expect(r"guest: slot 2 insert addr=0x110000000 size=0x4000000 node=0")
    assert machine.next_event() == _ost(2, INSERT, SUCCESS, "high")
    _add(machine, "low", 6 * MIB)
    machine.console.expect(r"guest: slot 0 insert addr=0x100000000 size=0x600000 node=0")
    machine.console.expect(r"guest: slot 0 ok blocks=3")
    assert machine.next_event() == _ost(0, INSERT, SUCCESS, "low")


def test_several_at_once(boot: Boot) -> None:
    machine = boot(*RAM)
    _ready(machine)
    for number in range(4):
        _add(machine, f"d{number}", 16 * MIB)
    expected = [_ost(n, INSERT, SUCCESS, f"d{n}") for n in range(4)]
    events = [machine.next_event() for _ in range(4)]  # a scan may pass a slot just before it fills
    assert sorted(events, key=lambda event: event[1]["info"]["slot"]) == expected
    for number in range(4):
        machine.console.ask(f"c {number}", f"guest: slot {number} same blocks=8")


def test_memory_that_came_before_the_guest_looked(boot: Boot) -> None:
    machine = boot(*RAM, paused=True)
    _add(machine, "d0", 32 * MIB)
    machine.run()
    _ready(machine)
    machine.console.expect("guest: slot 0 ok blocks=16")
    assert machine.next_event() == _ost(0, INSERT, SUCCESS, "d0")


def test_memory_that_was_always_there(boot: Boot) -> None:
    machine = boot(
        *RAM, "-object", "memory-backend-ram,id=m0,size=64M", "-device", "pc-dimm,id=d0,memdev=m0"
    )
    _ready(machine)
    assert machine.console.lines == (
        f"guest: slot 0 present addr={FIRST:#x} size=0x4000000 node=0",
        "guest: slot 0 ok blocks=32",
        "guest: ready slots=4",
    )
    machine.qmp("device_del", id="d0")
    expected = [
        _ost(0, EJECT, PENDING, "d0"),
        ("DEVICE_DELETED", {"device": "d0", "path": "/machine/peripheral/d0"}),
        _ost(0, EJECT, SUCCESS, None),
    ]
    assert [machine.next_event() for _ in range(3)] == expected


def test_the_guest_is_told_the_numa_node(boot: Boot) -> None:
    machine = boot(
        *RAM, "-object", "memory-backend-ram,id=n0,size=96M", "-numa", "node,memdev=n0",
        "-object", "memory-backend-ram,id=n1,size=32M", "-numa", "node,memdev=n1",
    )  # fmt: skip
    _ready(machine)
    _add(machine, "d0", 16 * MIB, node=1)
    machine.console.expect(r"guest: slot 0 insert addr=\S+ size=0x1000000 node=1")
    assert machine.next_event() == _ost(0, INSERT, SUCCESS, "d0")


def test_memory_that_keeps_nothing_is_refused(boot: Boot, tmp_path: Path) -> None:
    image = tmp_path / "zeros"
    image.write_bytes(b"")
    with image.open("r+b") as file:
        file.truncate(8 * MIB)
    machine = boot(*RAM)
    _ready(machine)
    machine.qmp(
        "object-add", qom_type="memory-backend-file", id="m0", size=8 * MIB,
        mem_path=str(image), share=True, readonly=True,
    )  # fmt: skip
    machine.qmp("device_add", driver="pc-dimm", id="d0", memdev="m0")
    machine.console.expect(f"guest: slot 0 bad words=8 first={FIRST:#x}")
    assert machine.next_event() == _ost(0, INSERT, FAILURE, "d0")


def test_what_the_guest_writes_is_in_the_file(boot: Boot, tmp_path: Path) -> None:
    image = tmp_path / "memory"
    machine = boot(*RAM)
    _ready(machine)
    machine.qmp(
        "object-add", qom_type="memory-backend-file", id="m0", size=4 * MIB,
        mem_path=str(image), share=True,
    )  # fmt: skip
    machine.qmp("device_add", driver="pc-dimm", id="d0", memdev="m0")
    assert machine.next_event() == _ost(0, INSERT, SUCCESS, "d0")
    machine.console.ask(f"w {FIRST + 0x1234:x} 5a", r"guest: write addr=\S+ value=0x5a")
    assert image.read_bytes()[0x1234] == 0x5A


# -- unplugging ----------------------------------------------------------------------------------


def test_a_guest_that_agrees_lets_the_memory_go(boot: Boot) -> None:
    machine = boot(*RAM)
    _ready(machine)
    _plug(machine, "d0", 32 * MIB)
    assert _read(machine, FIRST) != 0
    machine.qmp("device_del", id="d0")
    expected = [
        _ost(0, EJECT, PENDING, "d0"),
        ("DEVICE_DELETED", {"device": "d0", "path": "/machine/peripheral/d0"}),
        _ost(0, EJECT, SUCCESS, None),
    ]
    assert [machine.next_event() for _ in range(3)] == expected
    machine.console.expect(r"guest: slot 0 remove asked")
    machine.console.expect(r"guest: slot 0 removed reads=0x0")
    machine.console.ask("c 0", "guest: slot 0 empty")
    assert _read(machine, FIRST) == 0
    machine.console.ask(f"w {FIRST:x} 5a", r"guest: write addr=\S+ value=0x5a")
    assert _read(machine, FIRST) == 0
    assert machine.qmp("query-memory-devices") == []
    assert _answers(machine)[0] == (None, EJECT, SUCCESS)
    machine.qmp("object-del", id="m-d0")


def test_other_memory_stays_as_it_is(boot: Boot) -> None:
    machine = boot(*RAM)
    _ready(machine)
    for name in ("a", "b", "c"):
        _plug(machine, name, 16 * MIB)
    machine.qmp("device_del", id="b")
    machine.console.expect("guest: slot 1 removed .*")
    machine.console.ask("c 0", "guest: slot 0 same blocks=8")
    machine.console.ask("c 1", "guest: slot 1 empty")
    machine.console.ask("c 2", "guest: slot 2 same blocks=8")


def test_a_slot_is_used_again(boot: Boot) -> None:
    machine = boot(*RAM)
    _ready(machine)
    for size in (16, 32, 8):
        _plug(machine, "d0", size * MIB)
        machine.console.expect(f"guest: slot 0 ok blocks={size // 2}")
        assert _read(machine, FIRST) != 0
        machine.qmp("device_del", id="d0")
        assert [machine.next_event()[0] for _ in range(3)][1] == "DEVICE_DELETED"
        assert _read(machine, FIRST) == 0
        machine.qmp("object-del", id="m-d0")


@pytest.mark.parametrize("status", [0x80, 0x81, 0x82, 0x83])
def test_a_guest_that_refuses_keeps_the_memory(boot: Boot, status: int) -> None:
    machine = boot(*RAM)
    _ready(machine)
    _plug(machine, "d0", 32 * MIB)
    machine.console.ask(f"r {status:x}", "guest: policy refuse")
    for _ in range(2):
        machine.qmp("device_del", id="d0")
        assert machine.next_event() == _ost(0, EJECT, status, "d0")
        machine.console.expect("guest: slot 0 remove refused")
    machine.console.ask("c 0", "guest: slot 0 same blocks=16")
    assert _answers(machine)[0] == ("d0", EJECT, status)


def test_a_guest_that_is_silent_can_be_asked_again(boot: Boot) -> None:
    machine = boot(*RAM)
    _ready(machine)
    _plug(machine, "d0", 32 * MIB)
    machine.console.ask("s", "guest: policy silent")
    machine.qmp("device_del", id="d0")
    machine.console.expect("guest: slot 0 remove ignored")
    machine.console.ask("c 0", "guest: slot 0 same blocks=16")
    assert _answers(machine)[0] == ("d0", INSERT, SUCCESS)
    machine.console.ask("a", "guest: policy agree")
    machine.qmp("device_del", id="d0")
    assert machine.next_event() == _ost(0, EJECT, PENDING, "d0")  # so nothing came before
    machine.console.expect("guest: slot 0 removed .*")


def test_several_removals_at_once(boot: Boot) -> None:
    machine = boot(*RAM)
    _ready(machine)
    names = [f"d{number}" for number in range(4)]
    for name in names:
        _plug(machine, name, 16 * MIB)
    for name in names:
        machine.qmp("device_del", id=name)
    events = [machine.next_event() for _ in range(3 * len(names))]
    deleted = [data["device"] for event, data in events if event == "DEVICE_DELETED"]
    assert sorted(deleted) == names
    assert machine.qmp("query-memory-devices") == []


# -- resets and the end --------------------------------------------------------------------------


def test_plugged_memory_survives_a_reset(boot: Boot) -> None:
    machine = boot(*RAM)
    _ready(machine)
    _plug(machine, "d0", 32 * MIB)
    machine.console.ask("z", "guest: reset")
    machine.console.expect(f"guest: slot 0 present addr={FIRST:#x} size=0x2000000 node=0")
    machine.console.expect("guest: slot 0 ok blocks=16")
    assert _ready(machine) == 4
    _plug(machine, "d1", 16 * MIB)
    machine.qmp("device_del", id="d0")
    machine.console.expect("guest: slot 0 removed .*")


def test_the_power_button_switches_off(boot: Boot) -> None:
    machine = boot(*RAM)
    _ready(machine)
    machine.qmp("system_powerdown")
    machine.console.expect("guest: power button")
    machine.console.expect("guest: power off")
    assert machine.next_event() == ("SHUTDOWN", {"guest": True, "reason": "guest-shutdown"})


def test_an_address_that_cannot_be_ends_in_a_fault_that_is_told(boot: Boot) -> None:
    machine = boot(*RAM)
    _ready(machine)
    machine.console.send("p ffff0000000000")  # beyond the bits of a page table entry
    told = machine.console.expect(r"guest: exception vector=0xe error=(\S+) eip=\S+ cr2=(\S+)")
    assert int(told[1], 16) & ~1 == 0x8  # a reserved bit; whether it counts as present differs
    assert int(told[2], 16) == 0x200000
