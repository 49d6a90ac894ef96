"""PCI functions, what they decode, and regions that are in no tree."""

from __future__ import annotations

import json

import pytest

from guestmap.base import PeerError
from guestmap.inspect import RangeInfo, Snapshot, ViewInfo, ViewUser
from guestmap.inspect.ask.pci import (
    listing,
    pci_sentences,
    read_pci,
    unmapped_sentences,
    why_unmapped,
)
from guestmap.qmp.client import Monitor
from tests.inspect.ask.pci.machine import PciMachine, bar, bridge
from tests.support.program import assert_one_clear_line, run_program
from tests.support.qemu import Qemu

MIB = 1 << 20
VGA, NIC, BRIDGE = (
    "/machine/peripheral/vga0",
    "/machine/unattached/device[9]",
    "/machine/peripheral/br",
)
PCI_SPACE = "/machine/unattached/pci[0]"


def vga(*bars: dict[str, object], into: str = "", addr: int = 0) -> PciMachine:
    """Return a machine with one function of three regions, one of them inside another."""
    machine = PciMachine()
    machine.buses[0]["devices"] = [machine.function(VGA, "VGA", "00:02.0", *bars)]
    machine.region(VGA, "vga.vram", 16 * MIB, into=into, addr=addr)
    machine.region(VGA, "vga.mmio", 4096)
    machine.region(VGA, "edid", 384, into=f"{VGA}/vga.mmio[0]")
    return machine


def behind(
    memory: tuple[int, int], *, secondary: int = 1, address: int = 0xFE00_0000
) -> PciMachine:
    """Return a machine with a network card behind a bridge."""
    machine = PciMachine()
    place = f"{secondary:02x}:03.0"
    card = machine.function(NIC, "e1000", place, bar(0, 0x2_0000, address), behind=BRIDGE)
    machine.region(NIC, "e1000-mmio", 0x2_0000, into=f"{BRIDGE}/pci_bridge_pci[0]", addr=address)
    told = [card] if secondary else []
    front = machine.function(
        BRIDGE, "pci-bridge", "00:04.0", pci_bridge=bridge(secondary, memory, *told)
    )
    machine.buses[0]["devices"] = [front]
    return machine


def why(machine: PciMachine, name: str) -> list[str]:
    return list(unmapped_sentences(why_unmapped(read_pci(Monitor(machine)), name)))


def told(machine: PciMachine, *ranges: RangeInfo) -> str:
    view = ViewInfo((ViewUser("memory", "system"),), "system", ranges)
    return "\n".join(pci_sentences(listing(read_pci(Monitor(machine)), Snapshot(views=(view,)))))


def test_a_bar_without_an_address_says_whose_region_that_is():
    first, second = why(vga(bar(0, 16 * MIB), bar(2, 4096)), "vga.vram")
    assert first == (
        "vga.vram (16 MiB) exists and stands in no tree: it is of device vga0 (VGA),"
        " BAR 0 of 00:02.0"
    )
    for words in ("BAR 0 is not mapped", "not given it an address", "memory decoding off"):
        assert words in second


def test_a_region_inside_another_is_behind_the_same_bar():
    first, second = why(vga(bar(0, 16 * MIB), bar(2, 4096)), "edid")
    assert "inside vga.mmio, BAR 2 of 00:02.0" in first
    assert "BAR 2 is not mapped" in second


def test_a_function_has_the_regions_of_what_it_is_made_of():
    machine = PciMachine()
    usb = "/machine/peripheral/usb0"
    machine.buses[0]["devices"] = [machine.function(usb, "qemu-xhci", "00:03.0", bar(0, 0x4000))]
    machine.object(f"{usb}/xhci-core", "base-xhci", realized=("bool", True))
    machine.region(f"{usb}/xhci-core", "xhci", 0x4000)
    machine.region(f"{usb}/xhci-core", "doorbell", 0x820, into=f"{usb}/xhci-core/xhci[0]")
    first, second = why(machine, "doorbell")
    assert "it is of device usb0 (qemu-xhci), inside xhci, BAR 0 of 00:03.0" in first
    assert "BAR 0 is not mapped" in second
    assert "BAR 0: memory, 16 KiB: xhci; not mapped" in told(machine)


def test_a_back_end_that_a_function_shows_is_behind_its_bar():
    machine = PciMachine()
    card = "/machine/peripheral/card"
    places = bar(0, 256), bar(2, MIB)
    machine.buses[0]["devices"] = [machine.function(card, "ivshmem-plain", "00:03.0", *places)]
    machine.region(card, "ivshmem-mmio", 256)
    machine.objects["/objects"] = {}
    machine.object("/objects/shm", "memory-backend-ram")
    machine.region("/objects/shm", "shm", MIB)
    machine.objects[card]["memdev"] = ("link<memory-backend>", "/objects/shm")
    machine.objects[card]["other"] = ("link<memory-backend>", "")
    assert "of device card (ivshmem-plain), BAR 2 of 00:03.0" in why(machine, "shm")[0]
    assert "BAR 2: memory, 1 MiB: shm; not mapped" in told(machine)


def test_io_decoding_is_called_so():
    _, second = why(vga(bar(1, 4096, kind="io")), "vga.mmio")
    assert "I/O decoding off" in second


def test_regions_of_one_size_are_both_named():
    first, _ = why(vga(bar(1, 4096), bar(2, 4096)), "vga.mmio")
    assert "BAR 1 or BAR 2 of 00:02.0" in first


@pytest.mark.parametrize("name", ["no-such", "vga", "vga.vram[0]"])
def test_what_no_device_has_is_not_found(name):
    assert why(vga(bar(0, 16 * MIB)), name) == []


def test_a_region_of_another_device_is_told_too():
    machine = PciMachine()
    machine.object("/machine/rtc", "rtc", realized=("bool", True))
    machine.region("/machine/rtc", "rtc-window", 2)
    assert why(machine, "rtc-window") == [
        "rtc-window (2 B) exists and stands in no tree: it is of device rtc (rtc)",
        "  nothing has given it a place in the map",
    ]


CLOSED = (0xFFF0_0000, 0xF_FFFF)


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        (CLOSED, "bridge 00:04.0 (br, pci-bridge, VGA controller) has its window closed"),
        ((0xFD00_0000, 0xFD0F_FFFF), "its memory window: 0xfd000000-0xfd0fffff"),
        ((0xFE00_0000, 0xFE01_FFFE), "its memory window: 0xfe000000-0xfe01fffe"),
        ((0xFE00_0001, 0xFE0F_FFFF), "its memory window: 0xfe000001-0xfe0fffff"),
        ((0xFE00_0000, 0xFE01_FFFF), "passes nothing on: is its memory decoding off?"),
    ],
)
def test_a_bridge_that_does_not_pass_it_on_is_named(memory, words):
    first, second = why(behind(memory), "e1000-mmio")
    assert "BAR 0 of 01:03.0" in first
    assert "BAR 0 decodes 0xfe000000-0xfe01ffff" in second
    assert words in second


def test_behind_a_bridge_without_a_bus_number():
    first, second = why(behind((0, 0xF_FFFF), secondary=0), "e1000-mmio")
    assert "device device[9] (e1000), ??:03.0" in first
    assert "has no bus number yet" in second
    assert "??:03.0 (device[9], e1000), behind 00:04.0" in told(behind((0, 0xF_FFFF), secondary=0))


def test_the_list_names_functions_bars_and_windows():
    lines = told(behind((0xFE00_0000, 0xFE0F_FFFF))).splitlines()
    assert lines[0] == "00:04.0 VGA controller (br, pci-bridge), 1234:1111"
    assert "  bridge to buses 0x01-0x01" in lines
    assert "  memory window: 0xfe000000-0xfe0fffff" in lines
    assert "  I/O window: closed" in lines
    assert "01:03.0 VGA controller (device[9], e1000), 1234:1111, behind 00:04.0" in lines


def _range(start: int, size: int, name: str) -> RangeInfo:
    return RangeInfo(start, size, 0, "i/o", name)


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ([_range(0, 4096, "ram"), _range(0xE000_0000, 4096, "vga.vram")], "0xe0ffffff vga.vram"),
        ([_range(0xE000_1000, 4096, "edid")], "0xe0ffffff vga.vram"),
        ([_range(0xE000_0000, 16 * MIB, "other")], "vga.vram; but other answers there"),
        ([_range(0, 4096, "ram"), _range(0xE100_0000, 4096, "vga.vram")], "but nobody answers"),
    ],
)
def test_a_mapped_bar_is_held_to_the_view(ranges, words):
    machine = vga(bar(0, 16 * MIB, 0xE000_0000, prefetch=True), into=PCI_SPACE, addr=0xE000_0000)
    (line,) = [line for line in told(machine, *ranges).splitlines() if "BAR 0" in line]
    assert line.startswith("  BAR 0: memory, prefetchable, 16 MiB: 0xe0000000-")
    assert words in line
    assert ("; but" in line) == ("; but" in words or "but nobody" in words)


@pytest.mark.parametrize(
    ("mapped", "ranges", "words"),
    [
        (bar(0, 8192, 0xFE00_0000), [], "0xfe000000-0xfe001fff a region that is not known"),
        (bar(0, 8192, 0xFE00_0000), [_range(0xFE00_1000, 16, "x"), _range(0xFE00_1800, 16, "y")],
         "0xfe000000-0xfe001fff x answers there"),
        (bar(1, 64, 0xC000, kind="io"), [_range(0xC000, 64, "ram")],  # the view is of memory
         "0xc000-0xc03f a region that is not known"),
        (bar(1, 4096, 0xC000, kind="io"), [], "0xc000-0xcfff vga.mmio"),
    ],
)  # fmt: skip
def test_of_a_mapped_bar_no_more_is_said_than_is_known(mapped, ranges, words):
    (line,) = [line for line in told(vga(mapped), *ranges).splitlines() if "BAR" in line]
    assert line.partition(": 0x")[2] == words.removeprefix("0x")


def test_a_function_without_an_id_is_found_by_its_place():
    machine = PciMachine()
    path = "/machine/unattached/device[3]"
    machine.buses[0]["devices"] = [machine.function(path, "e1000", "00:1f.2", bar(0, 4096))]
    other = "/machine/unattached/device[4]"
    machine.buses[0]["devices"].append(machine.function(other, "ahci", "00:1f.3", bar(5, 4096)))
    machine.region(other, "ahci", 4096)
    assert "00:1f.3 VGA controller (device[4], ahci)" in told(machine)
    first, _ = why(machine, "ahci")
    assert "BAR 5 of 00:1f.3" in first


@pytest.mark.parametrize("nonsense", [{}, [{"bus": "x"}], [{"bus": 0, "devices": [{}]}]])
def test_nonsense_is_the_peers_fault(nonsense):
    machine = PciMachine()
    machine.buses = nonsense
    with pytest.raises(PeerError, match="query-pci"):
        read_pci(Monitor(machine))


def test_what_is_no_machine_is_refused(tmp_path):
    assert_one_clear_line(run_program("pci", "mtree.txt"), "running machine", "mtree.txt")


@pytest.mark.unicorn
@pytest.mark.seabios
def test_our_own_machine_is_told_before_and_after_its_firmware():
    before = run_program("pci", "reset:64M").stdout
    assert "00:01.1 IDE controller" in before
    assert "BAR 4: I/O, 16 B: piix-bmdma-container; not mapped" in before
    told = json.loads(run_program("pci", "boot:64M", "--json").stdout)
    assert told["format"] == "guestmap.pci"
    (ide,) = [each for each in told["functions"] if each["address"] == "00:01.1"]
    (use,) = ide["bars"]
    assert (use["state"], use["bar"]["address"]) == ("seen", 0xC000)


DEVICES = ("-device", "VGA,id=vga0,addr=2", "-device", "pci-bridge,id=br1,chassis_nr=1,addr=4",
           "-device", "pci-testdev,bus=br1,addr=3,id=card")  # fmt: skip


class Card:
    """Writes to the configuration of a stopped QEMU's functions (PCI 3.0, section 3.2.2.3.2)."""

    def __init__(self, qemu: Qemu) -> None:
        self._qemu = qemu

    def write(self, bus: int, slot: int, register: int, value: int) -> None:
        self._qemu.outl(0xCF8, 0x8000_0000 | bus << 16 | slot << 11 | register)
        self._qemu.outl(0xCFC, value)


@pytest.mark.qemu
def test_a_real_bar_and_a_real_bridge_step_by_step(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def asked(command: str, *words: str) -> str:
        done = run_program(command, "unix:qmp", *words)
        assert done.status == 0, done
        return done.stdout

    with Qemu("-m", "64M", *DEVICES, "-qmp", "unix:qmp,server=on,wait=off") as qemu:
        card = Card(qemu)
        vram = asked("why-not", "vga.vram")
        assert "device vga0 (VGA), BAR 0 of 00:02.0" in vram
        assert "BAR 0 is not mapped: the guest has not given it an address" in vram
        assert "has no bus number yet" in asked("why-not", "pci-testdev-mmio")
        card.write(0, 2, 0x10, 0xE000_0000)
        assert "BAR 0 is not mapped" in asked("why-not", "vga.vram"), "memory decoding is off"
        card.write(0, 2, 4, 2)
        assert "visible" in asked("why-not", "vga.vram")
        assert "prefetchable, 16 MiB: 0xe0000000-0xe0ffffff vga.vram" in asked("pci")

        card.write(0, 4, 0x18, 0x0001_0100)  # primary 0, secondary 1, subordinate 1
        assert "BAR 0 is not mapped" in asked("why-not", "pci-testdev-mmio")
        card.write(1, 3, 0x10, 0xFE00_0000)
        card.write(1, 3, 4, 2)
        card.write(0, 4, 0x20, 0x0000_FFF0)  # memory base above its limit
        card.write(0, 4, 4, 2)
        assert "bridge 00:04.0 (br1, pci-bridge" in asked("why-not", "pci-testdev-mmio")
        assert "has its window closed" in asked("why-not", "pci-testdev-mmio")
        assert "but nobody answers there" in asked("pci")
        card.write(0, 4, 0x20, 0xFD00_FD00)
        assert "its memory window: 0xfd000000-0xfd0fffff" in asked("why-not", "pci-testdev-mmio")
        card.write(0, 4, 0x20, 0xFE00_FE00)
        assert "visible" in asked("why-not", "pci-testdev-mmio")
        assert "01:03.0" in asked("pci")
