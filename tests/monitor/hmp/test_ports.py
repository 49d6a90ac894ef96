"""``i`` and ``o`` beside QEMU's: the same ports of the same machine, at reset."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.monitor.hmp.beside import Beside


@pytest.fixture
def fresh() -> Iterator[Beside]:
    """Machines whose ports may be written."""
    with Beside("-m", "128M") as pair:
        yield pair


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_ports_are_read_in_every_size(fresh: Beside) -> None:
    fresh.check(
        "i /b 0x60", "i 0x60", "i /1xh 0x3f6", "i /xw 0xcf8", "i /3xw 0xcf8", "i /1xg 0xcf8",
        "i /xL 0xcf8", "i /db 0x60", "i /cb 0x20", "i /ob 0x21", "i /i 0x20", "i /i 0x3c",
        "i 0x3c", "xp /1xb 0", "i 0x3f6", "i /h 0x3f6", "i 0x3f6 ", "i/xb 0x21", "i/b 0x21",
        "i/x 0x21", "p /x 5", "i / 0x21", "i /0 0x21", "i /4096 0x21", "i /w $pc", "i /b 'a'",
    )  # fmt: skip


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_port_numbers_wrap_where_qemus_do(fresh: Beside) -> None:
    fresh.check(
        "i /b 0x10060", "i /b 0x80000021", "i /w 0x10cf8", "i /h 0xffff", "i /w 0xfffe",
        "i /w 0xffff", "i /h 0xcfd", "o /w 0xffff 1", "o /h 0xffff 1", "i /b 0xffff.1",
    )  # fmt: skip


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_what_is_written_is_there(fresh: Beside) -> None:
    fresh.check(
        "o /w 0xcf8 0x80000000", "i /xw 0xcf8", "i /xw 0xcfc", "i /xh 0xcfc", "i /xb 0xcfe",
        "o /w 0x10cf8 0x80000800", "i /xw 0xcfc", "o /b 0x70 0", "i /b 0x70.0x0b",
        "i /xb 0x70 . 0x0d", "i /xb 0x70. 0x0d", "i /w 0xcf7.0x100", "o /b 0x21 0x1234",
        "i /b 0x21", "o /h 0xcf8 0x1234", "i /w 0xcf8", "o /g 0x21 0x56", "i /b 0x21",
        "o /c 0x21 'a'", "i 0x21", "o /i 0x21 7", "i /b 0x21", "o 0x21 8", "i /b 0x21",
        "o/b 0x21 9", "i /b 0x21", "o /w 0xcf8 0xffffffff", "i /w 0xcf8",
    )  # fmt: skip


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize(
    "line",
    [
        "i", "i /1xb", "i/", "i /q 0x61", "i 0x61 3", "i -1", "i 0x100000061", "i .bw", "i.bw",
        "i /xb 0x70.", "i /xb 0x70.-1", "i /xb 0x70.0x0e 1", "i 0x70..1", "o", "o /b", "o /b 0x80",
        "o /b 0x80 -1", "o /w 0x80 0x123456789", "o /b 0x100000080 1", "o /b 0x80 1 2", "o /z 1 2",
    ],
)  # fmt: skip
def test_mistakes_are_said_as_in_qemu(plain: Beside, line: str) -> None:
    plain.check(line)
