"""Which global line each device of a board drives, and what a board tells of long preparations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import MIB, ConfigError, IrqLine, ManualClock
from guestmap.machine import DeviceSpec, MachineConfig, MachineEvent, NumaNode, Pc, make_board
from guestmap.machine.board import Board
from guestmap.machine.boards.microvm.board import Microvm

pytestmark = pytest.mark.seabios


def pc() -> Pc:
    return Pc(MachineConfig(ram_size=16 * MIB, serial=True), ManualClock())


def microvm(**options: object) -> Microvm:
    config = MachineConfig(ram_size=16 * MIB, machine="microvm", serial=True, options=options)
    made = make_board(config, ManualClock())
    assert isinstance(made, Microvm)
    return made


def write(*stores: tuple[int, int]) -> Callable[[Board], None]:
    def act(board: Board) -> None:
        for port, value in stores:
            board.io.store(port, 1, value)

    return act


def high(lines: tuple[IrqLine, ...]) -> set[int]:
    return {number for number, line in enumerate(lines) if line.level}


SERIAL = write((0x3FC, 8), (0x3F9, 2))  # OUT2; the transmitter is empty


@pytest.mark.parametrize(("make", "act", "line"), [
    (pc, SERIAL, 4), (microvm, SERIAL, 4),
    (pc, write((0x3F2, 0), (0x3F2, 0x0C)), 6),  # the floppy controller is let out of its reset
    (pc, write((0x64, 0x60), (0x60, 1), (0x64, 0xD2), (0x60, 0x55)), 1),  # as of the keyboard
    (pc, write((0x64, 0x60), (0x60, 2), (0x64, 0xD3), (0x60, 0x55)), 12),  # and the mouse
])  # fmt: skip
def test_a_device_drives_its_line(
    make: Callable[[], Any], act: Callable[[Board], None], line: int
) -> None:
    board = make()
    with board.system:
        before = high(board.lines)
        act(board)
        assert high(board.lines) - before == {line}


@pytest.mark.parametrize(("fields", "count", "first"), [
    ({}, 24, 24), ({"ioapic2": "off"}, 8, 16), ({"ioapic2": "on"}, 24, 24),
])  # fmt: skip
def test_transports_have_lines_one_after_the_other(
    fields: dict[str, Any], count: int, first: int
) -> None:
    board = microvm(**fields)
    with board.system:
        assert [each.wires["sysbus-irq[0]"].name for each in board.transports] == [
            f"gsi{number}" for number in range(first, first + count)
        ]
        assert board.ged is not None
        assert board.ged.wires["sysbus-irq[0]"].name == "gsi9"
        assert board.rtc is not None
        assert board.rtc.wires["unnamed-gpio-out[0]"].name == "gsi8"
        assert board.pit is not None
        assert board.pit.wires["unnamed-gpio-out[0]"].name == "gsi0"


@pytest.mark.parametrize(("total", "told"), [(256 * MIB - 1, 0), (256 * MIB, 1), (1 << 40, 1)])
def test_a_long_preallocation_tells_how_it_gets_on(total: int, told: int) -> None:
    board = make_board(MachineConfig(machine="none"))
    with board.system:
        events: list[MachineEvent] = []
        board.events.subscribe(events.append)
        board._preallocated("m", 5, total)
        assert [(each.name, each.data) for each in events] == [
            ("X_GUESTMAP_PREALLOC_PROGRESS", {"id": "m", "done": 5, "total": total})
        ] * told


@pytest.mark.parametrize("machine", ["none", "microvm"])
@pytest.mark.parametrize(("driver", "refusal"), [
    ("pc-dimm", "has no place for pc-dimm: nothing can be plugged into it"),
    ("nvdimm", "has no place for nvdimm: nothing can be plugged into it"),
    ("pci-testdev", "No 'PCI' bus found for device 'pci-testdev'"),
])  # fmt: skip
def test_a_board_without_buses_takes_no_device(machine: str, driver: str, refusal: str) -> None:
    spec = DeviceSpec.parse(driver)
    with pytest.raises(ConfigError, match=f"^-device {driver}: .*{refusal}$"):
        make_board(MachineConfig(machine=machine, devices=(spec,)))


def test_what_an_empty_machine_cannot_have() -> None:
    for fields, refusal in (
        ({"kernel": Path("k")}, "^The -kernel parameter is not supported"),
        ({"numa_nodes": (NumaNode(128 * MIB),)}, "^NUMA is not supported by this machine-type$"),
    ):
        with pytest.raises(ConfigError, match=refusal):
            make_board(MachineConfig(machine="none", **fields))


PIC = write((0x20, 0x11), (0x21, 8), (0x21, 4), (0x21, 1), (0x21, 0))  # IRQ 0 is vector 8


@pytest.mark.parametrize("make", [pc, microvm])
def test_the_engine_is_told_of_each_change_of_the_pin(make: Callable[[], Any]) -> None:
    board = make()
    with board.system:
        board.executes(0)
        board.cpu_memory.store(0xFEE0_0350, 4, 0x700)  # LINT0 is the PIC's
        PIC(board)
        seen: list[bool] = []
        board.interrupts.on_change = lambda: seen.append(board.interrupts.pending)
        board.lines[4].set(True)
        assert seen == [True]
        assert board.interrupts.acknowledge() == 12
        assert seen == [True, False]
        board.lines[4].set(False)
        assert seen == [True, False]
