"""What a CD-ROM drive answers to a command packet: MMC-5 (T10/1675-D) and SPC-3, without READ.

Each command returns its answer as bytes, or the sense of its failure. Values that a drive may
choose are those of QEMU 7.2's.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.ide.identify import CDROM_MODEL, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BLOCK = 2048
"""Bytes of a sector."""


class Sense(NamedTuple):
    """Why a command failed: sense key, and additional sense code."""

    key: int
    code: int


NO_MEDIUM = Sense(0x02, 0x3A)
UNREADABLE = Sense(0x03, 0x11)
UNKNOWN = Sense(0x05, 0x20)
BEYOND = Sense(0x05, 0x21)
BAD_FIELD = Sense(0x05, 0x24)
NOT_SAVED = Sense(0x05, 0x39)

_CD_SECTORS = 360_000  # 80 minutes of 75 sectors a second
_CDROM, _DVD_ROM = 0x0008, 0x0010
_MEDIA_EVENTS = 4

Answer = bytes | Sense


def reply_to(packet: bytes, blocks: int, sense: Sense, *, locked: bool) -> Answer | None:
    """Return what a command answers, cut to what the guest has room for.

    Args:
        packet: twelve bytes.
        blocks: sectors of the medium.
        sense: of the command that failed last.
        locked: whether the guest holds the medium in.

    Returns:
        The answer; None for a command that has none of its own.
    """
    known = _COMMANDS.get(packet[0])
    if known is None:
        return None
    answer, room = known
    found = answer(_Question(packet, blocks, sense, locked))
    return found if isinstance(found, Sense) else found[: room(packet)]


class _Question(NamedTuple):
    packet: bytes
    blocks: int
    sense: Sense
    locked: bool


def _request_sense(asked: _Question) -> Answer:
    key, code = asked.sense
    return bytes((0xF0, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, code, 0, 0, 0, 0, 0))


def _inquiry(asked: _Question) -> Answer:
    if asked.packet[1] & 1:
        return BAD_FIELD
    head = bytes((0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0))
    return head + f"{'QEMU':<8}{CDROM_MODEL:<16}{VERSION:<4}".encode()


def _capacity(asked: _Question) -> Answer:
    return (asked.blocks - 1).to_bytes(4, "big") + BLOCK.to_bytes(4, "big")


def _toc(asked: _Question) -> Answer:
    packet = asked.packet
    first, in_minutes = packet[6], bool(packet[1] & 2)
    match packet[9] >> 6:
        case 0 if first <= 1 or first == 0xAA:
            tracks = [(1, 0x14, 0)] if first <= 1 else []
            tracks.append((0xAA, 0x16, asked.blocks))
            body = b"\x01\x01" + b"".join(
                bytes((0, kind, track, 0)) + _position(block, in_minutes)
                for track, kind, block in tracks
            )
            return len(body).to_bytes(2, "big") + body
        case 1:
            return b"\x00\x0a\x01\x01" + bytes(8)
    return BAD_FIELD


def _position(block: int, in_minutes: bool) -> bytes:
    if not in_minutes:
        return block.to_bytes(4, "big")
    seconds, frames = divmod(block + 150, 75)
    return bytes((0, seconds // 60 & 0xFF, seconds % 60, frames))


def _configuration(asked: _Question) -> Answer:
    profile = _DVD_ROM if asked.blocks > _CD_SECTORS else _CDROM
    listed = b"".join(
        each.to_bytes(2, "big") + bytes((each == profile, 0)) for each in (_DVD_ROM, _CDROM)
    )
    features = b"".join((
        b"\x00\x00\x03\x08", listed,  # the list of profiles
        b"\x00\x01\x0b\x08", b"\x00\x00\x00\x02\x01\x00\x00\x00",  # core: ATAPI
        b"\x00\x03\x03\x04", bytes((0x39, 0, 0, 0)),  # a tray that ejects, and can be locked
    ))  # fmt: skip
    return (len(features) + 4).to_bytes(4, "big") + b"\0\0" + profile.to_bytes(2, "big") + features


def _event(asked: _Question) -> Answer:
    if not asked.packet[1] & 1:
        return BAD_FIELD  # nobody is told later
    if asked.packet[4] & 1 << _MEDIA_EVENTS:
        # QEMU counts the four bytes of the event; the standard those of the header's end, too.
        return bytes((0, 4, _MEDIA_EVENTS, 1 << _MEDIA_EVENTS, 0, 0x02, 0, 0))
    return bytes((0, 2, 0x80, 1 << _MEDIA_EVENTS))


def _disc(asked: _Question) -> Answer:
    if asked.packet[1] & 7:
        return BAD_FIELD
    return bytes((0, 32, 0x0E, 1, 1, 1, 1, 0x20)) + bytes(26)


def _mode(asked: _Question) -> Answer:
    which, page = asked.packet[2] >> 6, asked.packet[2] & 0x3F
    if which == 3:
        return NOT_SAVED
    if which or page not in (0x01, 0x0E, 0x2A):
        return BAD_FIELD
    lock = 0x02 if asked.locked else 0
    body = {
        0x01: bytes((0x01, 0x06, 0x00, 0x05, 0, 0, 0, 0)),
        0x0E: bytes((0x0E, 0x0E, 0x04, 0, 0, 0, 0, 0, 1, 0xFF, 0, 0, 0, 0, 0, 0)),
        0x2A: bytes((0x2A, 0x14, 0x3B, 0x00, 0x70, 0x60, 0x29 | lock, 0x00,
                     *(706).to_bytes(2, "big"), 0, 2, *(512).to_bytes(2, "big"),
                     *(706).to_bytes(2, "big"), 0, 0, 0, 0, 0, 0)),
    }[page]  # fmt: skip
    return (len(body) + 6).to_bytes(2, "big") + bytes((0x70, 0, 0, 0, 0, 0)) + body


def _mechanism(_asked: _Question) -> Answer:
    return bytes((0, 0, 0, 0, 0, 1, 0, 0))


def _byte_4(packet: bytes) -> int:
    return packet[4]


def _word(at: int) -> Callable[[bytes], int]:
    return lambda packet: packet[at] << 8 | packet[at + 1]


_COMMANDS: Mapping[int, tuple[Callable[[_Question], Answer], Callable[[bytes], int]]] = (
    MappingProxyType({
        0x03: (_request_sense, _byte_4), 0x12: (_inquiry, _byte_4),
        0x25: (_capacity, lambda _packet: 8), 0x43: (_toc, _word(7)),
        0x46: (_configuration, _word(7)), 0x4A: (_event, _word(7)), 0x51: (_disc, _word(7)),
        0x5A: (_mode, _word(7)), 0xBD: (_mechanism, _word(8)),
    })
)  # fmt: skip
"""Commands that answer with what the drive knows, and where they say how much there is room for."""
