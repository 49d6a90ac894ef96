"""Linux kernels: what their header says, and where their parts go."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import GIB, MIB, ConfigError
from guestmap.firmware.linux_boot import (
    INITRD_ADDRESS,
    INITRD_SIZE,
    ROM_FILE,
    SETUP_DATA,
    LinuxKernel,
    linux_boot,
    place,
)
from tests.support.linux_image import SECTORS, bootable, image


def parsed(**fields: int) -> LinuxKernel:
    return LinuxKernel.parse(image(**fields), "kernel 'k'")


def test_an_image_is_cut_behind_its_real_mode_part():
    kernel = parsed()
    assert len(kernel.setup) == (SECTORS + 1) * 512
    assert len(kernel.kernel) == 65536
    old = parsed(setup_sects=0)  # which means 4
    assert len(old.setup) == 5 * 512


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"version": 0x202}, 0x37FFFFFF),
        ({"version": 0x203}, 0x7FFFFFFF),
        ({"version": 0x20B, "xloadflags": 2}, 0x7FFFFFFF),
        ({"version": 0x20C, "xloadflags": 2}, 4 * GIB - 1),
        ({"version": 0x20C, "xloadflags": 1}, 0x7FFFFFFF),
    ],
)
def test_how_high_an_initrd_may_be(fields, limit):
    assert parsed(**fields).initrd_limit == limit


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"version": 0x205, "cmdline_size": 2047}, 255),
        ({"version": 0x206, "cmdline_size": 2047}, 2047),
    ],
)
def test_how_long_a_command_line_may_be(fields, limit):
    kernel = parsed(**fields)
    place(kernel, b"", "x" * limit, 64 * MIB)
    with pytest.raises(ConfigError, match=f"{limit + 1} bytes; this kernel takes {limit}"):
        place(kernel, b"", "x" * (limit + 1), 64 * MIB)


def test_a_kernel_needs_what_it_unpacks_into():
    assert parsed(version=0x209, pref_address=GIB).needs == MIB + 65536
    assert parsed(version=0x20A, pref_address=16 * MIB, init_size=MIB).needs == 17 * MIB


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not a Linux kernel: no 'HdrS' at 0x202"),
        (image()[:0x263], "is not a Linux kernel"),
        (b"\x7fELF" + bytes(0x300), "an ELF file; the bzImage is wanted"),
        (image(version=0x201), "its boot protocol 2.01 is too old: 2.02 is the oldest"),
        (image(loadflags=0), "is a zImage"),
        (image()[: (SECTORS + 1) * 512], "is cut short"),
        (image(setup_sects=255), "is cut short"),
    ],
)
def test_what_cannot_be_booted_is_refused(data, words):
    with pytest.raises(ConfigError, match=words):
        LinuxKernel.parse(data, "kernel 'k'")


def word(numbered: dict[int, bytes], key: int) -> int:
    return int.from_bytes(numbered[key], "little")


def test_an_initrd_is_as_high_as_ram_and_kernel_allow():
    for below_4g, limit, end in (
        (64 * MIB, 0x7FFFFFFF, 64 * MIB - 256 * 1024),
        (3 * GIB, 0x37FFFFFF, 0x38000000),
    ):
        numbered = place(parsed(initrd_addr_max=limit), b"i" * 5000, "", below_4g).numbered
        assert word(numbered, INITRD_ADDRESS) == end - 5000 & -4096
        assert word(numbered, INITRD_SIZE) == 5000


def test_an_initrd_that_fits_exactly_and_one_byte_more():
    kernel, room = parsed(), 8 * MIB - 256 * 1024 - 3 * MIB
    assert word(place(kernel, bytes(room), "", 8 * MIB).numbered, INITRD_ADDRESS) == 3 * MIB
    with pytest.raises(ConfigError, match=r"initrd of .* does not fit.*up to 0x300000"):
        place(kernel, bytes(room + 1), "", 8 * MIB)


def test_a_kernel_that_does_not_fit():
    with pytest.raises(ConfigError, match=r"fills memory up to 0x300000, and there is RAM up to"):
        place(parsed(), b"", "", 3 * MIB)


def test_what_a_loader_fills_in():
    setup = place(parsed(), b"i" * 10, "console=ttyS0", 64 * MIB).numbered[SETUP_DATA]
    assert setup[0x210] == 0xFF
    assert setup[0x211] == 0x81
    at, size = struct.unpack_from("<II", setup, 0x218)
    assert (at, size) == (64 * MIB - 256 * 1024 - 4096, 10)
    assert struct.unpack_from("<I", setup, 0x228)[0] == 0x9A000 - 16


def test_the_rom_is_one_that_firmware_boots_from():
    rom = place(parsed(), b"", "", 64 * MIB).files[ROM_FILE]
    assert rom[:2] == b"\x55\xaa"
    assert rom[2] * 512 == len(rom)
    assert sum(rom) & 0xFF == 0
    (pnp,) = struct.unpack_from("<H", rom, 0x1A)
    assert rom[pnp : pnp + 4] == b"$PnP"
    assert sum(rom[pnp : pnp + 32]) & 0xFF == 0
    (product,) = struct.unpack_from("<H", rom, pnp + 16)
    assert rom[product:].startswith(b"Linux\0")


def test_a_zero_byte_in_the_command_line():
    with pytest.raises(ConfigError, match="a zero byte"):
        place(parsed(), b"", "a\0b", 64 * MIB)


def test_a_kernel_is_entered_in_real_or_in_protected_mode():
    with pytest.raises(ConfigError, match=r"--kernel-entry 64: give 16, .*, or 32"):
        place(parsed(), b"", "", 64 * MIB, 64)


def test_a_zero_page_has_the_header_and_nothing_else_of_the_real_mode_part():
    data = bytearray(b"\xff" * len(image()))
    data[0x1F1:0x290] = image()[0x1F1:0x290]
    data[0x200:0x202] = b"\xeb\x66"  # the header ends at 268h
    data[0x264:0x26C] = b"headerNO"
    kernel = LinuxKernel.parse(bytes(data), "kernel 'k'")
    page = place(kernel, b"i" * 10, "", 64 * MIB, 32).numbered[SETUP_DATA][:4096]
    assert not any(page[:0x1F1])
    assert page[0x1F1] == SECTORS
    assert struct.unpack_from("<II", page, 0x218) == (64 * MIB - 256 * 1024 - 4096, 10)
    assert page[0x264:0x268] == b"head"
    assert not any(page[0x268:])


def test_files_that_cannot_be_read(tmp_path: Path):
    kernel = tmp_path / "kernel"
    for path, words in (
        (kernel, "could not open kernel file '.*': No such file"),
        (tmp_path, "not a regular file"),
        (Path("a\0b"), "No such file"),
    ):
        with pytest.raises(ConfigError, match=words):
            linux_boot(path, None, "", 64 * MIB)
    kernel.write_bytes(image())
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=r"could not open initrd file '.*pipe': not a regular"):
        linux_boot(kernel, tmp_path / "pipe", "", 64 * MIB)


# -- a kernel of a few bytes, booted ---------------------------------------------------------------


def tiny_kernel() -> bytes:
    """A real-mode part that tells on port 402h what it was given, and halts.

    It prints 16 bytes of the command line, of the kernel at 1 MiB, and the initrd's first 4 bytes.
    """
    say = b"\xba\x02\x04\xb9\x10\x00"  # mov dx, 402h; mov cx, 16
    code = (
        say + b"\x66\x8b\x36\x28\x02"  # mov esi, [228h]: the command line
        b"\x66\x89\xf0\x66\xc1\xe8\x04\x8e\xd8\x83\xe6\x0f"  # ds = esi >> 4; si &= 15
        b"\xf3\x6e"  # rep outsb
        b"\xb0\x0a\xee"  # mov al, '\n'; out dx, al
        b"\xb8\xff\xff\x8e\xd8\xbe\x10\x00\xb9\x10\x00\xf3\x6e"  # ds:si = FFFF:10h; rep outsb
        b"\xb0\x0a\xee\xfa\xf4"  # a line feed; cli; hlt
    )
    return bootable(code, b"the kernel is it")


@pytest.mark.unicorn
@pytest.mark.seabios
@pytest.mark.parametrize("resets", [0, 1])
def test_firmware_boots_it_and_boots_it_again_after_a_reset(tmp_path: Path, resets: int):
    from guestmap.machine import LogLine, MachineConfig, VirtualMachine

    (tmp_path / "k").write_bytes(tiny_kernel())
    (tmp_path / "i").write_bytes(b"disk")
    config = MachineConfig(
        ram_size=32 * MIB, debugcon=True, kernel=tmp_path / "k", initrd=tmp_path / "i",
        append="a command line!!",
    )  # fmt: skip
    lines: list[str] = []

    def hear(event: Any) -> None:
        if isinstance(event, LogLine) and "kernel is it" in event.text:
            lines.append(event.text)
            if len(lines) <= resets:
                vm.request_reset("a test")

    with VirtualMachine(config, observer=hear) as vm:
        vm.run()
        words = [line.text for line in vm.log]
        assert lines == ["the kernel is it"] * (resets + 1)
        assert words.count("a command line!!") == resets + 1
        at = 32 * MIB - 256 * 1024 - 4096
        assert vm.board.memory.read(at, 4) == b"disk"


def protected_mode_kernel() -> bytes:
    """A 32-bit part that says its command line and its initrd, if all is as the protocol has it."""
    say = b"\xf3\x6e\xb0\x0a\xee"  # rep outsb; mov al, '\n'; out dx, al
    words = (
        b"\x66\xba\x02\x04\x89\xf3"  # mov dx, 402h; mov ebx, esi
        b"\x8b\xb3\x28\x02\x00\x00\xb9\x10\x00\x00\x00" + say +  # [ebx+228h], 16 bytes
        b"\x8b\xb3\x18\x02\x00\x00\xb9\x04\x00\x00\x00" + say  # [ebx+218h], 4 bytes
    )  # fmt: skip
    checks = (
        b"\x09\xeb\x09\xfb",  # or ebx, ebp; or ebx, edi
        b"\x8c\xc8\x66\x83\xf8\x10",  # mov eax, cs; cmp ax, 10h
        b"\x8c\xd8\x66\x83\xf8\x18",  # mov eax, ds; cmp ax, 18h
        b"\x8c\xc0\x66\x83\xf8\x18",  # mov eax, es; cmp ax, 18h
        b"\x8c\xd0\x66\x83\xf8\x18",  # mov eax, ss; cmp ax, 18h
        b"\x0f\x20\xc0\x25\x01\x00\x00\x80\x83\xf8\x01",  # cr0: PE and no PG
        b"\x9c\x58\xa9\x00\x02\x00\x00",  # pushfd; pop eax; test eax, IF
    )
    code = words
    for check in reversed(checks):
        code = check + b"\x75" + bytes([len(code)]) + code  # jnz: the words are left out
    return bootable(b"", code + b"\xfa\xf4")


@pytest.mark.unicorn
@pytest.mark.seabios
@pytest.mark.parametrize("resets", [0, 1])
def test_a_kernel_entered_in_protected_mode_is_told_the_memory_map(tmp_path: Path, resets: int):
    from guestmap.machine import LogLine, MachineConfig, VirtualMachine

    (tmp_path / "k").write_bytes(protected_mode_kernel())
    (tmp_path / "i").write_bytes(b"disk")
    config = MachineConfig(
        ram_size=32 * MIB, debugcon=True, kernel=tmp_path / "k", initrd=tmp_path / "i",
        append="a command line!!", kernel_entry=32,
    )  # fmt: skip
    lines: list[str] = []

    def hear(event: Any) -> None:
        if isinstance(event, LogLine) and event.text == "disk":
            lines.append(event.text)
            if len(lines) <= resets:
                vm.request_reset("a test")

    with VirtualMachine(config, observer=hear) as vm:
        vm.run()
        assert lines == ["disk"] * (resets + 1)
        assert [line.text for line in vm.log].count("a command line!!") == resets + 1
        page = bytes(vm.board.memory.read(0x10000, 4096))
    table = list(struct.iter_unpack("<QQI", page[0x2D0 : 0x2D0 + 20 * page[0x1E8]]))
    assert table == sorted(table)
    assert table[0] == (0, 0x9FC00, 1)
    (top,) = (start + size for start, size, kind in table if start == MIB and kind == 1)
    assert 31 * MIB < top < 32 * MIB
    assert (top, 32 * MIB - top, 2) in table
    assert (0xFFFC0000, 0x40000, 2) in table
    assert (0xF0000, 0x10000, 2) in table
    assert not any(page[0x2D0 + 20 * len(table) :])


@pytest.mark.unicorn
def test_no_register_that_firmware_leaves_comes_into_the_kernel():
    from unicorn import UC_ARCH_X86, UC_MODE_32, Uc, x86_const

    data = place(parsed(), b"", "", 64 * MIB, 32).numbered[SETUP_DATA]
    cpu = Uc(UC_ARCH_X86, UC_MODE_32)
    cpu.mem_map(0, 2 * MIB)
    cpu.mem_write(0x10000, data)
    (limit, base) = struct.unpack_from("<HI", data, 0x1020)
    cpu.reg_write(x86_const.UC_X86_REG_GDTR, (0, base, limit, 0))
    cleared = [getattr(x86_const, f"UC_X86_REG_{name}") for name in ("EBP", "EDI", "EBX")]
    for each in cleared:
        cpu.reg_write(each, 0xFFFFFFFF)

    cpu.emu_start(0x11028, MIB)

    assert [cpu.reg_read(each) for each in cleared] == [0, 0, 0]
    assert cpu.reg_read(x86_const.UC_X86_REG_ESI) == 0x10000
    assert cpu.reg_read(x86_const.UC_X86_REG_EIP) == MIB
