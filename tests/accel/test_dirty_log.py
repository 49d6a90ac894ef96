"""A dirty log holds on every engine: no page that the CPU wrote is missed."""

from __future__ import annotations

from guestmap.accel import ExitReason
from guestmap.memory.ram import DirtyClient

STORE_AND_HALT = b"\xa2\x00\x50\xf4"  # mov [5000h], al; hlt


def test_pages_that_the_cpu_wrote_are_dirty(guest):
    guest.ram.system.dirty_logging.set_region(guest.ram, on=True)
    guest.ram.system.dirty_logging.snapshot_and_clear(guest.ram, 0, guest.ram.size, DirtyClient.VGA)
    guest.real(STORE_AND_HALT, eax=0x42)
    assert guest.run().reason is ExitReason.HALTED
    snapshot = guest.ram.system.dirty_logging.snapshot_and_clear(
        guest.ram, 0, guest.ram.size, DirtyClient.VGA
    )
    assert guest.memory.read(0x5000, 1) == b"\x42"
    assert snapshot.is_dirty(0x5000)


def test_dma_is_logged_with_or_without_a_cpu(machine):
    machine.ram.system.dirty_logging.set_region(machine.ram, on=True)
    log = machine.ram.ram_block.dirty
    log.snapshot_and_clear(DirtyClient.VGA, 0, machine.ram.size)
    machine.memory.write(0x6000, b"dma")
    snapshot = log.snapshot_and_clear(DirtyClient.VGA, 0, machine.ram.size)
    assert snapshot.pages() == [0x6000]
