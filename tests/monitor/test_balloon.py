"""The balloon over QMP: what QEMU says, a page that is given back, and who hears of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import ConfigError, ManualClock
from guestmap.hw.virtio import registers as bits
from guestmap.machine import MachineConfig, Pc, VirtualMachine, saved
from guestmap.machine.options.device import DeviceSpec
from guestmap.monitor.hmp import HumanMonitor
from tests.monitor.test_against_qemu import machines

MIB = 1 << 20
_WORDS = ("-m", "64M", "-device", "virtio-balloon-pci,id=b0,addr=4")
_COMMON, _NOTIFY, _RING, _PAGES = 0xE000_0000, 0xE000_3000, 0x10_0000, 0x20_0000


def _config(*devices: str) -> MachineConfig:
    return MachineConfig(
        ram_size=64 * MIB, devices=tuple(DeviceSpec.parse(each) for each in devices)
    )


class Driver:
    """A driver with one descriptor in each queue."""

    def __init__(self, board: Pc) -> None:
        self.memory = board.memory
        for register, value in ((0x20, _COMMON), (4, 7)):
            board.io.store(0xCF8, 4, 0x8000_2000 | register)
            board.io.store(0xCFC, 4, value)
        self.common(20, 1, bits.ACKNOWLEDGED | bits.DRIVER)
        for half, value in ((0, 2), (1, 1)):
            self.common(8, 4, half)
            self.common(12, 4, value)
        for number in range(3):
            self.common(22, 2, number)
            self.common(24, 2, 1)
            for at, part in ((32, 0), (40, 0x800), (48, 0x900)):
                self.common(at, 4, self.ring(number) + part)
            self.common(28, 2, 1)
        self.common(20, 1, bits.ACKNOWLEDGED | bits.DRIVER | bits.FEATURES_OK | bits.DRIVER_OK)

    def common(self, offset: int, size: int, value: int) -> None:
        self.memory.store(_COMMON + offset, size, value)

    @staticmethod
    def ring(number: int) -> int:
        return _RING + 0x1000 * number

    def give(self, number: int, content: bytes) -> None:
        ring = self.ring(number)
        self.memory.write(_PAGES, content)
        self.memory.write(ring, struct.pack("<QIHH", _PAGES, len(content), 0, 0))
        at = ring + 0x802
        self.memory.store(at, 2, self.memory.load(at, 2) + 1)
        self.memory.store(_NOTIFY + 4 * number, 2, number)

    def used(self, number: int) -> int:
        return self.memory.load(self.ring(number) + 0x902, 2)


@pytest.fixture
def vm() -> Iterator[VirtualMachine]:
    with VirtualMachine(_config("virtio-balloon-pci,id=b0,addr=4"), engine="none") as made:
        yield made


@pytest.fixture
def board(vm: VirtualMachine) -> Pc:
    assert isinstance(vm.board, Pc)
    return vm.board


@pytest.mark.seabios
def test_a_page_that_is_given_back_is_empty(board: Pc) -> None:
    driver = Driver(board)
    for page in (0x300, 0x301, 0xF0):  # the last is ROM
        board.memory.write(page << 12, b"x" * 8)
    rom = board.memory.read(0xF0000, 8)
    driver.give(0, struct.pack("<3I", 0x300, 0xF0, 0xFFFF_FFFF))
    assert board.memory.read(0x30_0000, 8) == bytes(8)
    assert board.memory.read(0x30_1000, 8) == b"x" * 8
    assert board.memory.read(0xF0000, 8) == rom
    assert driver.used(0) == 1


@pytest.mark.seabios
def test_who_takes_pages_again_leaves_what_is_in_them(board: Pc) -> None:
    driver = Driver(board)
    board.memory.write(0x30_0000, b"x" * 8)
    driver.give(1, struct.pack("<I", 0x300))
    assert board.memory.read(0x30_0000, 8) == b"x" * 8
    assert driver.used(1) == 1


@pytest.mark.seabios
def test_statistics_are_asked_for_again_and_again() -> None:
    clock = ManualClock()
    board = Pc(_config("virtio-balloon-pci,id=b0,addr=4"), clock)
    driver, balloon = Driver(board), board.tree.resolve("/machine/peripheral/b0")
    driver.give(2, struct.pack("<HQ", 5, 64 * MIB) + b"rest")
    told: Any = balloon.get("guest-stats")
    assert told["stats"]["stat-total-memory"] == 64 * MIB
    assert told["stats"]["stat-free-memory"] == (1 << 64) - 1
    assert told["last-update"] > 0
    assert driver.used(2) == 0  # kept until they are wanted
    balloon.set("guest-stats-polling-interval", 2)
    clock.advance(1)
    assert driver.used(2) == 1
    driver.give(2, struct.pack("<HQ", 4, 5 * MIB))
    told = balloon.get("guest-stats")
    assert told["stats"]["stat-free-memory"] == 5 * MIB
    for second, used in ((1, 1), (2, 2), (3, 2)):
        clock.advance(10**9)
        assert driver.used(2) == used, second
    for value, said in ((-1, "timer value must be greater than zero"),
                        (1 << 32, "timer value is too big")):  # fmt: skip
        with pytest.raises(ConfigError, match=said):
            balloon.set("guest-stats-polling-interval", value)
    assert balloon.get("guest-stats-polling-interval") == 2


@pytest.mark.seabios
def test_what_the_guest_says_that_it_has_given_is_told(vm: VirtualMachine, board: Pc) -> None:
    heard: list[tuple[str, Any]] = []
    board.events.subscribe(lambda event: heard.append((event.name, event.data)))
    Driver(board)
    board.memory.store(_COMMON + 0x2004, 4, 4096)
    board.memory.store(_COMMON + 0x2004, 4, 4096)
    assert heard == [("BALLOON_CHANGE", {"actual": 48 * MIB})]
    assert board.balloon is not None
    assert board.balloon.left == 48 * MIB


@pytest.mark.seabios
def test_a_saved_machine_keeps_its_balloon(vm: VirtualMachine, tmp_path: Path) -> None:
    assert isinstance(vm.board, Pc)
    driver = Driver(vm.board)
    driver.give(2, struct.pack("<HQ", 5, 64 * MIB))
    vm.board.memory.store(_COMMON + 0x2004, 4, 4096)
    saved.save(vm, tmp_path / "machine")
    with saved.restore(tmp_path / "machine") as other:
        balloon = other.board.balloon
        assert balloon is not None
        assert balloon.left == 48 * MIB
        told: Any = balloon.statistics()
        assert told["stats"]["stat-total-memory"] == 64 * MIB
        assert balloon.state.asked == (0, ((_PAGES, 10),))


@pytest.mark.seabios
def test_there_is_one_balloon() -> None:
    with pytest.raises(ConfigError, match="Only one balloon device is supported"):
        Pc(_config("virtio-balloon-pci", "virtio-balloon-pci"))


@pytest.mark.seabios
@pytest.mark.qemu
@pytest.mark.qemu_7_2("its balloon")
@pytest.mark.parametrize("words", [_WORDS, _WORDS[:2]], ids=["a balloon", "none"])
def test_the_monitor_answers_as_qemus(words: tuple[str, ...]) -> None:
    asked: tuple[tuple[str, dict[str, Any]], ...] = (
        ("query-balloon", {}), ("balloon", {"value": 32 * MIB}), ("balloon", {"value": 0}),
        ("balloon", {"value": -5}), ("balloon", {"value": 1 << 62}),
        ("human-monitor-command", {"command-line": "info balloon"}), ("query-balloon", {}),
    )  # fmt: skip
    for pair in machines(*words):
        for command, arguments in asked:
            ours, theirs = pair.ask(command, arguments)
            assert ours == theirs, command


_LINES = (
    "balloon 32", "balloon", "balloon 0", "balloon -1", "balloon 4-5", "balloon -",
    "balloon 0x10 3", "balloon 1M", "balloon 1+2", "balloon x", "balloon /x 3",
    "balloon 8796093022207", "balloon 8796093022208", "balloon 17592186044416",
    "balloon 17592186044417", "balloon 0xffffffffffffffff", "balloon 99999999999999999999",
    "info balloon",
)  # fmt: skip


@pytest.mark.seabios
@pytest.mark.qemu
@pytest.mark.qemu_7_2("its balloon")
@pytest.mark.parametrize("words", [_WORDS, _WORDS[:2]], ids=["a balloon", "none"])
def test_the_human_monitor_answers_as_qemus(words: tuple[str, ...]) -> None:
    for pair in machines(*words):
        for line in _LINES:
            ours, theirs = pair.ask("human-monitor-command", {"command-line": line})
            assert ours == theirs, line


@pytest.mark.seabios
def test_what_a_person_types_is_what_the_guest_is_asked_for(vm: VirtualMachine, board: Pc) -> None:
    Driver(board)
    assert HumanMonitor(vm).execute("balloon 0x10+4") == ""
    wanted = board.memory.load(_COMMON + 0x2000, 4)
    assert wanted == (64 - 20) * MIB // 4096, "pages that the guest is to give"
