"""What a device reaches as a bus master."""

from __future__ import annotations

import json

import pytest

from guestmap.base import ConfigError
from guestmap.inspect import Snapshot
from guestmap.inspect.ask.dma import dma_reach, dma_sentences
from guestmap.inspect.sources.content import snapshot_of_bytes
from guestmap.memory import MemorySystem
from tests.cli.test_schemas import held
from tests.support.program import assert_one_clear_line, run_program
from tests.support.qemu import Qemu

VIEWS = """\
FlatView #0
 AS "nic", root: bus master container
 AS "memory", root: system
 Root memory region: system
  0000000000000000-000000000009ffff (prio 0, ram): pc.ram
  00000000000c0000-00000000000dffff (prio 0, rom): pc.rom @0000000000000100
  00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi

FlatView #1
 AS "disk", root: bus master container
 Root memory region: vtd-00.0
  0000000000000000-ffffffffffffffff (prio 0, i/o): vtd-00.0-dmar

FlatView #2
 AS "sound", root: bus master container
 Root memory region: (none)
  No rendered FlatView
"""


def reach(device: str):
    return dma_reach(snapshot_of_bytes(VIEWS.encode(), source="text"), device)


def test_memory_and_devices():
    (space,) = reach("nic").spaces
    told = [
        (each.start, each.end, each.region, each.writes, each.place and each.place.offset)
        for each in space.ranges
    ]
    assert told == [
        (0, 0xA0000, "pc.ram", True, 0),
        (0xC0000, 0xE0000, "pc.rom", False, 0x100),
        (0xFEE00000, 0xFEF00000, "apic-msi", True, None),
    ]
    assert not any(each.translates for each in space.ranges)
    text = "\n".join(dma_sentences(reach("nic")))
    assert "pc.rom @100, memory, which a write does not change" in text
    assert "apic-msi, a device's registers" in text


def test_an_iommu_translates():
    (space,) = reach("disk").spaces
    assert [each.translates for each in space.ranges] == [True]
    assert "its tables say" in "\n".join(dma_sentences(reach("disk")))


def test_one_that_is_no_bus_master_yet():
    assert reach("sound").spaces[0].ranges == ()
    assert "reaches nothing" in "\n".join(dma_sentences(reach("sound")))


def test_a_device_that_is_shown_read_only_is_a_device():
    with MemorySystem() as memory:
        bus = memory.container("bus", 0x3000)
        shown = memory.alias("shown", memory.io("uart", 0x1000, None), 0, 0x1000)
        shown.set_readonly(True)
        bus.add_subregion(0x1000, shown)
        memory.address_space("nic", bus)
        (space,) = dma_reach(Snapshot.of(memory), "nic").spaces
    (answer,) = space.ranges
    assert (answer.region, answer.type, answer.place, answer.writes) == ("uart", "rom", None, False)


@pytest.mark.parametrize("name", ["memory", "memory#1", "cpu-memory-0", "cpu-smm-1"])
def test_what_is_no_bus_master_is_refused(name):
    views = VIEWS.replace('AS "memory"', 'AS "memory", root: s\n AS "cpu-memory-0"')
    views = views.replace('AS "disk"', 'AS "cpu-smm-1"')
    with pytest.raises(ConfigError, match="what the CPUs see"):
        dma_reach(snapshot_of_bytes(views.encode(), source="text"), name)


def test_another_name_is_refused():
    with pytest.raises(ConfigError, match="no address space 'Nic'; did you mean 'nic'"):
        reach("Nic")


def test_the_command(tmp_path):
    (tmp_path / "map").write_text(VIEWS)
    run = run_program("dma", tmp_path / "map", "nic", "--json")
    form = json.loads(run.stdout)
    held("dma", form)
    assert [each["region"] for each in form["spaces"][0]["ranges"]] == [
        "pc.ram", "pc.rom", "apic-msi",
    ]  # fmt: skip
    assert_one_clear_line(run_program("dma", tmp_path / "map", "memory"), "what the CPUs see")


@pytest.mark.qemu
def test_a_real_card_reaches_memory_once_it_may(tmp_path):
    with Qemu("-device", "e1000,addr=4,id=nic0") as qemu:
        (tmp_path / "off").write_text(qemu.hmp("info mtree -f"))
        qemu.outl(0xCF8, 0x80002004)  # function 00:04.0, command
        qemu.outw(0xCFC, 1 << 2)  # bus master
        (tmp_path / "on").write_text(qemu.hmp("info mtree -f"))
    off, on = (run_program("dma", tmp_path / name, "e1000").stdout for name in ("off", "on"))
    assert "reaches nothing" in off
    assert "pc.ram @0, memory" in on
