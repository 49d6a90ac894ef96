"""Port 80h, F0h, 92h, the debug console, the VMware port, an IDE channel, and port lists."""

from __future__ import annotations

import pytest

from guestmap.hw.at_ports import FpuErrorPort, PostPort
from guestmap.hw.debugcon import DebugConsole
from guestmap.hw.device import RegisterBlock, Stateless
from guestmap.hw.ide.channel import IdeChannel
from guestmap.hw.kvmvapic import KvmVapic
from guestmap.hw.port92 import Port92
from guestmap.hw.portio import PortEntry, port_places
from guestmap.hw.vmware import VmPort
from tests.hw.device_traffic import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_port_80_remembers_the_last_code(bench: Bench) -> None:
    post = PostPort()
    bench.place(post)
    bench.outb(0x80, 0x37)
    assert post.last == 0x37
    assert bench.inb(0x80) == 0xFF
    post.reset()
    assert post.last == 0


def test_port_f0_clears_the_coprocessor_interrupt(bench: Bench) -> None:
    bench.place(FpuErrorPort(bench.line(13)))
    bench.line(13).set(True)
    assert bench.inb(0xF0) == 0xFF
    assert bench.line(13).level
    bench.outb(0xF0, 0)
    assert not bench.line(13).level


def test_the_vmware_port_knows_no_command(bench: Bench) -> None:
    bench.place(VmPort())
    assert bench.ports.load(0x5658, 4) == 0xFFFFFFFF
    assert bench.inb(0x5658) == 0xFF
    bench.ports.store(0x5658, 4, 0x564D5868)


def test_the_vapic_port_answers_nothing(bench: Bench) -> None:
    bench.place(KvmVapic())
    bench.ports.store(0x7E, 2, 0x20)
    assert bench.ports.load(0x7E, 2) == 0xFFFF


def test_the_debug_console_answers_e9_and_takes_bytes(bench: Bench) -> None:
    log = bytearray()
    bench.place(DebugConsole(log.append))
    assert bench.inb(0x402) == 0xE9
    for byte in b"SeaBIOS\n":
        bench.outb(0x402, byte)
    assert log == b"SeaBIOS\n"


def test_the_debug_console_may_be_at_another_port(bench: Bench) -> None:
    bench.place(DebugConsole(lambda _byte: None, port=0xE9))
    assert bench.inb(0xE9) == 0xE9


def test_port_92_drives_a20_and_resets_on_a_rising_bit(bench: Bench) -> None:
    a20: list[bool] = []
    resets: list[int] = []
    port = Port92(on_reset=lambda: resets.append(1), on_a20=a20.append)
    bench.place(port)
    for value in (0x02, 0x00, 0x03, 0x03, 0x02, 0x01):
        bench.outb(0x92, value)
    assert a20 == [True, False, True, True, True, False]
    assert len(resets) == 2
    assert bench.inb(0x92) == 0x01
    bench.outb(0x92, 0x5B)
    port.reset()
    assert bench.inb(0x92) == 0x5A


class Ide(Bench):
    def __init__(self) -> None:
        super().__init__()
        self.irq = self.line(14)
        self.channel = IdeChannel(self.irq)
        self.place(self.channel)


@pytest.fixture
def ide() -> Ide:
    return Ide()


def test_an_empty_channel_reads_zero(ide: Ide) -> None:
    for port in (*range(0x1F0, 0x1F8), 0x3F6):
        ide.outb(port, 0xA5)
        assert ide.inb(port) == 0
    assert ide.ports.load(0x1F0, 2) == 0
    assert ide.ports.load(0x1F0, 4) == 0
    assert ide.ports.load(0x1F4, 4) == 0xFFFFFFFF


def test_a_command_to_device_0_interrupts_until_the_status_is_read(ide: Ide) -> None:
    ide.outb(0x1F6, 0xA0)
    ide.outb(0x1F7, 0xEC)
    assert ide.irq.level
    ide.inb(0x3F6)
    assert ide.irq.level
    ide.inb(0x1F7)
    assert not ide.irq.level


def test_device_1_does_not_answer(ide: Ide) -> None:
    ide.outb(0x1F7, 0xEC)
    ide.outb(0x1F6, 0xB0)
    ide.outb(0x1F7, 0xEC)
    assert not ide.irq.level


def test_interrupts_can_be_forbidden(ide: Ide) -> None:
    ide.outb(0x3F6, 0x02)
    ide.outb(0x1F7, 0xEC)
    assert not ide.irq.level
    ide.outb(0x3F6, 0x06)
    assert not ide.irq.level
    ide.outb(0x3F6, 0x00)
    ide.outb(0x1F7, 0xEC)
    assert ide.irq.level


def test_a_software_reset_interrupts(ide: Ide) -> None:
    ide.outb(0x3F6, 0x04)
    assert ide.irq.level
    ide.channel.reset()
    assert not ide.irq.level


def test_a_port_list_makes_one_region_of_each_run(bench: Bench) -> None:
    log: list[tuple[int, int]] = []
    entries = (
        PortEntry(0, 2, 1, lambda offset: 0x10 + offset, lambda o, v: log.append((o, v))),
        PortEntry(0, 1, 2, lambda offset: 0xBEEF, lambda o, v: log.append((o, v))),
        PortEntry(5, 1, 1, lambda offset: 0x10 + offset, lambda o, v: log.append((o, v))),
    )
    places = port_places("list", 0x300, entries)
    assert [(each.address, each.region.size, each.region.name) for each in places] == [
        (0x300, 2, "list"), (0x305, 1, "list"),
    ]  # fmt: skip
    block = RegisterBlock(Stateless())
    block.places = lambda: places
    bench.place(block)
    assert [bench.inb(0x300 + offset) for offset in (0, 1, 2, 5)] == [0x10, 0x11, 0xFF, 0x15]
    assert bench.ports.load(0x300, 2) == 0xBEEF
    assert bench.ports.load(0x301, 2) == 0xFF11  # split; the second byte is nobody's
    assert bench.ports.load(0x300, 4) == 0xFFFFFFFF
    bench.ports.store(0x300, 2, 0x1234)
    bench.ports.store(0x301, 2, 0x5678)
    bench.ports.store(0x300, 4, 0x9ABCDEF0)
    assert log == [(0, 0x1234), (1, 0x78)]
