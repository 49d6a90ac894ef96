"""What the guest sees of the address spaces, and what they see of the guest."""

from __future__ import annotations

import pytest
from unicorn.unicorn_const import UC_ERR_NOMEM

from guestmap.accel import ExitReason
from guestmap.accel.unicorn.binding import UcError
from guestmap.base import HostError
from guestmap.memory import Endianness, MemoryRegionOps
from tests.accel.guest import CODE, DEVICE, DEVICE_SIZE, RAM_SIZE, ROM_BASE, later

HLT = b"\xf4"


def le32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def test_ports_in_all_widths(guest):
    guest.answer = 0xA1B2C3D4
    guest.real(
        b"\xb8\x34\x12"  # mov ax, 0x1234
        b"\xe6\x80"  # out 0x80, al
        b"\xe7\x80"  # out 0x80, ax
        b"\x66\xb8\x78\x56\x34\x12"  # mov eax, 0x12345678
        b"\xba\x00\x30"  # mov dx, 0x3000
        b"\x66\xef"  # out dx, eax
        b"\xe4\x81\x88\xc3"  # in al, 0x81; mov bl, al
        b"\xe5\x82\x89\xc1"  # in ax, 0x82; mov cx, ax
        b"\x66\xed"  # in eax, dx
        b"\xf4"
    )
    assert guest.run().reason is ExitReason.HALTED
    assert guest.ports == [(0x80, 0x34, 1), (0x80, 0x1234, 2), (0x3000, 0x12345678, 4)]
    assert guest.reads == [(0x81, 1), (0x82, 2), (0x3000, 4)]
    assert guest.register("ebx") & 0xFF == 0xD4
    assert guest.register("ecx") & 0xFFFF == 0xC3D4
    assert guest.register("eax") == 0xA1B2C3D4


def test_string_output_reaches_the_port_element_by_element(guest):
    guest.memory.write(0x3000, b"abc")
    guest.real(b"\xbe\x00\x30\xb9\x03\x00\xba\x80\x00\xf3\x6e\xf4")  # rep outsb of 3 bytes
    guest.run()
    assert bytes(guest.value()) == b"abc"


def test_a_device_in_all_widths(guest):
    guest.flat(
        b"\xbf" + le32(DEVICE) +  # mov edi, DEVICE
        b"\x8a\x07"  # mov al, [edi]
        b"\x66\x8b\x5f\x02"  # mov bx, [edi+2]
        b"\x8b\x4f\x04"  # mov ecx, [edi+4]
        b"\xb8\x78\x56\x34\x12"  # mov eax, 0x12345678
        b"\x88\x47\x08\x66\x89\x47\x0a\x89\x47\x0c"  # mov [edi+8], al; [edi+10], ax; [edi+12], eax
        b"\xf4"
    )  # fmt: skip
    guest.run()
    assert guest.device_log == [
        ("r", 0, 1, 0), ("r", 2, 2, 0), ("r", 4, 4, 0),
        ("w", 8, 1, 0x78), ("w", 10, 2, 0x5678), ("w", 12, 4, 0x12345678),
    ]  # fmt: skip
    assert guest.register("ecx") == 0x44332215


@pytest.mark.not_on_kvm("a processor makes one access")
def test_unaligned_accesses_to_a_device_are_cut_up_as_qemu_does(guest):
    """TCG reads the two aligned words round it, and writes bytes (accel/tcg/cputlb.c)."""
    guest.flat(b"\xa1" + le32(DEVICE + 2) + b"\xa3" + le32(DEVICE + 0x11) + HLT)
    guest.run()
    assert [entry[:3] for entry in guest.device_log] == [
        ("r", 0, 4), ("r", 4, 4),
        ("w", 0x11, 1), ("w", 0x12, 1), ("w", 0x13, 1), ("w", 0x14, 1),
    ]  # fmt: skip


def test_a_page_is_shared_by_a_device_and_a_hole_behind_it(guest):
    guest.flat(
        b"\xa1" + le32(DEVICE + DEVICE_SIZE - 4) + b"\x89\xc3"  # mov eax, [last]; mov ebx, eax
        b"\xa1" + le32(DEVICE + DEVICE_SIZE) + HLT  # mov eax, [behind]
    )  # fmt: skip
    guest.run()
    assert guest.register("ebx") == 0x44332211 + DEVICE_SIZE - 4
    assert guest.register("eax") == 0


def test_memory_and_a_device_in_one_page(guest):
    mixed = guest.system.ram("half", 0x1000)
    guest.root.add_subregion(0x400000, mixed)
    window = guest.system.io(
        "corner", 0x10, MemoryRegionOps(read=lambda offset, size: 0x77, write=lambda o, v, s: None)
    )
    guest.root.add_subregion(0x400800, window, 1)
    guest.memory.write(0x400000, le32(0xCAFEBABE))
    guest.flat(
        b"\xa1" + le32(0x400000) + b"\x89\xc3"  # mov eax, [ram]; mov ebx, eax
        b"\xa1" + le32(0x400800) + b"\x89\xc1"  # mov eax, [device]; mov ecx, eax
        b"\xa3" + le32(0x400FFC) + HLT  # mov [ram], eax
    )  # fmt: skip
    guest.run()
    assert guest.register("ebx") == 0xCAFEBABE
    assert guest.register("ecx") == 0x77
    assert guest.memory.load(0x400FFC, 4) == 0x77


def test_writes_to_rom_vanish(guest):
    guest.rom.buffer[0:4] = b"ROM!"
    guest.flat(b"\xc7\x05" + le32(ROM_BASE) + le32(0) + b"\xa1" + le32(ROM_BASE) + HLT)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.register("eax").to_bytes(4, "little") == b"ROM!"
    assert guest.accelerator.statistics().rom_writes == 1


def test_a_read_only_alias_keeps_the_cpu_out(guest):
    alias = guest.system.alias("window", guest.ram, 0x3000, 0x1000)
    alias.set_readonly(True)
    guest.root.add_subregion(0x500000, alias)
    guest.flat(b"\xc7\x05" + le32(0x500000) + le32(5) + b"\xc7\x05" + le32(0x3004) + le32(6) +
               b"\xa1" + le32(0x500004) + HLT)  # fmt: skip
    guest.run()
    assert guest.memory.load(0x3000, 4) == 0
    assert guest.register("eax") == 6


def test_a_rom_device_takes_writes_as_commands(guest):
    commands = []
    flash = guest.system.rom_device(
        "flash",
        0x1000,
        MemoryRegionOps(
            read=lambda offset, size: 0x80, write=lambda o, v, s: commands.append((o, v, s))
        ),
    )
    flash.buffer[0] = 0x42
    guest.root.add_subregion(0x600000, flash)
    guest.on_port[0x81] = lambda value: flash.set_romd_mode(False)
    guest.flat(
        b"\xa0" + le32(0x600000) + b"\xe6\x80"  # mov al, [flash]; out 0x80, al
        b"\xc6\x05" + le32(0x600010) + b"\x99"  # mov byte [flash+16], 0x99
        b"\xe6\x81"  # out 0x81, al
        b"\xa0" + le32(0x600000) + b"\xe6\x80\xf4"
    )  # fmt: skip
    guest.run()
    assert commands == [(0x10, 0x99, 1)]
    assert guest.value() == [0x42, 0x80]


def test_nobody_answers_with_zeros_and_takes_what_is_written(guest):
    guest.flat(b"\xb8\xff\xff\xff\xff\xa3" + le32(0x70000000) + b"\xa1" + le32(0x70000000) + HLT)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.register("eax") == 0


def test_an_access_across_the_end_of_memory(guest):
    end = RAM_SIZE
    guest.memory.write(end - 2, b"\x34\x12")
    guest.flat(b"\xa1" + le32(end - 2) + b"\xc7\x05" + le32(end - 2) + le32(0x99998765) + HLT)
    guest.run()
    assert guest.register("eax") == 0x1234
    assert guest.memory.load(end - 2, 2) == 0x8765


READ_TWICE = 2 * (b"\xa1" + le32(DEVICE))  # mov eax, [DEVICE]


@pytest.mark.parametrize("change", ["map", "byte order"])
def test_a_register_that_is_polled_is_looked_up_anew_after_a_change(guest, change):
    other = guest.system.io("other", 4, MemoryRegionOps(read=lambda _offset, _size: 7))
    guest.on_port[0x80] = {
        "map": lambda _: guest.root.add_subregion(DEVICE, other, priority=1),
        "byte order": lambda _: guest.device.set_native_endianness(Endianness.BIG),
    }[change]
    guest.flat(READ_TWICE + b"\x89\xc3\xe6\x80" + READ_TWICE + HLT)  # mov ebx, eax; out 0x80, al
    guest.run()

    assert guest.register("ebx") == 0x44332211
    assert guest.register("eax") == {"map": 7, "byte order": 0x11223344}[change]


@pytest.mark.not_on_kvm("it needs no windows")
def test_a_device_that_moves_costs_no_operation(guest):
    guest.on_port[0x80] = lambda value: guest.device.set_address(DEVICE + 0x10000 * (value & 0xF))
    guest.flat(
        b"\xb9\x08\x00\x00\x00"  # mov ecx, 8
        b"\x88\xc8\xe6\x80"  # again: mov al, cl; out 0x80, al
        b"\xa1" + le32(DEVICE) +  # mov eax, [DEVICE]
        b"\xe2\xf5"  # loop again
        b"\xf4"
    )  # fmt: skip
    guest.run()
    first = guest.accelerator.statistics()
    assert guest.device.addr == DEVICE + 0x10000
    assert (first.unmaps, first.open_windows) == (0, 1)


def test_memory_removed_while_the_cpu_reads_it_becomes_open_bus(guest):
    extra = guest.system.ram("dimm", 0x100000)
    guest.root.add_subregion(0x1000000, extra)
    extra.buffer[0] = 1
    guest.flat(b"\xf6\x05" + le32(0x1000000) + b"\x01\x75\xf7\xf4")  # again: test; jnz again; hlt
    later(lambda: guest.root.del_subregion(extra))
    assert guest.run().reason is ExitReason.HALTED


def test_memory_added_while_the_cpu_looks_for_it_is_found(guest):
    extra = guest.system.ram("dimm", 0x100000)
    extra.buffer[0] = 1
    guest.flat(b"\xf6\x05" + le32(0x1000000) + b"\x01\x74\xf7\xf4")  # again: test; jz again; hlt
    later(lambda: guest.root.add_subregion(0x1000000, extra))
    assert guest.run().reason is ExitReason.HALTED


@pytest.mark.parametrize("at_once", [True, False])
def test_memory_may_come_where_the_guest_has_looked_before(guest, at_once):
    """Firmware sizes memory; then a DIMM is plugged in there."""
    dimm = guest.system.ram("dimm", 0x8000000)
    dimm.buffer[0] = dimm.buffer[0x7FFFFFF] = 0x5A
    plug = lambda value=0: guest.root.add_subregion(0x8000000, dimm)  # noqa: E731
    guest.on_port[0x81] = plug if at_once else lambda value: later(plug).join()
    look = b"\xa0" + le32(0x8000000) + b"\xe6\x80\xa0" + le32(0xFFFFFFF) + b"\xe6\x80"
    guest.flat(look + b"\xe6\x81\xeb\x00" + look + HLT)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [0, 0, 0x5A, 0x5A]


def refuse_maps(guest, monkeypatch):
    """Let Unicorn refuse to map memory, as where the host has no room for its tables."""

    def refuse(*_args):
        raise UcError(UC_ERR_NOMEM)

    monkeypatch.setattr(guest.vcpu.cpu.uc, "mem_map_ptr", refuse)


@pytest.mark.not_on_kvm("tests/accel/kvm has its own")
def test_a_change_in_a_port_write_that_unicorn_refuses_is_taken_back(guest, monkeypatch):
    dimm = guest.system.ram("dimm", 0x100000)
    refusals = []

    def plug(_value):
        refuse_maps(guest, monkeypatch)
        try:
            guest.root.add_subregion(0x8000000, dimm)
        except HostError as error:
            refusals.append(str(error))

    guest.on_port[0x81] = plug
    guest.flat(b"\xe6\x81\xeb\x00\xa0" + le32(0x8000000) + b"\xe6\x80" + HLT)
    assert guest.run().reason is ExitReason.HALTED
    assert len(refusals) == 1
    assert "0x8000000-0x8100000" in refusals[0]
    assert dimm.container is None
    assert guest.value() == [0]


@pytest.mark.not_on_kvm("tests/accel/kvm has its own")
def test_a_change_that_unicorn_refuses_too_late_ends_the_run_and_is_tried_again(guest, monkeypatch):
    dimm = guest.system.ram("dimm", 0x100000)
    dimm.buffer[0] = 0x5A
    guest.flat(b"\xe6\x82\xa0" + le32(0x8000000) + b"\xe6\x80" + HLT)
    guest.root.add_subregion(0x8000000, dimm)
    with monkeypatch.context() as patch:
        refuse_maps(guest, patch)
        end = guest.run()
    assert end.reason is ExitReason.ERROR
    assert "refuses a change of its memory map" in end.message
    assert guest.register("eip") == CODE
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [0x5A]


def test_an_alias_shows_the_same_memory(guest):
    guest.root.add_subregion(0x800000, guest.system.alias("again", guest.ram, 0, 0x100000))
    guest.flat(b"\xc7\x05" + le32(0x800000 + 0x4000) + le32(0x1234) + b"\xa1" + le32(0x4000) + HLT)
    guest.run()
    assert guest.register("eax") == 0x1234


@pytest.mark.parametrize("address", [CODE + 0x1000, 0x800000 + CODE + 0x1000])
def test_code_that_somebody_else_overwrites_is_translated_anew(guest, address):
    """Also where it was written through an alias."""
    guest.root.add_subregion(0x800000, guest.system.alias("again", guest.ram, 0, 0x100000))
    guest.memory.write(CODE + 0x1000, b"\xb0\x01\xc3")  # mov al, 1; ret
    guest.on_port[0x81] = lambda value: guest.memory.write(address + 1, b"\x02")
    guest.flat(
        b"\xe8\xfb\x0f\x00\x00"  # call CODE + 0x1000
        b"\xe6\x80\xe6\x81"  # out 0x80, al; out 0x81, al
        b"\xe8\xf2\x0f\x00\x00"  # call CODE + 0x1000
        b"\xe6\x80\xf4"  # out 0x80, al
    )
    guest.run()
    assert guest.value() == [1, 2]


def test_code_that_another_thread_overwrites_is_translated_anew(guest):
    guest.flat(b"\xb0\x01\x3c\x02\x75\xfa\xf4")  # again: mov al, 1; cmp al, 2; jnz again; hlt
    later(lambda: guest.memory.write(CODE + 1, b"\x02"))
    assert guest.run().reason is ExitReason.HALTED


def test_code_that_was_overwritten_between_two_runs_is_translated_anew(guest):
    guest.flat(b"\xb0\x01\xe6\x80\xf4")
    guest.run()
    guest.flat(b"\xb0\x02\xe6\x80\xf4")
    guest.run()
    assert guest.value() == [1, 2]


def test_many_writes_while_nothing_runs_cost_a_bounded_list(guest):
    guest.flat(b"\xb0\x01\xe6\x80\xf4")
    guest.run()
    for address in range(0x10000, 0x20000, 16):
        guest.memory.store(address, 1, 0)
    guest.flat(b"\xb0\x02\xe6\x80\xf4")
    guest.run()
    assert guest.value() == [1, 2]
    assert guest.accelerator.statistics().invalidations < 1100


def test_code_that_the_guest_overwrites_itself(guest):
    guest.flat(
        b"\xc6\x05" + le32(CODE + 8) + b"\x02"  # mov byte [next+1], 2
        b"\xb0\x01\xe6\x80\xf4"  # next: mov al, 1; out 0x80, al; hlt
    )  # fmt: skip
    guest.run()
    assert guest.value() == [2]


def test_a_remap_in_a_port_write_shows_at_once_in_code_and_data(guest):
    """What a PAM register does: the page behind the running code changes hands."""
    low, high = guest.system.ram("low", 0x1000), guest.system.ram("high", 0x1000)
    guest.root.add_subregion(0x300000, low)
    guest.root.add_subregion(0x300000, high, 1)
    high.set_enabled(False)
    low.buffer[0:3], high.buffer[0:3] = b"\xb0\x01\xc3", b"\xb0\x02\xc3"  # mov al, n; ret
    guest.on_port[0x81] = lambda value: high.set_enabled(True)
    guest.flat(
        b"\xbe\x00\x00\x30\x00"  # mov esi, 0x300000
        b"\xff\xd6\xe6\x80"  # call esi; out 0x80, al
        b"\xe6\x81\x8a\x46\x01\xe6\x80"  # out 0x81, al; mov al, [esi+1]; out 0x80, al
        b"\xff\xd6\xe6\x80\xf4"  # call esi; out 0x80, al; hlt
    )
    guest.run()
    assert guest.value() == [1, 2, 2]


def test_the_page_that_is_executed_can_be_remapped(guest):
    low, high = guest.system.ram("low", 0x1000), guest.system.ram("high", 0x1000)
    guest.root.add_subregion(0x300000, low)
    guest.root.add_subregion(0x300000, high, 1)
    high.set_enabled(False)
    head = b"\xe6\x81\xeb\x00"  # out 0x81, al; jmp $+2
    low.buffer[0:9] = head + b"\xb0\x01\xe6\x80\xf4"
    high.buffer[0:9] = head + b"\xb0\x02\xe6\x80\xf4"
    guest.on_port[0x81] = lambda value: high.set_enabled(True)
    guest.flat(b"\xe9" + le32(0x300000 - CODE - 5))
    guest.run()
    assert guest.value() == [2]


def test_neighbours_of_one_block_are_mapped_as_one(guest):
    guest.flat(HLT)
    guest.run()
    before = guest.accelerator.statistics().maps
    assert before == 2  # RAM and ROM
    with guest.system.transaction():
        for i in range(8):
            part = guest.system.alias(f"part{i}", guest.ram, 0x10000 * i, 0x10000)
            guest.root.add_subregion(0x10000000 + 0x10000 * i, part)
    guest.flat(HLT)
    guest.run()
    assert guest.accelerator.statistics().maps == before + 1


@pytest.mark.not_on_kvm("tests/accel/kvm counts slots")
def test_a_part_that_changes_does_not_disturb_the_rest_twice(guest):
    """The first hole in a mapping splits it; toggling that hole then leaves the rest alone."""
    hole = guest.system.io("hole", 0x1000, None)
    guest.root.add_subregion(0x100000, hole, 1)
    hole.set_enabled(False)
    guest.on_port[0x80] = lambda value: hole.set_enabled(bool(value & 1))
    guest.flat(b"\xb9\x05\x00\x00\x00\x88\xc8\xe6\x80\xe2\xfa\xf4")  # out 0x80 of 5, 4, 3, 2, 1
    guest.run()
    counts = guest.accelerator.statistics()
    assert (counts.maps, counts.unmaps) == (2 + 2 + 2, 1 + 2)


@pytest.mark.not_on_kvm("there memory slots change outside the guest alone")
def test_a_change_of_the_map_in_a_port_access_needs_no_leaving_after_a_device_access(guest):
    over = guest.system.ram("over", 0x1000)
    over.buffer[0] = 0x77
    guest.root.add_subregion(0x9000, over, 1)
    guest.on_port[0x81] = lambda value: over.set_enabled(not over.enabled)
    change = b"\xe6\x81\xa0" + le32(0x9000) + b"\xe6\x80"  # out 0x81; mov al, [0x9000]; out 0x80
    entries = []
    for before in (
        b"",
        b"\xa1" + le32(DEVICE),
        b"\xa3" + le32(DEVICE),
    ):  # mov eax, device; and back
        guest.flat(before + change + change + HLT)
        entered = guest.accelerator.statistics().entries
        guest.run()
        entries.append(guest.accelerator.statistics().entries - entered)
    assert guest.value() == [0, 0x77] * 3
    assert len(set(entries)) == 1
