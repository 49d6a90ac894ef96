"""The front works for every architecture that Unicorn has, in its byte order."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

pytest.importorskip("unicorn")

from unicorn import (
    Uc,
    arm64_const,
    arm_const,
    m68k_const,
    mips_const,
    ppc_const,
    riscv_const,
    s390x_const,
    sparc_const,
    x86_const,
)
from unicorn import unicorn_const as uc_api

from guestmap.accel.unicorn import UnmappedAccess, UnmappedError, attach
from guestmap.base import UnsupportedError
from guestmap.memory import Endianness, MemoryRegionOps, MemorySystem

pytestmark = pytest.mark.unicorn

DEVICE = 0x4400
_BIG = uc_api.UC_MODE_BIG_ENDIAN


class Cpu(NamedTuple):
    """An architecture, and code that loads the word at base + 4, stores it at base + 8, loads the
    byte at base + 1 and stores it at base + 2."""

    name: str
    arch: int
    mode: int
    base: int
    code: str
    big: bool = False
    fetches: bool = True


# ldr r1,[r0,#4]; str r1,[r0,#8]; ldrb r1,[r0,#1]; strb r1,[r0,#2], and so on
CPUS = (
    Cpu("arm", uc_api.UC_ARCH_ARM, uc_api.UC_MODE_ARM, arm_const.UC_ARM_REG_R0,
        "041090e5 081080e5 0110d0e5 0210c0e5"),
    Cpu("thumb", uc_api.UC_ARCH_ARM, uc_api.UC_MODE_THUMB, arm_const.UC_ARM_REG_R0,
        "4168 8160 4178 8170"),
    Cpu("arm big-endian", uc_api.UC_ARCH_ARM, uc_api.UC_MODE_ARM | _BIG, arm_const.UC_ARM_REG_R0,
        "e5901004 e5801008 e5d01001 e5c01002", big=True),
    Cpu("arm64", uc_api.UC_ARCH_ARM64, uc_api.UC_MODE_ARM, arm64_const.UC_ARM64_REG_X0,
        "010440b9 010800b9 01044039 01080039"),
    Cpu("mips", uc_api.UC_ARCH_MIPS, uc_api.UC_MODE_MIPS32 | _BIG, mips_const.UC_MIPS_REG_8,
        "8d090004 ad090008 91090001 a1090002", big=True),
    Cpu("mips little-endian", uc_api.UC_ARCH_MIPS, uc_api.UC_MODE_MIPS32,
        mips_const.UC_MIPS_REG_8, "0400098d 080009ad 01000991 020009a1"),
    Cpu("mips64", uc_api.UC_ARCH_MIPS, uc_api.UC_MODE_MIPS64 | _BIG, mips_const.UC_MIPS_REG_8,
        "8d090004 ad090008 91090001 a1090002", big=True),
    Cpu("ppc", uc_api.UC_ARCH_PPC, uc_api.UC_MODE_PPC32 | _BIG, ppc_const.UC_PPC_REG_3,
        "80830004 90830008 88830001 98830002", big=True),
    Cpu("riscv32", uc_api.UC_ARCH_RISCV, uc_api.UC_MODE_RISCV32, riscv_const.UC_RISCV_REG_A0,
        "83254500 2324b500 83451500 2301b500"),
    Cpu("riscv64", uc_api.UC_ARCH_RISCV, uc_api.UC_MODE_RISCV64, riscv_const.UC_RISCV_REG_A0,
        "83254500 2324b500 83451500 2301b500"),
    Cpu("sparc", uc_api.UC_ARCH_SPARC, uc_api.UC_MODE_SPARC32 | _BIG, sparc_const.UC_SPARC_REG_O0,
        "d2022004 d2222008 d20a2001 d22a2002", big=True, fetches=False),
    Cpu("s390x", uc_api.UC_ARCH_S390X, _BIG, s390x_const.UC_S390X_REG_R3,
        "58203004 50203008 43203001 42203002", big=True),
    Cpu("m68k", uc_api.UC_ARCH_M68K, _BIG, m68k_const.UC_M68K_REG_A0,
        "20280004 21400008 10280001 11400002", big=True, fetches=False),
    Cpu("x86", uc_api.UC_ARCH_X86, uc_api.UC_MODE_32, x86_const.UC_X86_REG_EAX,
        "8b4804 894808 8a4801 884802"),
    Cpu("x86-64", uc_api.UC_ARCH_X86, uc_api.UC_MODE_64, x86_const.UC_X86_REG_RAX,
        "8b4804 894808 8a4801 884802"),
)  # fmt: skip

each_cpu = pytest.mark.parametrize("cpu", CPUS, ids=lambda cpu: cpu.name)


class Board:
    """RAM with a device of 16 bytes in the middle of it, and code in either page."""

    def __init__(
        self,
        cpu: Cpu,
        endianness: Endianness = Endianness.NATIVE,
        device: int = DEVICE,
        **options: Any,
    ) -> None:
        self.cpu = cpu
        self.log: list[tuple[str, int, int, int]] = []
        memory = MemorySystem()
        root = memory.container("board", 1 << 32)
        self.space = memory.address_space("memory", root)
        self.uc = Uc(cpu.arch, cpu.mode)
        attach(self.uc, self.space, **options)
        self.asks = cpu.arch != uc_api.UC_ARCH_S390X
        root.add_subregion(0, memory.ram("ram", 0x10000))
        ops = MemoryRegionOps(read=self._read, write=self._write, endianness=endianness)
        root.add_subregion(device, memory.io("device", 16, ops), priority=1)

    def _read(self, offset: int, size: int) -> int:
        self.log.append(("r", offset, size, 0))
        return 0x11223344 if size == 4 else 0x55

    def _write(self, offset: int, value: int, size: int) -> None:
        self.log.append(("w", offset, size, value))

    def run(self, base: int, at: int = 0x1000) -> None:
        code = bytes.fromhex(self.cpu.code)
        self.space.write(at, code)
        self.uc.reg_write(self.cpu.base, base)
        thumb = self.cpu.arch == uc_api.UC_ARCH_ARM and self.cpu.mode & uc_api.UC_MODE_THUMB
        self.uc.emu_start(at | bool(thumb), at + len(code))


@each_cpu
def test_a_device_smaller_than_a_page_gets_the_numbers_of_the_cpu(cpu: Cpu) -> None:
    # a big-endian ARM is a little-endian one to Unicorn's devices, and swaps by itself
    swaps = cpu.name == "arm big-endian"
    board = Board(cpu, Endianness.BIG if swaps else Endianness.NATIVE)
    for _ in range(2):  # found out anew, and remembered
        board.log.clear()
        board.run(DEVICE)
        assert board.log == [
            ("r", 4, 4, 0),
            ("w", 8, 4, 0x11223344),
            ("r", 1, 1, 0),
            ("w", 2, 1, 0x55),
        ]
    order: Any = "big" if cpu.big else "little"  # and whoever asks finds the bytes that it loads
    assert board.space.read(DEVICE + 4, 4) == (0x11223344).to_bytes(4, order)


@each_cpu
def test_ram_beside_a_device_has_the_byte_order_of_ram(cpu: Cpu) -> None:
    for base in (0x4500, 0x8000):  # through the dispatcher, and mapped
        board = Board(cpu)
        board.space.write(base, bytes(range(1, 9)))
        board.run(base)
        assert board.space.read(base, 12) == bytes((1, 2, 2, 4, 5, 6, 7, 8, 5, 6, 7, 8))


@each_cpu
def test_a_byte_order_that_a_device_names_is_kept(cpu: Cpu) -> None:
    """The bytes at the addresses are the same, whoever reads them."""
    board = Board(cpu, Endianness.BIG)
    in_ram = bytes.fromhex("11223344")
    assert board.space.read(DEVICE + 4, 4) == in_ram
    board.run(DEVICE)
    assert board.log[-3] == ("w", 8, 4, 0x11223344)


@pytest.mark.parametrize("cpu", [c for c in CPUS if c.fetches], ids=lambda cpu: cpu.name)
def test_code_runs_from_a_page_that_is_not_all_memory(cpu: Cpu) -> None:
    board = Board(cpu, Endianness.BIG if cpu.big else Endianness.NATIVE)
    board.run(DEVICE, at=0x4800)
    assert [entry[:3] for entry in board.log] == [
        ("r", 4, 4),
        ("w", 8, 4),
        ("r", 1, 1),
        ("w", 2, 1),
    ]


@pytest.mark.parametrize("cpu", [c for c in CPUS if not c.fetches], ids=lambda cpu: cpu.name)
def test_where_unicorn_cannot_execute_that_an_error_says_so(cpu: Cpu) -> None:
    board = Board(cpu)
    with pytest.raises(UnsupportedError, match=r"0x4800, in region 'ram'"):
        board.run(DEVICE, at=0x4800)


@each_cpu
def test_whoever_answers_for_nobody_has_numbers_as_the_cpu_has_them(cpu: Cpu) -> None:
    seen: list[tuple[str, int, int, int | None]] = []

    def nobody(access: UnmappedAccess) -> int:
        seen.append((access.kind, access.address, access.size, access.value))
        return 0x11223344 if access.size == 4 else 0x55

    board = Board(cpu, unmapped=nobody)
    if not board.asks:
        pytest.skip("nobody is an exception of the CPU's own here")
    board.run(0x20000)
    assert seen == [
        ("read", 0x20004, 4, None),
        ("write", 0x20008, 4, 0x11223344),
        ("read", 0x20001, 1, None),
        ("write", 0x20002, 1, 0x55),
    ]


_LAST = 0xFFFF_FF00
"""In the last page of a CPU of 32 bits, and in none of a CPU that has tables for all addresses."""

_ends_there = pytest.mark.parametrize(
    "cpu", [c for c in CPUS if not c.name.startswith(("mips", "s390x"))], ids=lambda cpu: cpu.name
)


@_ends_there
def test_a_device_in_the_last_page_of_4_gib(cpu: Cpu) -> None:
    board = Board(cpu, device=_LAST)
    board.run(_LAST)
    assert [entry[:3] for entry in board.log] == [
        ("r", 4, 4),
        ("w", 8, 4),
        ("r", 1, 1),
        ("w", 2, 1),
    ]


@_ends_there
def test_nobody_in_the_last_page_of_4_gib(cpu: Cpu) -> None:
    with pytest.raises(UnmappedError, match=rf"a read of 4 bytes at {_LAST + 4:#x}: nobody"):
        Board(cpu).run(_LAST)
    seen: list[int] = []

    def nobody(access: UnmappedAccess) -> int:
        seen.append(access.address - _LAST)
        return 0

    Board(cpu, unmapped=nobody).run(_LAST)
    assert seen == [4, 8, 1, 2]
