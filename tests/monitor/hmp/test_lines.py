"""How lines are taken apart, and what is said of those that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.monitor.hmp import HumanMonitor
from tests.monitor.hmp.beside import Beside

LINES = (
    "", "  ", "\n", "foo", "  foo bar", "foo/x", "#comment", "info foo", "  info  foo", "info/x",
    "info mtree/x", "stop x", "  stop  x", "c x", "s  x y", "info  status   x", "system_reset x",
    "system_powerdown 1", "info\tstatus", "\tinfo status \n", "info status\x0b",
    "info mtree x", "info mtree -x", "info mtree -", "info mtree - f", "info mtree -fd",
    "info mtree -d -f", "info mtree -D -o", "info mtree -f -f", "info mtree -f x",
    "info qom-tree a b", 'info qom-tree "/objects"x', "info registers x", "info registers -1",
    "info registers -a 1 2", "info registers 0x100000000", "info registers 0+", "info registers 7",
    "info qtree x", "info pci x", "info memdev x", "info memory-devices x",
    "object_del", 'object_del "a b"', 'object_del "a\\tb"', 'object_del "a\\"b\\\\"',
    'object_del "a', 'object_del "a\\', 'object_del ""', 'object_del "a"b', 'object_del a"b',
    "object_del a b", "object_add", "object_add  ", "device_del", "device_del a b",
    "device_add pc-dimm x", 'device_add "pc-dimm', "device_add pc-dimm,id=1x", "device_add",
    "qom-get", "qom-get /machine", "qom-get /machine type x", "qom-set", "qom-set /machine type",
    "qom-set -x a b c", "qom-set -j", "qom-set -j /machine x", "qom-list a b",
    "xp", "xp /x", "xp /z 0", "xp /xb4 0", "xp /4xb0", "xp /-1x 0", "xp /  4xb 0", "xp/", "x 1 2",
    "print", "p 1 2", "p /", "help foo", "help info foo", "help info  foo x", "help foo bar",
    'help "', 'help "a\\q"', "help/", "? foo", "help info\tfoo", "help/x",
)  # fmt: skip
"""Lines that say nothing, are mistakes, or are too small to do anything."""


@pytest.mark.qemu
@pytest.mark.parametrize("line", LINES)
def test_a_line_is_read_as_qemu_reads_it(plain: Beside, line: str) -> None:
    plain.check(line)


_PIECES = st.sampled_from(
    ["info", "mtree", "registers", "xp", "x", "p", "/4xb", "/i", "-f", "-o", "$eip", "$", "(",
     "0x", "+", '"', "\\", "object_add", "memory-backend-ram,id=m,size=1M", "qom-set", "-j", "{",
     "[", "/",
     "device_add", "pc-dimm,", "=", ",,", "help", "é", "\ud800", "\x00", "qom-tree", "99999999999"]
)  # fmt: skip


@given(st.lists(_PIECES | st.text(max_size=8), max_size=8), st.sampled_from(["", " "]))
def test_no_line_makes_the_monitor_raise(
    one_monitor: HumanMonitor, pieces: list[str], between: str
) -> None:
    text = one_monitor.execute(between.join(pieces))
    assert "\n" not in text.replace("\r\n", "")
    assert not text or text.endswith(("\r\n", "\n"))


@pytest.mark.parametrize(
    "line",
    [
        "xp " + "(" * 100_000,
        "xp " + "-" * 100_000 + "1",
        "xp 0x" + "f" * 100_000,
        "xp " + "9" * 100_000,
        "xp /" + "9" * 100_000 + "x 0",
        "xp /999999999999999999x 0",
        "p " + "1+" * 20_000 + "1",
        "object_add " + "a." * 5_000 + "b=1",
        "object_add memory-backend-ram,id=m,size=" + "9" * 10_000,
        "object_add memory-backend-ram,id=m,size=1,host-nodes." + "9" * 100 + "=1",
        "qom-set -j /objects x " + "[" * 100_000,
        "qom-get " + "/a" * 50_000 + " x",
        "qom-set /objects/pc.ram host-nodes 0-65535,0-65535,0-65535",
        "qom-set /objects/pc.ram host-nodes 1" + ",1" * 70_000,
        "a" * 1_000_000,
    ],
    ids=lambda line: line[:30],
)
def test_what_is_beyond_measure_is_refused(monitor: HumanMonitor, line: str) -> None:
    answer = monitor.execute(line)
    assert answer.endswith("\r\n")
    assert len(answer) < 2 * len(line) + 200
