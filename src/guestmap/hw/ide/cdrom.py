"""A CD-ROM drive on an IDE channel: how command packets and their data go through the registers.

ATA/ATAPI-7 (INCITS 397), section 9.8 (the PACKET protocol). Data goes in DRQ blocks of at most as
many bytes as the guest has written into the byte count registers, each told with an interrupt, or
in one piece through the bus master.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from guestmap.hw.counted import CountedMedium
from guestmap.hw.ide import packets
from guestmap.hw.ide.identify import VERSION, cdrom_words
from guestmap.hw.ide.kind import IDE_CD
from guestmap.hw.ide.packets import BLOCK, Sense
from guestmap.hw.ide.registers import BSY, DRDY, DRQ, DSC, ERR, LARGEST_BUFFER
from guestmap.hw.ide.unit import IdeUnit
from guestmap.hw.medium import SECTOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.hw.ide.bus_master import BusMasterChannel
    from guestmap.hw.medium import Medium
    from guestmap.qom import JsonValue

_PACKET_BYTES = 12
_OVERLAPPED, _DMA = 0x02, 0x01
_DEVICE_RESET = 0x08
_INPUT, _COMMAND_OR_END = 0x02, 0x01
_REASON = _INPUT | _COMMAND_OR_END
_LARGEST_COUNT = 0xFFFE
_DMA_BLOCKS = LARGEST_BUFFER // BLOCK


class IdeCdrom(IdeUnit):
    """The drive.

    Args:
        medium: what lies in it; None for an empty one.
        number: its place on the channel, 0 or 1.
        settings: its properties: ``serial``, ``drive`` and so on.
    """

    TYPE = IDE_CD
    SIGNATURE = (0x14, 0xEB)
    TAKING = frozenset({"packet_complete"})
    is_there = True
    COMMANDS: ClassVar[Mapping[int, tuple[str, bool]]] = MappingProxyType({
        0x08: ("device_reset", False),
        0x20: ("show_signature", False), 0xEC: ("show_signature", False),
        0x90: ("diagnose", False), 0xA0: ("packet", False), 0xA1: ("identify", False),
        0xE7: ("done", False), 0xEF: ("set_features", True),
    })  # fmt: skip

    def __init__(
        self,
        medium: Medium | None,
        number: int = 0,
        settings: Mapping[str, JsonValue] | None = None,
    ) -> None:
        super().__init__(number, settings)
        self.medium = None if medium is None else CountedMedium(medium, self.counts)
        self.reset()

    @property
    def blocks_there(self) -> int:
        """Sectors of 2048 bytes of the medium; 0 without one."""
        return self.medium.size // BLOCK if self.medium is not None else 0

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value."""
        return {
            "unit": self.number, "ver": VERSION, "logical_block_size": SECTOR,
            "physical_block_size": SECTOR, "discard_granularity": SECTOR, **self.settings,
        }.get(name, fallback)  # fmt: skip

    def _fits(self) -> bool:
        """Whether a packet is as long as packets are, and data that is left has room to go to."""
        state = self.state
        if self._takes:
            return len(state.buffer) == _PACKET_BYTES
        return state.going != "next_block" or bool(self._byte_count())

    # -- ATA commands ------------------------------------------------------------------------------

    def software_reset(self) -> None:
        """Forget the command that runs; DRDY stays away until the next one."""
        super().software_reset()
        self.state.status = 0

    def _may_interrupt(self, code: int) -> bool:
        return code == _DEVICE_RESET

    def _device_reset(self) -> None:
        self._stop()
        self.sign()
        self.state.status = 0

    def _show_signature(self) -> None:
        self.sign()
        self._abort()

    def _diagnose(self) -> None:
        self.sign()
        self.state.status, self.state.error = 0, 1

    def _identify(self) -> None:
        self.state.status = DRDY | DSC
        self._offer(cdrom_words(self.state, str(self.value("serial", ""))), "stop")
        self.interrupt()

    def _set_features(self) -> None:
        if self.state.feature == 0x03:
            self.interrupt()
        else:
            self._abort()

    # -- packets -----------------------------------------------------------------------------------

    def _packet(self) -> None:
        state = self.state
        if state.feature & _OVERLAPPED:
            self._abort()
            return
        state.status = DRDY | DSC
        state.count = _COMMAND_OR_END
        self._ask(_PACKET_BYTES, "packet_complete")

    def _packet_complete(self) -> None:
        state = self.state
        state.packet, state.going = state.buffer, ""
        state.rest, state.reply = 0, b""
        code = state.packet[0]
        if code in (0x28, 0xA8, 0xBE, 0x25, 0x00, 0x2B, 0x43) and not self.blocks_there:
            self._fail(packets.NO_MEDIUM)
        elif code in (0x28, 0xA8, 0xBE):
            self._read(code)
        elif code in (0x00, 0x1B, 0x1E, 0x2B, 0xBB):
            self._without_data(code)
        else:
            self._reply()

    def _without_data(self, code: int) -> None:
        packet = self.state.packet
        if code == 0x1E:
            self.state.locked = bool(packet[4] & 1)
        if code == 0x2B and int.from_bytes(packet[2:6], "big") >= self.blocks_there:
            self._fail(packets.BEYOND)
            return
        self._succeed()

    def _reply(self) -> None:
        state = self.state
        found = packets.reply_to(
            state.packet, self.blocks_there, Sense(*state.sense), locked=state.locked
        )
        if found is None or isinstance(found, Sense):
            self._fail(found or packets.UNKNOWN)
        else:
            state.reply = found
            self._transfer(len(found))

    def _read(self, code: int) -> None:
        packet, state = self.state.packet, self.state
        first = int.from_bytes(packet[2:6], "big")
        counts = {0x28: packet[7:9], 0xA8: packet[6:10], 0xBE: packet[6:9]}
        count = int.from_bytes(counts[code], "big")
        if code == 0xBE and packet[9] & 0xF8 not in (0x00, 0x10):
            self._fail(packets.BAD_FIELD)  # what is on a disc besides its data
        elif not count or (code == 0xBE and not packet[9] & 0xF8):
            self._succeed()
        elif first + count > self.blocks_there:
            self._fail(packets.BEYOND)
        else:
            state.lba = first
            self._transfer(count * BLOCK)

    def _succeed(self) -> None:
        self.state.sense = bytes(2) if self.state.packet[:1] != b"\x03" else self.state.sense
        self._finish(DRDY | DSC, 0)

    def _fail(self, sense: Sense) -> None:
        self.state.sense = bytes(sense)
        self._finish(DRDY | ERR, sense.key << 4)

    def _finish(self, status: int, error: int) -> None:
        state = self.state
        self._stop()
        state.status, state.error = status, error
        state.count = state.count & ~7 | _REASON
        state.rest, state.reply = 0, b""
        self.interrupt()

    # -- data --------------------------------------------------------------------------------------

    def _transfer(self, length: int) -> None:
        """Begin to move an answer, or sectors of the medium, to the guest."""
        self.state.rest = length
        if self.state.feature & _DMA:
            self._wait("dma_answer", busy=0 if self.state.reply else BSY)
        elif not self._byte_count():
            self._stop()
            self.state.status, self.state.error = DRDY | ERR, 0x04
        else:
            self._next_block()

    def _byte_count(self) -> int:
        return min(self.state.high << 8 | self.state.mid, _LARGEST_COUNT)

    def _next_block(self) -> None:
        """Offer a DRQ block, or end the command where none is left."""
        state = self.state
        if not state.rest:
            self._succeed()
            return
        limit = self._byte_count()
        length = state.rest if state.rest <= limit else max(2, limit & ~1)
        data = self._take(length)
        if data is None:
            return
        state.count = state.count & ~7 | _INPUT
        state.mid, state.high = length & 0xFF, length >> 8
        state.status = DRDY | DSC | DRQ
        self._offer(data, "next_block")
        self.interrupt()

    def _take(self, length: int) -> bytes | None:
        """Return the next bytes; None where they cannot be read, which has been said."""
        state = self.state
        done = 0
        if state.reply:
            data, state.reply = state.reply[:length], state.reply[length:]
        else:
            # ``lba`` and what is left of its sector follow from ``rest``: it ends with a sector.
            done = -state.rest % BLOCK
            found = self._from_medium(state.lba * BLOCK + done, length)
            if found is None:
                return None
            data = found
            state.lba += (done + length) // BLOCK
        state.rest -= length
        return data

    def _from_medium(self, offset: int, length: int) -> bytes | None:
        if self.medium is None or offset + length > self.medium.size:
            self._fail(packets.NO_MEDIUM if self.medium is None else packets.BEYOND)
            return None
        data: bytes | None = self._try(self.medium.read, offset, length)
        if data is None:
            self._fail(packets.UNREADABLE)
        return data

    def _dma_answer(self, master: BusMasterChannel) -> None:
        state = self.state
        pieces = master.pieces(state.rest)
        if pieces.length < state.rest:
            master.end(pieces, always=True)
            return  # the drive still has data: nothing but a reset helps
        data = self._take(state.rest)
        if data is not None:
            master.put(pieces, data)
            self._succeed()
        master.end(pieces, always=True)
