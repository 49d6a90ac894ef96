"""The CPU's state as fields of a saved context, held to what Unicorn's own register calls say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from unicorn import x86_const as x86

from guestmap.accel import ExitReason, Segment
from guestmap.accel.unicorn import layout as layouts
from guestmap.accel.unicorn.blob_state import BlobState
from guestmap.accel.unicorn.layout import Layout, open_cpu, probe
from guestmap.accel.unicorn.register_state import RegisterState
from guestmap.accel.unicorn.state import (
    CS,
    DS,
    EDX,
    ES,
    FS,
    GDTR,
    GS,
    IDTR,
    IF,
    LDTR,
    PROTECTION,
    SS,
    TR,
    VM,
)
from tests.accel.guest import Guest

pytestmark = pytest.mark.unicorn

GENERAL = ("EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI")
SELECTORS = ("ES", "CS", "SS", "DS", "FS", "GS")
CPL, INHIBIT, CS32, SS32, ADDSEG, LONG = 3, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 14
"""Bits of QEMU's hflags (target/i386/cpu.h)."""


def register(name: str) -> int:
    number: int = getattr(x86, f"UC_X86_REG_{name}")
    return number


@pytest.fixture(scope="module")
def layout() -> Layout:
    found = probe(x86.UC_CPU_X86_QEMU64)
    assert found is not None
    return found


@pytest.fixture(params=["blob", "registers"])
def cpu(request: pytest.FixtureRequest, layout: Layout) -> tuple[Any, BlobState | RegisterState]:
    uc = open_cpu(x86.UC_CPU_X86_QEMU64)
    uc.reg_write(x86.UC_X86_REG_CR0, 0x10)
    return uc, BlobState(uc, layout) if request.param == "blob" else RegisterState(uc)


def test_each_register_is_its_own(cpu: tuple[Any, Any]) -> None:
    uc, state = cpu
    for index in range(8):
        state.set_general(index, 0xA0000000 + index)
    state.eip = 0xB0000123
    state.save()
    for index, name in enumerate(GENERAL):
        assert uc.reg_read(register(name)) == 0xA0000000 + index
        uc.reg_write(register(name), 0xC0000000 + index)
    assert uc.reg_read(x86.UC_X86_REG_EIP) == 0xB0000123
    uc.reg_write(x86.UC_X86_REG_EIP, 0x456)
    state.load()
    assert [state.general(index) for index in range(8)] == [0xC0000000 + n for n in range(8)]
    assert state.eip == 0x456


def test_control_registers(cpu: tuple[Any, Any]) -> None:
    uc, state = cpu
    for number, value in ((0, 0x10), (2, 0x1234567), (3, 0x89AB000), (4, 0x30)):
        uc.reg_write(register(f"CR{number}"), value)
    state.load()
    assert [state.control(number) for number in (0, 2, 3, 4)] == [0x10, 0x1234567, 0x89AB000, 0x30]
    state.set_cr2(0xDEADBEEF)
    state.save()
    assert uc.reg_read(x86.UC_X86_REG_CR2) == 0xDEADBEEF
    assert uc.reg_read(x86.UC_X86_REG_CR3) == 0x89AB000


@pytest.mark.parametrize("flags", [0x2, 0x202, 0x8D7, 0x246])
def test_flags(cpu: tuple[Any, Any], flags: int) -> None:
    uc, state = cpu
    state.eflags = flags & ~2  # that bit is always 1
    state.save()
    assert uc.reg_read(x86.UC_X86_REG_EFLAGS) == flags
    assert state.eflags == flags
    assert state.interruptible is bool(flags & IF)


def test_selectors_have_their_base_in_real_mode(cpu: tuple[Any, Any]) -> None:
    uc, state = cpu
    for index, name in enumerate(SELECTORS):
        uc.reg_write(register(name), 0x1000 + index)
    state.load()
    for index in range(6):
        assert state.segment(index)[:3] == (0x1000 + index, (0x1000 + index) << 4, 0xFFFF)


def test_selectors_that_are_set(cpu: tuple[Any, Any]) -> None:
    uc, state = cpu
    for index in range(6):
        state.set_segment(index, Segment(0x2000 + index, (0x2000 + index) << 4, 0xFFFF, 0x9300))
    state.save()
    assert [uc.reg_read(register(name)) for name in SELECTORS] == [0x2000 + n for n in range(6)]


def test_tables(cpu: tuple[Any, Any]) -> None:
    uc, state = cpu
    for index, name in ((GDTR, "GDTR"), (IDTR, "IDTR")):
        state.set_segment(index, Segment(0, 0x1000 * index, 0x100 + index))
        state.save()
        assert uc.reg_read(register(name))[1:3] == (0x1000 * index, 0x100 + index)
        assert state.segment(index)[1:3] == (0x1000 * index, 0x100 + index)
    for index, name in ((LDTR, "LDTR"), (TR, "TR")):
        state.set_segment(index, Segment(0x28, 0x3000 + index, 0x67, 0x8900))
        state.save()
        assert uc.reg_read(register(name))[:3] == (0x28, 0x3000 + index, 0x67)
        assert state.segment(index)[:3] == (0x28, 0x3000 + index, 0x67)


@pytest.fixture
def blob(layout: Layout) -> BlobState:
    uc = open_cpu(x86.UC_CPU_X86_QEMU64)
    uc.reg_write(x86.UC_X86_REG_CR0, 0x10)
    return BlobState(uc, layout)


def test_a_task_register_is_kept_as_if_it_were_free(blob: BlobState) -> None:
    blob.set_segment(TR, Segment(0x28, 0x3000, 0x67, 0x8B00))
    assert blob.segment(TR).flags == 0x8900


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("index", [CS, SS])
def test_the_mode_follows_the_segments(blob: BlobState, level: int, big: bool, index: int) -> None:
    kept = 0x5A5 << 20 | LONG
    blob.hflags = kept | CS32 | SS32 | CPL
    flags = 0x9300 | level << 13 | big << 22
    blob.set_segment(index, Segment(0x10, 0x100, 0xFFFF, flags))
    assert bool(blob.hflags & (CS32 if index == CS else SS32)) is big
    assert blob.hflags & (SS32 if index == CS else CS32)
    assert blob.cpl == (level if index == SS else 3)
    assert blob.hflags & kept == kept
    assert blob.segment(index) == Segment(0x10, 0x100, 0xFFFF, flags)


@pytest.mark.parametrize("index", [ES, DS, SS])
@pytest.mark.parametrize(
    ("base", "protected", "code32", "virtual", "flat"),
    [
        (0, True, True, False, True), (0x10, True, True, False, False),
        (0, False, True, False, False), (0, True, False, False, False),
        (0, True, True, True, False),
    ],
)  # fmt: skip
def test_bases_are_left_out_in_flat_protected_mode_only(
    blob: BlobState, index: int, base: int, protected: bool, code32: bool, virtual: bool, flat: bool
) -> None:
    blob.set_control(0, PROTECTION if protected else 0)
    blob.eflags = VM if virtual else 0
    for each in (ES, DS, SS, FS, GS):
        other = 0x500 if each in {FS, GS} else 0  # theirs count in any case
        blob.set_segment(each, Segment(16, base if each == index else other, 0xFFFF, 0x409300))
    blob.set_segment(CS, Segment(8, 0, 0xFFFF, 0x409B00 if code32 else 0x9B00))
    assert bool(blob.hflags & ADDSEG) is not flat


def test_the_modes_that_code_is_translated_for(blob: BlobState) -> None:
    blob.hflags = 0
    blob.eflags = IF
    assert (blob.interruptible, blob.long_mode, blob.cpl) == (True, False, 0)
    blob.hflags = INHIBIT | LONG | 2
    assert (blob.interruptible, blob.long_mode, blob.cpl) == (False, True, 2)
    blob.a20_mask = 0xFFEFFFFF
    assert blob.a20_mask == 0xFFEFFFFF


def test_saving_forgets_the_exception(blob: BlobState) -> None:
    layout = blob.layout
    blob.data[layout.is_int : layout.is_int + 4] = (1).to_bytes(4, "little")
    blob.data[layout.next_eip : layout.next_eip + 4] = (0x1234).to_bytes(4, "little")
    blob.data[layout.error_code : layout.error_code + 4] = (0x50).to_bytes(4, "little")
    assert (blob.software_return, blob.error_code) == (0x1234, 0x50)
    blob.save()
    assert blob.software_return is None
    assert blob.data[layout.old_exception : layout.old_exception + 4] == b"\xff" * 4


# -- after a reset ---------------------------------------------------------------------------------

DATA = Segment(0, 0, 0xFFFF, 0x9300)


@pytest.fixture(params=["made", "reset"])
def fresh(request: pytest.FixtureRequest) -> Iterator[Guest]:
    """A CPU after power-on, and one after it ran and was reset."""
    with Guest() as guest:
        if request.param == "reset":
            guest.flat(b"\xdb\xe3\xd9\xe8\x0f\x20\xc0\xf4", eax=1, edi=2, ebp=3)  # fninit; fld1
            assert guest.run().reason is ExitReason.HALTED
            guest.vcpu.set_a20(False)
            guest.loop.reset()
        yield guest


def test_every_register_after_a_reset_is_the_manuals(fresh: Guest) -> None:
    """Intel SDM volume 3, table 9-1; descriptor attributes as QEMU's cpu_x86_cpuid reset has."""
    cpu: Any = fresh.vcpu.cpu  # type: ignore[attr-defined]
    state, uc = cpu.state, cpu.uc
    assert [state.general(index) for index in range(8) if index != EDX] == [0] * 7
    assert state.general(EDX) >> 8 & 0xF in {6, 15}
    assert (state.eip, state.eflags) == (0xFFF0, 2)
    assert [state.control(n) for n in (0, 2, 3, 4)] == [0x60000010, 0, 0, 0]
    assert state.segment(CS) == Segment(0xF000, 0xFFFF0000, 0xFFFF, 0x9B00)
    assert [state.segment(index) for index in (ES, SS, DS, FS, GS)] == [DATA] * 5
    assert state.segment(LDTR) == Segment(0, 0, 0xFFFF, 0x8200)
    assert state.segment(TR) == Segment(0, 0, 0xFFFF, 0x8900)
    assert [state.segment(i)[:3] for i in (GDTR, IDTR)] == [(0, 0, 0xFFFF)] * 2
    assert state.a20_mask == 0xFFFFFFFF
    assert uc.reg_read(x86.UC_X86_REG_FPCW) == 0x037F
    assert uc.reg_read(x86.UC_X86_REG_FPTAG) == 0xFFFF
    assert uc.reg_read(x86.UC_X86_REG_MXCSR) == 0x1F80


def test_what_the_engine_says_it_can(fresh: Guest) -> None:
    capabilities = fresh.accelerator.capabilities
    assert all(getattr(capabilities, name) for name in capabilities.__slots__)


# -- finding fields --------------------------------------------------------------------------------


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


@pytest.mark.parametrize(
    ("data", "found"), [(b"aaXYaa", 2), (b"XYa", 0), (b"aXY", 1), (b"aaa", None), (b"XYXY", None)]
)
def test_a_mark_must_be_in_one_place(data: bytes, found: int | None) -> None:
    if found is None:
        with pytest.raises(layouts._AmbiguousError):
            layouts._only(data, b"XY")
    else:
        assert layouts._only(data, b"XY") == found


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (words(1, 2, 3, 4), None), (words(1, 2, 3 ^ 0x200, 4), 8),
        (words(1 ^ 0x200, 2, 3, 4), 0), (words(1, 2 ^ 0x200, 3, 4 ^ 0x200), None),
        (words(1, 2, 3 ^ 0x201, 4), None), (words(1, 2 ^ 1, 3, 4 ^ 0x200), 12),
    ],
)  # fmt: skip
def test_a_change_must_be_in_one_word(after: bytes, found: int | None) -> None:
    if found is None:
        with pytest.raises(layouts._AmbiguousError):
            layouts._only_change(words(1, 2, 3, 4), after, 0x200)
    else:
        assert layouts._only_change(words(1, 2, 3, 4), after, 0x200) == found


def test_words_that_became_a_value() -> None:
    before, after = words(1, 7, 3, 7), words(7, 7, 7, 1)
    assert layouts._word_where(before, after, None, 7) == [True, False, True, False]
    assert layouts._word_where(before, after, 3, 7) == [False, False, True, False]
    assert layouts._word_where(before, after, 0, 7) == [False] * 4


def test_a_build_whose_fields_cannot_be_told_has_no_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    def ambiguous(*_: object) -> int:
        raise layouts._AmbiguousError

    for name in ("_only", "_only_change"):
        with monkeypatch.context() as patch:
            patch.setattr(layouts, name, ambiguous)
            assert probe(x86.UC_CPU_X86_QEMU64) is None


@pytest.mark.parametrize("call", [1, 2, 5])
def test_one_field_in_the_wrong_place_and_nothing_is_guessed(
    monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    calls, original = [0], layouts._only

    def wrong(data: bytes, pattern: bytes) -> int:
        calls[0] += 1
        return original(data, pattern) + (8 if calls[0] == call + 1 else 0)

    monkeypatch.setattr(layouts, "_only", wrong)
    assert probe(x86.UC_CPU_X86_QEMU64) is None
