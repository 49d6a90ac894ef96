"""Bridges that come and go while the machine runs, and what is behind them, beside QEMU's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Self

import pytest

from guestmap.machine.saved import restore, save
from tests.monitor.hmp.beside import Beside
from tests.support.mtree_text import blocks_any_space_order

pytestmark = [
    pytest.mark.seabios, pytest.mark.qemu, pytest.mark.qemu_7_2("what its human monitor prints"),
]  # fmt: skip

COLD = ("-device", "pci-bridge,id=b0,chassis_nr=1", "-device", "pci-testdev,bus=b0,addr=1")
SHOWN = ("info pci", "info qtree", "info mtree -f", "qom-list /machine/peripheral",
         "info qom-tree /machine/peripheral", "info qom-tree /machine/peripheral-anon")  # fmt: skip
SELECT, UP, DOWN, EJECT, REMOVABLE = 0xAE10, 0xAE00, 0xAE04, 0xAE08, 0xAE0C
REGISTERS = 0xFE00_0000
"""Where the tests put a bridge's hot-plug controller."""
COMMAND, SLOT_1 = 0x14, 0x24


class Both(Beside):
    """The two machines, and the accesses that a guest would make."""

    def __init__(self, *args: str) -> None:
        super().__init__("-m", "128M", *args)

    def __enter__(self) -> Self:
        super().__enter__()
        self.told: list[tuple[str, Any]] = []
        self.vm.board.events.subscribe(lambda event: self.told.append((event.name, event.data)))
        return self

    def outl(self, port: int, value: int) -> None:
        self.vm.board.io.store(port, 4, value)
        self.qemu.outl(port, value)

    def inl(self, port: int) -> int:
        ours, theirs = self.vm.board.io.load(port, 4), self.qemu.inl(port)
        assert ours == theirs, f"port {port:x}"
        return ours

    def configure(self, bus: int, devfn: int, register: int, value: int) -> None:
        self.outl(0xCF8, 1 << 31 | bus << 16 | devfn << 8 | register)
        self.outl(0xCFC, value)

    def store(self, address: int, size: int, value: int) -> None:
        self.vm.board.memory.store(address, size, value)
        self.qemu.store(address, size, value)

    def same(self) -> None:
        """Check that both machines show the same, ACPI's registers and events included."""
        for bus in range(3):
            self.outl(SELECT, bus)
            for port in (DOWN, REMOVABLE, UP):
                self.inl(port)
        for line in SHOWN:
            ours, theirs = (_in_order(line, text) for text in self.ask(line))
            assert ours == theirs, line

    def same_events(self) -> None:
        """Check that both have told the same of who has gone.

        QEMU tells it when nobody holds the device any more, which it finds out while it is busy.
        """
        ours = [data for name, data in self.told if name == "DEVICE_DELETED"]
        theirs: list[Any] = []
        for _ in range(200):
            if len(theirs) >= len(ours):
                break
            time.sleep(0.05)
            self.qemu.qmp("query-status")
            theirs = [e["data"] for e in self.qemu.events if e["event"] == "DEVICE_DELETED"]
        assert theirs == ours

    def controller(self, address: int = REGISTERS) -> list[int]:
        """Return the working registers of the hot-plug controller there."""
        ours = [self.vm.board.memory.load(address + offset, 4) for offset in range(0, 0x40, 4)]
        assert ours == [self.qemu.load(address + offset, 4) for offset in range(0, 0x40, 4)]
        return ours


def _in_order(line: str, text: str) -> Any:
    if line.startswith("qom-list"):
        return sorted(text.splitlines())
    return blocks_any_space_order(text) if "mtree" in line else text


@pytest.fixture
def both() -> Iterator[Both]:
    with Both(*COLD) as pair:
        yield pair


def plug_bridge(both: Both) -> None:
    """Plug a bridge into slot 9 and put its controller where the tests look for it."""
    both.check("device_add pci-bridge,id=b1,chassis_nr=2,addr=9")
    both.configure(0, 9 << 3, 0x10, REGISTERS)
    both.configure(0, 9 << 3, 0x04, 0x0000_0002)


def test_a_bridge_comes_and_goes(both: Both) -> None:
    both.same()
    plug_bridge(both)
    both.same()
    both.check("device_del b1", "device_del b1")
    both.same()
    both.outl(SELECT, 0)
    both.outl(EJECT, 1 << 9)
    both.same()
    plug_bridge(both)
    both.same()


def test_a_bridge_that_was_there_from_the_start_stays(both: Both) -> None:
    both.check("device_del b0")
    both.outl(SELECT, 0)
    both.outl(EJECT, 1 << 2)
    both.same()


def test_refusals_are_qemus(both: Both) -> None:
    plug_bridge(both)
    both.check(
        "device_add pci-bridge,id=b2",
        "device_add pci-bridge,id=b2,chassis_nr=0",
        "device_add pci-bridge,id=b2,chassis_nr=256",
        "device_add pci-bridge,id=b1,chassis_nr=3",
        "device_add pci-testdev,bus=b1,addr=0",
        "device_add pci-testdev,bus=b1",
        "device_add pci-testdev,bus=b1,addr=20",
        "device_add pci-testdev,bus=b1,addr=1,id=t",
        "device_add pci-testdev,bus=b1,addr=1",
        "device_add isa-serial,bus=b1",
    )
    both.same()


def test_behind_a_new_bridge_its_own_controller_tells_the_guest(both: Both) -> None:
    plug_bridge(both)
    before = both.controller()
    both.check("device_add pci-testdev,bus=b1,addr=1,id=t")
    assert both.controller() != before
    both.same()
    both.store(REGISTERS + COMMAND, 2, 0x0100 | 0x01 << 2 | 0x2)  # slot 1: on, and its lamp, too
    both.controller()
    both.check("device_del t", "device_del t")
    both.controller()
    both.same()
    both.store(REGISTERS + COMMAND, 2, 0x0100 | 0x03 << 2 | 0x3)  # off, and dark
    both.controller()
    both.same()
    both.check("device_add pci-testdev,bus=b1,addr=1,id=t", "device_del t")  # off: goes at once
    both.controller()
    both.same()


def test_a_bridge_takes_with_it_what_is_behind_it(both: Both) -> None:
    _plug_two_bridges(both)
    both.same()
    both.check("device_del b1")
    both.outl(SELECT, 0)
    both.outl(EJECT, 1 << 9)
    both.same()


def test_what_goes_with_a_bridge_is_told_as_qemu_tells_it(both: Both) -> None:
    _plug_two_bridges(both)
    both.check("device_del b1")
    both.outl(SELECT, 0)
    both.outl(EJECT, 1 << 9)
    both.same_events()
    assert len(both.told) == 4


def _plug_two_bridges(both: Both) -> None:
    plug_bridge(both)
    both.check(
        "device_add pci-testdev,bus=b1,addr=1,id=t",
        "device_add pci-bridge,bus=b1,addr=2,id=b2,chassis_nr=3",
        "device_add pci-testdev,bus=b2,addr=5",
    )


def test_bridges_without_an_id_number_their_buses(both: Both) -> None:
    both.check(
        "device_add pci-bridge,chassis_nr=3,addr=a",
        "device_add pci-bridge,chassis_nr=4,addr=b",
        "device_add pci-testdev,bus=pci.2,addr=4",
    )
    both.same()
    both.check("device_del /machine/peripheral-anon/device[1]")
    both.outl(SELECT, 0)
    both.outl(EJECT, 1 << 10)
    both.check("device_add pci-bridge,chassis_nr=5,addr=c")
    both.same()


def test_ejecting_by_the_controller_of_a_bridge_that_acpi_has(both: Both) -> None:
    both.configure(0, 2 << 3, 0x10, REGISTERS)
    both.configure(0, 2 << 3, 0x04, 0x0000_0002)
    both.controller()
    both.check("device_add pci-testdev,bus=b0,addr=3,id=t")
    both.controller()
    both.store(REGISTERS + COMMAND, 2, 0x0300 | 0x03 << 2 | 0x3)
    both.controller()
    both.store(REGISTERS + COMMAND, 2, 0x0100 | 0x03 << 2 | 0x3)
    both.controller()
    both.same()


def test_acpi_numbers_the_buses_that_were_there_from_the_start(both: Both) -> None:
    plug_bridge(both)
    for path in ("/machine/i440fx/pci.0", "/machine/peripheral/b0/b0"):
        ours, theirs = both.ask(f"qom-get {path} acpi-pcihp-bsel")
        assert ours == theirs
        assert ours.strip().isdigit()
    ours, theirs = both.ask("qom-get /machine/peripheral/b1/b1 acpi-pcihp-bsel")
    assert ours == theirs
    assert "not found" in ours


def test_without_acpi_bridges_have_their_own_slots() -> None:
    with Both(*COLD, "-machine", "acpi=off") as both:
        for line in SHOWN[:2]:
            both.check(line)
        both.check("device_add pci-testdev", "device_add pci-testdev,bus=b0,addr=2,id=t")
        both.configure(0, 2 << 3, 0x10, REGISTERS)
        both.configure(0, 2 << 3, 0x04, 0x0000_0002)
        both.controller()
        for line in SHOWN[:2]:
            both.check(line)


def test_a_restored_machine_has_it_as_it_came(both: Both, tmp_path: Any) -> None:
    plug_bridge(both)
    both.check("device_add pci-testdev,bus=b1,addr=1,id=t")
    save(both.vm, tmp_path / "saved")
    ours = [both.ours(line) for line in SHOWN]
    both.vm.close()
    both.vm = restore(tmp_path / "saved")
    both.monitor = type(both.monitor)(both.vm)
    assert [both.ours(line) for line in SHOWN] == ours
    both.told.clear()
    both.vm.board.events.subscribe(lambda event: both.told.append((event.name, event.data)))
    both.controller()
    both.check("device_del b1")
    both.outl(SELECT, 0)
    both.outl(EJECT, 1 << 9)
    both.same()
