"""What only our own machine lets a test see or do, with the guest at the other end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guestmap.base import MIB, HostError
from guestmap.memory import MemoryListener, MemoryRegionSection
from tests.guests.peers import OurPeer
from tests.memory.host_maps import mapped, open_files

pytestmark = [pytest.mark.nasm, pytest.mark.unicorn, pytest.mark.seabios]

FIRST = 0x100000000


@pytest.fixture
def machine() -> Iterator[OurPeer]:
    with OurPeer("-m", "64M,slots=2,maxmem=1G") as peer:
        peer.console.expect("guest: ready slots=2")
        yield peer


def test_the_host_has_its_memory_back(machine: OurPeer, tmp_path: Path) -> None:
    image = tmp_path / "dimm-of-this-test"
    machine.qmp(
        "object-add", qom_type="memory-backend-file", id="m0", size=16 * MIB,
        mem_path=str(image), share=True,
    )  # fmt: skip
    machine.qmp("device_add", driver="pc-dimm", id="d0", memdev="m0")
    machine.console.expect("guest: slot 0 ok blocks=8")
    assert mapped(image.name)
    machine.qmp("device_del", id="d0")
    machine.console.expect("guest: slot 0 removed reads=0x0")
    machine.qmp("object-del", id="m0")
    machine.vm.board.system.rcu.drain()
    assert not mapped(image.name)
    assert not any(image.name in name for name in open_files())
    assert {block.name for block in machine.vm.board.system.ram_blocks}.isdisjoint({"m0", "d0"})


class _Refusal(MemoryListener):
    """Refuses, once, that memory goes."""

    def __init__(self) -> None:
        self.armed = True

    def region_del(self, section: MemoryRegionSection) -> None:
        if self.armed and section.offset_within_address_space == FIRST:
            self.armed = False
            raise HostError("the host keeps it")


def test_an_eject_that_fails_leaves_everything_as_it_was(machine: OurPeer) -> None:
    machine.qmp("object-add", qom_type="memory-backend-ram", id="m0", size=16 * MIB)
    machine.qmp("device_add", driver="pc-dimm", id="d0", memdev="m0")
    assert machine.next_event()[0] == "ACPI_DEVICE_OST"
    before = machine.qmp("query-memory-devices")
    with machine.vm.exclusive():
        machine.vm.board.memory.register_listener(_Refusal())
    machine.qmp("device_del", id="d0")
    machine.console.expect("guest: slot 0 eject failed")
    machine.console.expect("guest: slot 0 ost event=0x3 status=0x1")
    events = [machine.next_event() for _ in range(4)]
    assert [name for name, _data in events] == [
        "ACPI_DEVICE_OST", "MEM_UNPLUG_ERROR", "DEVICE_UNPLUG_GUEST_ERROR", "ACPI_DEVICE_OST",
    ]  # fmt: skip
    assert events[1][1] == {"device": "d0", "msg": "the host keeps it"}
    assert events[2][1] == {"device": "d0", "path": "/machine/peripheral/d0"}
    assert machine.qmp("query-memory-devices") == before
    machine.console.ask("c 0", "guest: slot 0 same blocks=8")
    machine.qmp("device_del", id="d0")
    machine.console.expect("guest: slot 0 removed reads=0x0")
