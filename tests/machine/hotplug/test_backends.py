"""Memory back-ends, and DIMMs made of them, as objects of a machine.

What is expected is what QEMU 7.2 answers to the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guestmap.base import MIB, ConfigError, HostError, ManualClock
from guestmap.machine import Pc, config_of

pytestmark = pytest.mark.seabios

LINE = (
    "-nodefaults -vga none -smp 3 -m 128M,slots=2,maxmem=1G -object memory-backend-ram,id=a,size=2M"
    " -object memory-backend-ram,id=b,size=2M,prealloc-threads=2"
)


@pytest.fixture
def pc() -> Iterator[Pc]:
    made = Pc(config_of(LINE.split()), ManualClock())
    yield made
    made.system.close()


def test_as_many_threads_preallocate_as_there_are_cpus(pc: Pc) -> None:
    pc.manage.object_add("memory-backend-memfd", "c", {"size": 2 * MIB})
    threads = [pc.tree.get(f"/objects/{name}", "prealloc-threads") for name in "abc"]
    assert threads == [3, 2, 3]


def test_what_has_been_filled_in_stays_so(pc: Pc) -> None:
    pc.tree.set("/objects/a", "prealloc", False)
    assert pc.tree.get("/objects/a", "prealloc") is False
    pc.tree.set("/objects/a", "prealloc", True)
    pc.tree.set("/objects/a", "prealloc", False)
    assert pc.tree.get("/objects/a", "prealloc") is True


@pytest.mark.parametrize("name", ["merge", "dump"])
def test_how_the_host_treats_memory_is_kept(pc: Pc, name: str) -> None:
    assert pc.tree.get("/objects/a", name) is True
    for value in (False, True, False):
        pc.tree.set("/objects/a", name, value)
        assert pc.tree.get("/objects/a", name) is value


def test_a_ram_block_has_its_name_when_the_machine_uses_it(pc: Pc) -> None:
    before = [block.name for block in pc.system.ram_blocks]
    pc.manage.device_add("pc-dimm", "d", {"memdev": "a"})
    after = [block.name for block in pc.system.ram_blocks]
    assert [name for name in after if name not in before] == ["a"]


def test_filling_in_does_not_ask_for_a_policy_that_comes_too_late(pc: Pc) -> None:
    pc.tree.set("/objects/a", "policy", "bind")
    pc.tree.set("/objects/a", "prealloc", True)
    assert pc.tree.get("/objects/a", "prealloc") is True


def test_a_file_that_is_too_small(pc: Pc, tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(bytes(MIB))
    with pytest.raises((ConfigError, HostError)) as told:
        pc.manage.object_add(
            "memory-backend-file", "f", {"size": 4 * MIB, "mem-path": str(path), "share": True}
        )
    assert str(told.value) == ("backing store size 0x100000 does not match 'size' option 0x400000")


@pytest.mark.parametrize("properties", [
    {"realized": True, "memdev": "a", "slot": 1}, {"memdev": "a", "realized": False, "slot": 1},
])  # fmt: skip
def test_realized_among_the_properties_of_a_device(pc: Pc, properties: dict[str, object]) -> None:
    """It is plugged in as any other is."""
    pc.manage.device_add("pc-dimm", "d", properties)  # type: ignore[arg-type]
    (device,) = pc.manage.memory_devices()
    assert device["data"]["slot"] == 1  # type: ignore[index,call-overload]
    pc.manage.object_add("memory-backend-ram", "c", {"size": 2 * MIB})
    with pytest.raises(ConfigError, match="slot 1 is busy"):
        pc.manage.device_add("pc-dimm", "e", {"realized": True, "memdev": "c", "slot": 1})
    assert len(pc.manage.memory_devices()) == 1


def test_what_is_only_there_to_be_linked_to_cannot_be_made(pc: Pc) -> None:
    for name in ("thread-context", "memory-backend"):
        with pytest.raises(ConfigError):
            pc.manage.object_add(name, "t", {})
