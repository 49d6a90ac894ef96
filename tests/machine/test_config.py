"""What a machine may be made from, at both ends of each limit, and what a file keeps of it."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from guestmap.accel.unicorn.accelerator import UnicornAccelerator
from guestmap.base import GIB, MIB, TIB, ConfigError, UnsupportedError
from guestmap.machine import DeviceSpec, MachineConfig, NumaNode, ObjectSpec, VirtualMachine
from guestmap.machine.boards import BOARDS
from guestmap.machine.config import DriveSpec
from guestmap.machine.saved.config import SavedConfig, files_of, from_saved, memory_of, to_saved

KERNEL = Path("bzImage")
BACK_END = ObjectSpec("memory-backend-ram", "m0", {"size": 64 * MIB})
HALF = NumaNode(64 * MIB, frozenset({0}), "m0")


@pytest.mark.parametrize("given", [
    {"ram_size": MIB}, {"ram_size": TIB}, {"ram_size": 0, "machine": "none"},
    {"max_ram_below_4g": MIB}, {"max_ram_below_4g": 4 * GIB},
    {"cpus": 1}, {"cpus": 255}, {"cpus": 1, "max_cpus": 255}, {"cpus": 4, "max_cpus": 4},
    {"cpus": 8, "sockets": 2, "threads": 2}, {"cpus": 8, "sockets": 8}, {"cpus": 8, "threads": 8},
    {"slots": 256, "max_ram": GIB}, {"slots": 1, "max_ram": 128 * MIB + 4096},
    {"max_ram": 128 * MIB},
    {"kernel": KERNEL, "initrd": Path("i"), "append": "a", "kernel_entry": 32},
    {"kernel_entry": 16},
    {"memory_backend": "m0", "ram_size": 64 * MIB, "objects": (BACK_END,)},
    {"numa_nodes": (HALF, NumaNode(64 * MIB))}, {"numa_nodes": (NumaNode(128 * MIB), NumaNode())},
])  # fmt: skip
def test_what_can_be(given: dict[str, Any]) -> None:
    made = MachineConfig(**given)
    assert {name: getattr(made, name) for name in given} == given


@pytest.mark.parametrize(("given", "refusal"), [
    ({"ram_size": 0}, r"^-m 0 B: 0 B of RAM is impossible: give 1M to 1T$"),
    ({"ram_size": MIB - 1}, "of RAM is impossible"),
    ({"ram_size": TIB + 1}, "of RAM is impossible"),
    ({"ram_size": MIB - 1, "machine": "none"}, "of RAM is impossible"),
    ({"max_ram_below_4g": MIB - 1}, "^max-ram-below-4g=0xfffff leaves no room for the first MiB"),
    ({"max_ram_below_4g": 4 * GIB + 1},
     "^Machine option 'max-ram-below-4g=4294967297' expects size less than or equal to 4G$"),
    ({"cpus": 0}, "^-smp 0: give 1 to 255 CPUs$"), ({"cpus": 256}, "^-smp 256: give 1 to 255"),
    ({"max_cpus": 256}, "^Invalid SMP CPUs 256"),
    ({"cpus": 2, "machine": "none"}, "^Invalid SMP CPUs 2. .* 'none' is 1$"),
    ({"cpus": 4, "max_cpus": 3}, "^4 CPUs of at most 3 cannot be"),
    ({"sockets": 0}, "cannot be 0 sockets"), ({"threads": 0}, "with cores of 0 threads"),
    ({"cpus": 8, "sockets": 3}, "^8 CPUs of at most 8 cannot be 3 sockets"),
    ({"cpus": 4, "sockets": 2, "threads": 4}, "cannot be 2 sockets with cores of 4 threads"),
    ({"slots": 257, "max_ram": GIB}, "^unsupported amount of memory slots: 257$"),
    ({"slots": 1}, "^slots specified but no max-size$"),
    ({"max_ram": 128 * MIB - 1}, "must be at least the initial memory size"),
    ({"slots": 1, "max_ram": 128 * MIB}, "is equal to the initial memory size"),
    ({"max_ram": GIB + 1}, "must by aligned to multiple of 4096 bytes"),
    ({"initrd": Path("i")}, "^-initrd only allowed with -kernel option$"),
    ({"append": "a"}, "^-append only allowed with -kernel option$"),
    ({"kernel_entry": 32}, "^-kernel-entry only allowed with -kernel option$"),
    ({"memory_backend": "m0"}, "^Memory backend 'm0' not found$"),
    ({"memory_backend": "m0", "objects": (BACK_END,)}, "does not match the size of the memory"),
    ({"memory_backend": "m0", "numa_nodes": (HALF, NumaNode(64 * MIB)), "objects": (BACK_END,)},
     "are mutually exclusive$"),
    ({"numa_nodes": (HALF,)}, r"^total memory for NUMA nodes \(0x4000000\) should equal RAM size"),
    ({"numa_nodes": (HALF, HALF)}, "^CPU is already assigned to node-id: 0$"),
    ({"numa_nodes": (HALF, NumaNode(64 * MIB, memdev="m0"))},
     "^memory backend m0 can't be used multiple times.$"),
    ({"numa_nodes": (NumaNode(128 * MIB, frozenset({1})),)},
     r"^CPU index \(1\) should be smaller than maxcpus \(1\)$"),
])  # fmt: skip
def test_what_cannot_be(given: dict[str, Any], refusal: str) -> None:
    with pytest.raises(ConfigError, match=refusal):
        MachineConfig(**given)


@pytest.mark.parametrize(("smm", "has"), [(None, True), (True, True), (False, False)])
def test_whether_there_is_smm(smm: bool | None, has: bool) -> None:
    assert MachineConfig(smm=smm).has_smm is has


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_board_has_the_ram_that_it_has_where_nothing_is_said(board: Any) -> None:
    made = MachineConfig.with_default_ram(machine=board.name)
    assert made.board is board
    assert made.ram_size == board.default_ram
    assert [made.option(each.name) for each in board.options if not each.field] == [
        each.default for each in board.options if not each.field
    ]


# A value of each field that is not its default.
OTHERS: dict[str, Any] = {
    "ram_size": 256 * MIB, "max_ram_below_4g": 2 * GIB, "cpus": 2, "smm": None, "vapic": True,
    "bios": Path("/b"), "debugcon": True, "serial": True, "parallel": True,
    "vga": "std", "nic": "e1000",
    "drives": (
        DriveSpec(Path("/d"), "ide", "cdrom", "qcow2", True, True, 3, "x"), DriveSpec(index=0),
    ),
    "devices": (
        DeviceSpec("x", {"id": "d", "n": "1"}),
        DeviceSpec("y", {"n": 1, "on": True}, is_json=True, came_later=True),
        DeviceSpec("z", {"a": [1, None]}, is_json=True),
    ),
    "qemu_readonly_rules": True, "slots": 3, "max_ram": GIB,
    "numa_nodes": (NumaNode(64 * MIB, frozenset({0, 1}), "m0"), NumaNode(192 * MIB)),
    "objects": (BACK_END, ObjectSpec("t", "m1", {"size": 300 * MIB, "l": [1]}, is_json=True)),
    "option_roms": (Path("/r1"), Path("/r2")), "acpi": False, "memory_hotplug": False,
    "name": "n", "uuid": UUID(int=5), "max_cpus": 8, "sockets": 2, "threads": 2,
    "kernel": KERNEL, "initrd": Path("i"), "append": "a", "kernel_entry": 32,
    "options": {"o": 1},
}  # fmt: skip


def test_a_file_keeps_every_field() -> None:
    left = {each.name for each in fields(MachineConfig)} - OTHERS.keys()
    assert left == {"memory_backend", "machine"}  # they go with few of the others
    several = MachineConfig(**OTHERS)
    backed = {"memory_backend": "m0", "ram_size": 64 * MIB, "objects": (BACK_END,)}
    for config in (MachineConfig(), several, MachineConfig(machine="microvm", **backed)):
        data = msgspec.msgpack.encode(to_saved(config), enc_hook=str)
        back = from_saved(
            msgspec.msgpack.decode(data, type=SavedConfig, dec_hook=lambda kind, x: kind(x))
        )
        assert back == config
        assert [each.is_json for each in back.objects] == [x.is_json for x in config.objects]
    for name, value in OTHERS.items():
        assert getattr(MachineConfig(), name) != value, name


def test_what_a_machine_of_a_file_needs() -> None:
    several = MachineConfig(**OTHERS)
    assert memory_of(several) == 364 * MIB
    assert memory_of(MachineConfig(objects=(BACK_END,))) == (128 + 64) * MIB
    assert (
        memory_of(MachineConfig(objects=(ObjectSpec("t", "m", {"size": "1G"}),))) == 128 * MIB + GIB
    )
    assert memory_of(MachineConfig(objects=(ObjectSpec("t", "m"),))) == 128 * MIB
    small = MachineConfig(ram_size=MIB, objects=(BACK_END, ObjectSpec("t", "m")))
    assert memory_of(small) == 65 * MIB
    backed = MachineConfig(ram_size=64 * MIB, objects=(BACK_END,), memory_backend="m0")
    assert memory_of(backed) == 64 * MIB
    assert [*files_of(several, Path("/f"))] == [
        Path("/f"), KERNEL, Path("i"), Path("/r1"), Path("/r2"),
    ]  # fmt: skip
    assert [*files_of(MachineConfig(), None)] == []


@pytest.mark.unicorn
def test_a_mode_that_the_cpu_never_enters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with VirtualMachine(MachineConfig(smm=True)) as vm:
        without = replace(vm.accelerator.capabilities, smm=False)
    monkeypatch.setattr(UnicornAccelerator, "capabilities", without)
    with VirtualMachine(MachineConfig()):
        pass
    with pytest.raises(UnsupportedError, match=r"'unicorn' has no system management .*smm=off"):
        VirtualMachine(MachineConfig(smm=True))
