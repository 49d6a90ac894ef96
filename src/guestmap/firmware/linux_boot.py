"""A Linux kernel, as firmware finds it in fw_cfg: its parts, and where they go.

Linux, Documentation/arch/x86/boot.rst (the x86 boot protocol); items of fw_cfg: QEMU,
include/standard-headers/linux/qemu_fw_cfg.h. As with QEMU's ``-kernel``, the real-mode part is at
10000h, the command line below 9A000h, the kernel at 1 MiB, and the initial RAM disk as high as
kernel and RAM allow. The kernel is entered in real mode, and asks the firmware for the memory map;
or in protected mode, with a zero page in the place of the real-mode part.
"""

from __future__ import annotations

import struct
from pathlib import Path

from guestmap.base import GIB, MIB, ConfigError, format_size
from guestmap.base.dataclass import dataclass
from guestmap.firmware.files import read_file
from guestmap.firmware.linux_entry import (
    check_entry,
    enter_protected_mode,
    enter_real_mode,
    zero_page,
)
from guestmap.firmware.linux_rom import Load, linux_rom

ROM_FILE = "genroms/guestmap-linux.rom"
BOOT_ORDER = b"/rom@genroms/guestmap-linux.rom\0"

KERNEL_ADDRESS, KERNEL_SIZE, KERNEL_DATA = 0x07, 0x08, 0x11
INITRD_ADDRESS, INITRD_SIZE, INITRD_DATA = 0x0A, 0x0B, 0x12
COMMAND_LINE_ADDRESS, COMMAND_LINE_SIZE, COMMAND_LINE_DATA = 0x13, 0x14, 0x15
SETUP_ADDRESS, SETUP_SIZE, SETUP_DATA = 0x16, 0x17, 0x18

LARGEST_KERNEL, LARGEST_INITRD = GIB // 2, 4 * GIB - 1

_SETUP_AT, _COMMAND_LINE_END, _KERNEL_AT = 0x10000, 0x9A000, MIB
_STACK = 0xE000
"""Of the real-mode part, in its segment; the heap ends 200h below."""

_FIRMWARE_TOP = 256 * 1024
"""Bytes at the top of RAM that firmware may keep for its tables."""

_SECTOR, _DEFAULT_SETUP_SECTORS = 512, 4
_SECTORS_AT, _MAGIC_AT, _PROTOCOL_AT = 0x1F1, 0x202, 0x206
_LOADER_AT, _FLAGS_AT, _INITRD_AT, _HEAP_END_AT, _COMMAND_LINE_AT = (
    0x210, 0x211, 0x218, 0x224, 0x228,
)  # fmt: skip
_INITRD_LIMIT_AT, _MORE_FLAGS_AT, _COMMAND_LINE_LIMIT_AT = 0x22C, 0x236, 0x238
_PREFERRED_AT, _NEEDED_AT, _HEADER_END = 0x258, 0x260, 0x264
_OLDEST, _LOADED_HIGH, _HAS_HEAP, _ABOVE_4G = 0x202, 1, 1 << 7, 1 << 1
_UNDEFINED_LOADER = 0xFF
_OLD_INITRD_LIMIT, _OLD_COMMAND_LINE_LIMIT = 0x37FFFFFF, 255
_PAGE = 0x1000


@dataclass(frozen=True, slots=True)
class LinuxKernel:
    """What a kernel's header says (bzImage).

    Attributes:
        setup: its real-mode part.
        kernel: the rest.
        protocol: version of the boot protocol, 0x20F for 2.15.
        initrd_limit: the last address that an initial RAM disk may fill.
        command_line_limit: bytes that the command line may have.
        needs: the first address behind what the kernel fills when it unpacks itself.
    """

    setup: bytes
    kernel: bytes
    protocol: int
    initrd_limit: int
    command_line_limit: int
    needs: int

    @classmethod
    def parse(cls, image: bytes, name: str) -> LinuxKernel:
        """Return what an image holds.

        Raises:
            ConfigError: no Linux kernel, cut short, or one from before protocol 2.02.
        """
        if image[_MAGIC_AT : _MAGIC_AT + 4] != b"HdrS" or len(image) < _HEADER_END:
            hint = ": an ELF file; the bzImage is wanted" if image.startswith(b"\x7fELF") else ""
            raise ConfigError(f"{name} is not a Linux kernel: no 'HdrS' at 0x202{hint}")
        u32 = struct.Struct("<I").unpack_from
        protocol = struct.unpack_from("<H", image, _PROTOCOL_AT)[0]
        text = f"{protocol >> 8}.{protocol & 0xFF:02d}"
        if protocol < _OLDEST:
            raise ConfigError(f"{name}: its boot protocol {text} is too old: 2.02 is the oldest")
        if not image[_FLAGS_AT] & _LOADED_HIGH:
            raise ConfigError(f"{name} is a zImage, for memory below 640 KiB: give the bzImage")
        start = ((image[_SECTORS_AT] or _DEFAULT_SETUP_SECTORS) + 1) * _SECTOR
        if start >= len(image):
            raise ConfigError(f"{name} is cut short: it ends in the real-mode part")
        initrd_limit, command_line_limit = _OLD_INITRD_LIMIT, _OLD_COMMAND_LINE_LIMIT
        needs = _KERNEL_AT + len(image) - start
        if protocol >= 0x203:
            initrd_limit = u32(image, _INITRD_LIMIT_AT)[0]
        if protocol >= 0x206:
            command_line_limit = u32(image, _COMMAND_LINE_LIMIT_AT)[0]
        if protocol >= 0x20A:
            preferred = struct.unpack_from("<Q", image, _PREFERRED_AT)[0]
            needs = max(needs, preferred + u32(image, _NEEDED_AT)[0])
        if protocol >= 0x20C and image[_MORE_FLAGS_AT] & _ABOVE_4G:
            initrd_limit = 4 * GIB - 1
        return cls(image[:start], image[start:], protocol, initrd_limit, command_line_limit, needs)


@dataclass(frozen=True, slots=True)
class LinuxBoot:
    """What fw_cfg holds for a kernel.

    Attributes:
        numbered: contents by item key.
        files: contents by file name.
    """

    numbered: dict[int, bytes]
    files: dict[str, bytes]


def linux_boot(
    kernel: Path, initrd: Path | None, append: str, below_4g: int, entry: int = 16
) -> LinuxBoot:
    """Return what makes firmware boot a kernel.

    Args:
        kernel: a bzImage.
        initrd: its initial RAM disk, if there is one.
        append: its command line.
        below_4g: bytes of RAM from address 0.
        entry: 16 to enter its real-mode part, 32 to enter its protected-mode part.

    Raises:
        ConfigError: a file that is none of the kind, something that does not fit, or no such entry.
        HostError: a file cannot be read.
    """
    image = read_file(kernel, f"could not open kernel file '{kernel}'", LARGEST_KERNEL)
    linux = LinuxKernel.parse(image, f"kernel '{kernel}'")
    disk = b""
    if initrd is not None:
        disk = read_file(initrd, f"could not open initrd file '{initrd}'", LARGEST_INITRD)
    return place(linux, disk, append, below_4g, entry)


def place(
    linux: LinuxKernel, initrd: bytes, append: str, below_4g: int, entry: int = 16
) -> LinuxBoot:
    """Return the contents of fw_cfg for a kernel; see :func:`linux_boot`."""
    check_entry(entry)
    command_line = append.encode("utf-8", "surrogateescape")
    if b"\0" in command_line:
        raise ConfigError("--append: a zero byte would end the command line")
    if len(command_line) > linux.command_line_limit:
        raise ConfigError(
            f"--append: {len(command_line)} bytes; this kernel takes {linux.command_line_limit}"
        )
    top = below_4g - _FIRMWARE_TOP
    if linux.needs > top:
        raise ConfigError(
            f"the kernel fills memory up to 0x{linux.needs:x}, and there is RAM up to 0x{top:x}:"
            " give the machine more with -m"
        )
    initrd_at = _initrd_address(linux, len(initrd), top) if initrd else 0
    command_line_at = _COMMAND_LINE_END - (len(command_line) + 16 & ~15)
    setup = _filled(linux, command_line_at, initrd_at, len(initrd))
    enter = enter_real_mode
    if entry == 32:
        setup, enter = zero_page(setup, _SETUP_AT, _KERNEL_AT), enter_protected_mode
    parts = (
        (SETUP_ADDRESS, SETUP_SIZE, SETUP_DATA, _SETUP_AT, setup),
        (COMMAND_LINE_ADDRESS, COMMAND_LINE_SIZE, COMMAND_LINE_DATA, command_line_at,
         command_line + b"\0"),
        (KERNEL_ADDRESS, KERNEL_SIZE, KERNEL_DATA, _KERNEL_AT, linux.kernel),
        (INITRD_ADDRESS, INITRD_SIZE, INITRD_DATA, initrd_at, initrd),
    )  # fmt: skip
    numbered: dict[int, bytes] = {}
    for address_key, size_key, data_key, address, data in parts:
        numbered[address_key] = struct.pack("<I", address)
        numbered[size_key] = struct.pack("<I", len(data))
        numbered[data_key] = data
    loads = [Load(key, len(data), address) for _, _, key, address, data in parts]
    rom = linux_rom(loads, enter(_SETUP_AT >> 4, _STACK))
    return LinuxBoot(numbered, {ROM_FILE: rom, "bootorder": BOOT_ORDER})


def _initrd_address(linux: LinuxKernel, size: int, top: int) -> int:
    """Return the highest page at which an initial RAM disk fits."""
    end = min(top, linux.initrd_limit + 1)
    at = end - size & -_PAGE
    if at < linux.needs:
        raise ConfigError(
            f"the initrd of {format_size(size)} does not fit: the kernel fills memory up to"
            f" 0x{linux.needs:x}, and it must end below 0x{end:x}; give the machine more with -m"
        )
    return at


def _filled(linux: LinuxKernel, command_line_at: int, initrd_at: int, initrd_size: int) -> bytes:
    """Return the real-mode part with what a boot loader writes into its header."""
    setup = bytearray(linux.setup)
    setup[_LOADER_AT] = _UNDEFINED_LOADER
    setup[_FLAGS_AT] |= _HAS_HEAP
    struct.pack_into("<II", setup, _INITRD_AT, initrd_at, initrd_size)
    struct.pack_into("<H", setup, _HEAP_END_AT, _STACK - _SECTOR)
    struct.pack_into("<I", setup, _COMMAND_LINE_AT, command_line_at)
    return bytes(setup)
