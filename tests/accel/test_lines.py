"""Text that a guest writes to a port: taken a line at a time, and by whoever listens there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from guestmap.accel import ExitReason
from guestmap.memory import MemoryRegionOps
from tests.accel.guest import Guest

pytestmark = pytest.mark.unicorn

PORT = 0x60
HLT = b"\xf4"


class Listener(Guest):
    """The machine; ``heard`` has what was taken, and what came to the port, in order."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.heard: list[bytes | str] = []
        for port in (PORT, 0x80):
            self.on_port[port] = lambda value, port=port: self.heard.append(f"{port:x}:{value:x}")
        self.take: Callable[[bytes], None] = self.heard.append
        self.vcpu.collect_lines(PORT, lambda text: self.take(text))


@pytest.fixture
def guest() -> Iterator[Listener]:
    with Listener("unicorn") as machine:
        yield machine


def say(text: bytes, port: int = PORT) -> bytes:
    return b"".join(b"\xb0" + bytes((each,)) + b"\xe6" + bytes((port,)) for each in text)


def test_a_line_is_taken_before_its_end_comes(guest: Listener) -> None:
    guest.flat(say(b"one\ntwo\n") + HLT)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.heard == [b"one", "60:a", b"two", "60:a"]
    assert guest.accelerator.statistics().port_writes == 8


def test_what_goes_to_another_port_ends_no_line(guest: Listener) -> None:
    guest.flat(say(b"o") + say(b"x", 0x80) + say(b"ne\n") + HLT)
    guest.run()
    assert guest.heard == ["80:78", b"one", "60:a"]


def test_what_is_no_line_yet_is_taken_when_the_cpu_leaves(guest: Listener) -> None:
    guest.flat(say(b"abc") + HLT)
    guest.run()
    assert guest.heard == [b"abc"]


def test_a_long_line_is_taken_in_parts_and_nothing_is_lost(guest: Listener) -> None:
    # mov ecx, 1000; mov al, cl; or al, 40h; out 60h, al; loop
    guest.flat(b"\xb9\xe8\x03\0\0\x88\xc8\x0c\x40\xe6\x60\xe2\xf8" + HLT)
    guest.run()
    said = b"".join(
        each if isinstance(each, bytes) else bytes((int(each[3:], 16),)) for each in guest.heard
    )
    assert said == bytes(n & 0xFF | 0x40 for n in range(1000, 0, -1))
    assert len(guest.heard) < 10


def test_other_sizes_and_other_ports_are_as_before(guest: Listener) -> None:
    # out 60h, eax behind a byte that was kept; then another port
    guest.flat(say(b"a") + b"\xb8\x42\0\0\0\xe7\x60" + say(b"b") + say(b"c", 0x80) + HLT)
    guest.run()
    assert guest.heard[:2] == [b"a", "60:42"]
    assert sorted(map(str, guest.heard[2:])) == sorted([str(b"b"), "80:63"])


def test_who_comes_to_the_port_later_hears_each_byte(guest: Listener) -> None:
    heard: list[int] = []
    ops = MemoryRegionOps(write=lambda _at, value, _size: heard.append(value))
    other = guest.system.io("other", 1, ops)
    guest.on_port[0x81] = lambda _value: guest.io.root.add_subregion(PORT, other, 1)
    guest.on_port[0x82] = lambda _value: guest.io.root.del_subregion(other)
    come, go = b"\xe6\x81", b"\xe6\x82"
    guest.flat(say(b"a") + come + say(b"bc") + go + say(b"d\n") + HLT)
    guest.run()
    assert heard == [0x62, 0x63]
    assert b"".join(each for each in guest.heard if isinstance(each, bytes)) == b"ad"


def test_what_the_taker_raises_ends_the_run(guest: Listener) -> None:
    def refuse(_text: bytes) -> None:
        raise ValueError("no")

    guest.take = refuse
    guest.flat(say(b"a\n") + HLT)
    with pytest.raises(ValueError, match="no"):
        guest.run()


def test_the_documented_way_takes_nothing() -> None:
    with Listener("unicorn-documented") as machine:
        machine.flat(say(b"a\n") + HLT)
        machine.run()
        assert machine.heard == ["60:61", "60:a"]
