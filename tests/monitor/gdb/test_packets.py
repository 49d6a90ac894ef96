"""The wire of the GDB remote protocol (GDB's manual, section E.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.monitor.gdb.packets import MAX_PACKET, GdbWire, PacketReader, packet


def read(*pieces: bytes) -> list[bytes | GdbWire]:
    reader = PacketReader()
    return [each for piece in pieces for each in reader.feed(piece)]


@pytest.mark.parametrize(
    ("payload", "wire"),
    [(b"", b"$#00"), (b"OK", b"$OK#9a"), (b"g", b"$g#67"), (b"#", b"$}\x03#80")],
)
def test_packets_as_gdb_s_manual_has_them(payload, wire):
    assert packet(payload) == wire
    assert read(wire) == [payload]


@given(st.binary(max_size=64), st.integers(1, 8))
def test_a_payload_survives_in_pieces_of_any_size(payload, size):
    wire = packet(payload) + packet(payload[::-1])
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
    assert read(*pieces) == [payload, payload[::-1]]


def test_what_comes_between_packets():
    assert read(b"+$g#67\x03-+$g#00") == [b"g", GdbWire.INTERRUPT, GdbWire.AGAIN, GdbWire.DAMAGED]


def test_a_packet_without_an_end_fills_no_memory():
    reader = PacketReader()
    for _ in range(64):
        assert list(reader.feed(b"$" + b"0" * MAX_PACKET)) == []
    assert len(reader._data) <= 3 * MAX_PACKET


@given(st.binary(max_size=200))
def test_any_bytes_are_taken(data):
    read(data)
