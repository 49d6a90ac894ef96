"""A PC that is saved in the middle of POST and goes on in another machine, or in the same one."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from guestmap.base import ConfigError, StateError
from guestmap.firmware import find_bios
from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_mtree
from guestmap.machine import (
    DeviceSpec,
    MachineConfig,
    ObjectSpec,
    Phase,
    RunState,
    VirtualMachine,
)
from guestmap.machine.media.overlay import Overlay
from guestmap.machine.options.drive import DriveSpec
from guestmap.machine.saved import load_into, open_saved, restore, save
from tests.machine.saved.test_format import with_index

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios]

PC = MachineConfig(debugcon=True, serial=True)
GIB = 1 << 30


def mtree(vm: VirtualMachine) -> str:
    return write_mtree(Snapshot.of(vm.board.system, source="test"))


def told(vm: VirtualMachine) -> tuple[list[str], list[Phase], str]:
    """What a boot comes to: the log, the phases, the map."""
    lines = [line.text for line in vm.log if not line.text.startswith("CPU Mhz=")]
    return lines, [change.phase for change in vm.phases.changes], mtree(vm)


@pytest.fixture(scope="module")
def undisturbed() -> tuple[tuple[list[str], list[Phase], str], int]:
    """A POST that nobody disturbs, and how long it takes by the machine's clock."""
    with VirtualMachine(PC) as vm:
        vm.run(until=Phase.HALT)
        return told(vm), vm.board.clock.now_ns()


def saved_at(time_ns: int, path: Path, config: MachineConfig = PC) -> dict[str, object]:
    """Save a machine at a moment of its POST; return what was to be seen of it."""
    with VirtualMachine(config) as vm:
        vm.board.clock.timer(vm.stop).arm(time_ns)
        vm.run(until=Phase.HALT)
        save(vm, path)
        return seen(vm)


def seen(vm: VirtualMachine) -> dict[str, object]:
    board = vm.board
    return {
        "map": mtree(vm),
        "vcpu": vm.vcpu.save(),
        "log": list(vm.log),
        "phases": list(vm.phases.changes),
        "time": board.clock.now_ns(),
        "ram": bytes(board.memory.read(0, 1 << 20)),
        "devices": {
            name: msgspec.msgpack.encode(each.save())
            for name, each in board.register_blocks.items()
            if name != "Mc146818"  # its time of day is the host's, and goes on
        },
    }


def goes_on(path: Path, time_ns: int) -> tuple[list[str], list[Phase], str]:
    before = saved_at(time_ns, path)
    with restore(path) as vm:
        assert vm.state is RunState.PAUSED
        after = seen(vm)
        for what, value in before.items():
            assert after[what] == value, what
        if vm.phases.phase is not Phase.HALT:  # this one may have been faster than the first
            vm.run(until=Phase.HALT)
        return told(vm)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_post_goes_on_from_a_moment_as_if_nothing_had_been(
    share: float, undisturbed: tuple[tuple[list[str], list[Phase], str], int], tmp_path: Path
) -> None:
    expected, length_ns = undisturbed
    assert goes_on(tmp_path / "saved", int(share * length_ns)) == expected


@pytest.mark.long
def test_a_post_goes_on_from_any_moment(
    undisturbed: tuple[tuple[list[str], list[Phase], str], int], tmp_path: Path
) -> None:
    expected, length_ns = undisturbed
    chance = random.Random(5)
    for _ in range(25):
        assert goes_on(tmp_path / "saved", chance.randrange(length_ns)) == expected


def test_another_process_goes_on(
    undisturbed: tuple[tuple[list[str], list[Phase], str], int], tmp_path: Path
) -> None:
    path = tmp_path / "saved"
    expected, length_ns = undisturbed
    saved_at(length_ns // 2, path)
    command = [sys.executable, "-m", "guestmap", "boot", "--restore", str(path), "--mtree", "-q"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert run.stdout == expected[2]


def test_a_machine_that_is_loaded_goes_back_in_time(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    with VirtualMachine(PC) as vm:
        vm.run(until=Phase.SETUP)
        save(vm, path)
        before = seen(vm)
        vm.run(until=Phase.HALT)
        end = told(vm)
        with open_saved(path) as opened:
            load_into(vm, opened)
        assert seen(vm) == before
        vm.run(until=Phase.HALT)
        assert told(vm) == end


def test_a_paused_machine_stands_until_it_is_told_to_run(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    with VirtualMachine(PC) as vm:
        vm.run(until=Phase.INIT)
        save(vm, path)
        time_ns = vm.board.clock.now_ns()
    with restore(path) as vm:
        assert vm.board.clock.now_ns() == time_ns
        assert not vm.board.clock.running
        vm.start(paused=True)
        vm.cont()
        assert vm.state is RunState.RUNNING
        vm.quit()
        vm.wait(30)


def test_what_was_plugged_in_since_the_start_is_there(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    config = MachineConfig(debugcon=True, ram_size=1 << 27, slots=4, max_ram=2 * GIB)
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.HALT)
        manage = vm.board.manage
        for name in ("gone", "kept"):
            manage.object_add("memory-backend-ram", f"mem-{name}", {"size": 1 << 26})
        manage.device_add("pc-dimm", "dimm0", {"memdev": "mem-kept", "slot": 2})
        manage.object_del("mem-gone")
        [dimm] = manage.memory_devices()
        vm.board.memory.write(dimm["data"]["addr"], b"in the DIMM")  # type: ignore[index, call-overload, arg-type]
        save(vm, path)
        expected = mtree(vm)
        slots = manage.acpi_ospm_status()
    with restore(path) as vm:
        manage = vm.board.manage
        assert mtree(vm) == expected
        [found] = manage.memory_devices()
        assert found["data"] == dimm["data"] | {"hotplugged": False}  # type: ignore[index, call-overload, operator]
        assert vm.board.memory.read(found["data"]["addr"], 11) == b"in the DIMM"  # type: ignore[index, call-overload, arg-type]
        assert manage.acpi_ospm_status() == slots
        assert {each["id"] for each in manage.memory_backends()} == {"mem-kept", "pc.ram"}  # type: ignore[index, call-overload]


def test_pci_devices_and_bridges_keep_their_windows(tmp_path: Path) -> None:
    devices = tuple(
        DeviceSpec.parse(text)
        for text in ("pci-bridge,chassis_nr=1,id=b", "pci-testdev,bus=b,addr=2,membar=1M")
    )
    path = tmp_path / "saved"
    config = MachineConfig(debugcon=True, devices=devices)
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.HALT)
        expected = mtree(vm)
        assert "pci-testdev-membar" in expected
        save(vm, path)
    with restore(path) as vm:
        assert mtree(vm) == expected


def test_a_pci_function_that_came_since_the_start_is_there(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    with VirtualMachine(MachineConfig(debugcon=True)) as vm:
        vm.run(until=Phase.HALT)
        for name in ("gone", "late"):
            vm.board.manage.device_add("pci-testdev", name, {"membar": "64K"})
        assert vm.board.bus is not None
        vm.board.bus.devices[3 << 3].config_write(0x18, 0xFE000000, 4)
        vm.board.manage.eject(vm.board.bus.devices[2 << 3])
        expected = mtree(vm)
        save(vm, path)
    with restore(path) as vm:
        assert vm.board.bus is not None
        assert max(vm.board.bus.devices) == 3 << 3
        assert vm.board.bus.devices[3 << 3].config_read(0x18, 4) == 0xFE00000C
        assert mtree(vm) == expected
        vm.board.manage.device_del("late")


def test_devices_that_nobody_named_keep_their_numbers_and_buses(tmp_path: Path) -> None:
    """What was there before them has gone; what is behind them is found by their bus."""
    path = tmp_path / "saved"
    config = MachineConfig(slots=2, max_ram=2 * GIB)
    with VirtualMachine(config) as vm:
        manage = vm.board.manage
        manage.object_add("memory-backend-ram", "m", {"size": 1 << 26})
        for slot in (4, 5):
            manage.device_add("pci-bridge", None, {"chassis_nr": slot, "addr": f"{slot}"})
        manage.device_add("pc-dimm", None, {"memdev": "m"})
        manage.device_add("pci-testdev", "behind", {"bus": "pci.2", "addr": "3"})
        assert vm.board.bus is not None
        manage.eject(vm.board.bus.devices[4 << 3])
        expected = _peripherals(vm)
        assert expected == {
            "/machine/peripheral-anon/device[1]": ["pci.2"],
            "/machine/peripheral-anon/device[2]": [],
            "/machine/peripheral/behind": [],
        }
        save(vm, path)
    with restore(path) as vm:
        assert _peripherals(vm) == expected
        vm.board.manage.device_add("pci-bridge", None, {"chassis_nr": 6})
        assert _peripherals(vm).keys() > expected.keys()
        assert _peripherals(vm)["/machine/peripheral-anon/device[0]"] == ["pci.3"]


def _peripherals(vm: VirtualMachine) -> dict[str, list[str]]:
    """Return the buses of each device that a user wanted, by the device's path."""
    tree = vm.board.tree
    places = ("/machine/peripheral", "/machine/peripheral-anon")
    found = [each for place in places for each in tree.container(place).children.values()]
    return {each.path: [bus.name for bus in each.buses] for each in found}  # type: ignore[attr-defined]


def test_a_machine_with_other_devices_takes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    with VirtualMachine(PC) as vm:
        vm.run(until=Phase.PREINIT)
        save(vm, path)
    other = MachineConfig(debugcon=True)
    with VirtualMachine(other) as vm, open_saved(path) as opened:
        before = mtree(vm)
        with pytest.raises(ConfigError, match=r"other devices: Serial16550"):
            load_into(vm, opened)
        assert mtree(vm) == before
        vm.run(until=Phase.PREINIT)


def test_a_load_that_fails_half_way_leaves_a_machine_that_must_be_reset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "saved"
    with VirtualMachine(PC) as vm:
        vm.run(until=Phase.PREINIT)
        save(vm, path)
        monkeypatch.setattr("guestmap.machine.saved.load.map_digest", lambda _board: b"?" * 32)
        with open_saved(path) as opened, pytest.raises(Exception, match="another memory map"):
            load_into(vm, opened)
        assert vm.state is RunState.INTERNAL_ERROR
        with pytest.raises(StateError, match="Resetting"):
            vm.cont()
        with pytest.raises(StateError, match="nothing to save"):
            save(vm, path)
        vm.system_reset()
        vm.run(until=Phase.INIT)
        assert vm.state is RunState.PAUSED


def test_a_machine_is_restored_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("bios").write_bytes(find_bios().read_bytes())
    Path("disk").write_bytes(bytes(1 << 20))
    backend = {"size": 1 << 24, "mem-path": "memory", "share": True}
    config = MachineConfig(
        bios=Path("bios"),
        drives=(DriveSpec(Path("disk"), index=0, snapshot=True),),
        objects=(ObjectSpec("memory-backend-file", "m", backend),),
        devices=(DeviceSpec.parse("pc-dimm,memdev=m,id=d"),),
        slots=1,
        max_ram=1 << 30,
    )
    with VirtualMachine(config, engine="none") as vm:
        save(vm, Path("saved"))
        shown = mtree(vm)
    monkeypatch.chdir(tmp_path / "there")
    with restore(Path("../here/saved")) as vm:
        assert mtree(vm) == shown
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("snapshot", [False, True])
def test_who_only_looks_opens_a_disk_for_reading(tmp_path: Path, snapshot: bool) -> None:
    image, path = tmp_path / "disk", tmp_path / "saved"
    image.write_bytes(bytes(1 << 20))
    disk = DriveSpec(image, index=0, snapshot=snapshot)
    with VirtualMachine(MachineConfig(drives=(disk,)), engine="none") as vm:
        save(vm, path)
    with restore(path, looking=True) as vm:
        written = [each for each in vm.board.media if not each.readonly]
        assert [isinstance(each, Overlay) for each in written] == [True] * snapshot


def test_a_machine_that_cannot_be_made_is_told_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    bridge = DeviceSpec.parse("pci-bridge,id=b,chassis_nr=1")
    with VirtualMachine(MachineConfig(devices=(bridge,)), engine="none") as vm:
        save(vm, path)
    with_index(path, lambda x: x["config"]["devices"][0]["properties"].update(chassis_nr=1 << 60))
    with pytest.raises(ConfigError, match=r"saved: .*chassis_nr.*expects uint8_t"):
        restore(path)


@pytest.mark.parametrize(
    ("device", "state"),
    [
        ("I8254", {"counters": []}),
        ("I8254", 7),
        ("pci.0/01.0", {"config": b"short"}),
        ("pci.0/00.0", {"config": bytes(256)}),
        ("GlobalLines", {"levels": [True]}),
        ("LocalApic", {}),
    ],
)
def test_a_state_that_no_device_has_is_refused(tmp_path: Path, device: str, state: object) -> None:
    """In a file whose checksum is right."""
    path = tmp_path / "saved"
    with VirtualMachine(MachineConfig(), engine="none") as vm:
        save(vm, path)

    def change(index: dict[str, Any]) -> None:
        old = index["devices"][device]
        index["devices"][device] = old | state if isinstance(state, dict) and state else state

    with_index(path, change)
    if not state:
        restore(path).close()  # what is not said is as after power-on
        return
    with pytest.raises(ConfigError, match="saved: "):
        restore(path)


def test_a_machine_that_sleeps_sleeps_on(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    with VirtualMachine(MachineConfig(), engine="none") as vm:
        vm.board.on_suspend()
        save(vm, path)
        assert vm.state is RunState.SUSPENDED
    with restore(path) as vm:
        assert vm.state is RunState.SUSPENDED
        vm.cont()
        assert vm.state is RunState.SUSPENDED


def test_a_reset_that_is_still_to_come_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    with VirtualMachine(PC) as vm:
        vm.run(until=Phase.PREINIT)
        vm.system_reset()
        saved = save(vm, path)
    assert [each.phase for each in saved.phases][-1] is Phase.RESET
    with restore(path) as vm:
        assert vm.phases.phase is Phase.RESET
        vm.run(until=Phase.PREINIT)
        assert [each.phase for each in vm.phases.changes].count(Phase.PREINIT) == 2


def test_a_microvm_goes_on_too(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    config = MachineConfig.with_default_ram(machine="microvm", debugcon=True)
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.PREINIT)
        save(vm, path)
        vm.run(until=Phase.HALT)
        expected = told(vm)
    with restore(path) as vm:
        assert vm.board.config.machine == "microvm"
        vm.run(until=Phase.HALT)
        assert told(vm) == expected


def test_objects_that_were_named_at_the_start_are_not_made_twice(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    backend = ObjectSpec("memory-backend-ram", "ram0", {"size": 1 << 27})
    config = MachineConfig(ram_size=1 << 27, objects=(backend,), memory_backend="ram0")
    with VirtualMachine(config, engine="none") as vm:
        save(vm, path)
        expected = mtree(vm)
    with restore(path) as vm:
        assert vm.accelerator.name == "none"
        assert mtree(vm) == expected


def test_back_ends_that_nothing_uses_are_there_again(tmp_path: Path) -> None:
    """Without what is in them, as where QEMU migrates: no guest has it."""
    path = tmp_path / "saved"
    backends = tuple(
        ObjectSpec("memory-backend-ram", name, {"size": 1 << 22}) for name in ("a", "b", "c")
    )
    dimm = DeviceSpec.parse("pc-dimm,memdev=b,id=d")
    config = MachineConfig(objects=backends, devices=(dimm,), slots=1, max_ram=1 << 30)
    with VirtualMachine(config, engine="none") as vm:
        vm.board.memory.write(4 * GIB, b"in the DIMM")
        save(vm, path)
        vm.board.memory.write(4 * GIB, b"and changed")
        with open_saved(path) as opened:
            load_into(vm, opened)
        assert vm.board.memory.read(4 * GIB, 11) == b"in the DIMM"
    with restore(path) as vm:
        assert vm.board.memory.read(4 * GIB, 11) == b"in the DIMM"
        for each in backends:
            assert vm.board.tree.resolve(f"/objects/{each.id}").get("size") == 1 << 22
