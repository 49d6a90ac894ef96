"""A map that changes at random under a guest that reads and writes all of it: on every engine.

The guest reads a word of each page and writes another one, again and again; after each round what
it read and where its writes went is held against the model, and the map becomes another one.
"""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest

from guestmap.accel import ExitReason

if TYPE_CHECKING:
    from guestmap.memory import MemoryRegion
    from tests.accel.guest import Guest

PAGE = 0x1000
BASE, PAGES = 0x800000, 24
POOL_PAGES = 16
ROUNDS = 25
# mov ecx, 1; round: mov edi, BASE; next: mov eax, [edi]; out 80h, eax; mov [edi+4], ecx;
# add edi, 1000h; cmp edi, END; jne next; inc ecx; out 81h, al; jmp round
PROGRAM = (
    b"\xb9\x01\x00\x00\x00\xbf" + struct.pack("<I", BASE)
    + b"\x8b\x07\xe7\x80\x89\x4f\x04\x81\xc7\x00\x10\x00\x00\x81\xff"
    + struct.pack("<I", BASE + PAGES * PAGE) + b"\x75\xeb\x41\xe6\x81\xeb\xe1"
)  # fmt: skip


class Changing:
    """The map: aliases of one pool of RAM and of a ROM, one over the other, in a window."""

    def __init__(self, guest: Guest, seed: int) -> None:
        self.guest, self.source = guest, random.Random(seed)
        self.window = guest.system.container("window", PAGES * PAGE)
        self.pool = guest.system.ram("pool", POOL_PAGES * PAGE)
        self.rom = guest.system.rom("other", POOL_PAGES * PAGE)
        for number in range(POOL_PAGES):
            struct.pack_into("<I", self.pool.buffer, number * PAGE, 0x50000000 + number)
            struct.pack_into("<I", self.rom.buffer, number * PAGE, 0x70000000 + number)
        guest.root.add_subregion(BASE, self.window)
        self.rounds = 0
        self.wrong: list[str] = []
        self.expect()

    def expect(self) -> None:
        """Note what the next round will read, and where its writes will go."""
        memory = self.guest.memory
        at = range(BASE, BASE + PAGES * PAGE, PAGE)
        self.reads = [memory.load(address, 4) for address in at]
        self.writes = set()
        for address in at:
            found = memory.view.find(address)
            if found is not None and found.region is self.pool and not found.readonly:
                self.writes.add(found.offset_in_region + address - found.start)
        self.words = self.second_words()

    def second_words(self) -> list[int]:
        return [
            struct.unpack_from("<I", region.buffer, number * PAGE + 4)[0]
            for region in (self.pool, self.rom)
            for number in range(POOL_PAGES)
        ]

    def ended(self, _value: int) -> None:
        """Hold a round against the model, and make the map another one."""
        self.rounds += 1
        guest = self.guest
        if (read := guest.value(0x80)) != self.reads:
            self.wrong.append(f"round {self.rounds}: read {read}, not {self.reads}")
        guest.ports.clear()
        for offset in self.writes:
            self.words[offset // PAGE] = self.rounds
        if (words := self.second_words()) != self.words:
            self.wrong.append(f"round {self.rounds}: wrote {words}, not {self.words}")
        if self.rounds == ROUNDS or self.wrong:
            guest.loop.stop()
            return
        with guest.system.transaction():
            for _ in range(self.source.randint(1, 4)):
                self.change()
        self.expect()

    def change(self) -> None:
        source, there = self.source, list(self.window.subregions)
        kind = source.choice(["add", "add", "delete", "move", "enable", "readonly", "offset"])
        if kind == "add" or not there:
            region = self.alias()
            at = source.randrange(PAGES) * PAGE
            self.window.add_subregion(at, region, source.randint(-1, 2))
            return
        region = source.choice(there)
        if kind == "delete":
            self.window.del_subregion(region)
        elif kind == "move":
            region.set_address(source.randrange(PAGES) * PAGE)
        elif kind == "enable":
            region.set_enabled(not region.enabled)
        elif kind == "readonly":
            region.set_readonly(not region.readonly)
        else:
            region.set_alias_offset(source.randrange(POOL_PAGES // 2) * PAGE)

    def alias(self) -> MemoryRegion:
        size = self.source.randint(1, POOL_PAGES // 2) * PAGE
        offset = self.source.randrange(POOL_PAGES // 2) * PAGE
        target = self.source.choice((self.pool, self.pool, self.rom))
        return self.guest.system.alias("part", target, offset, size)


@pytest.mark.parametrize("seed", range(4))
def test_the_guest_reads_and_writes_what_the_model_shows(guest: Guest, seed: int) -> None:
    changing = Changing(guest, seed)
    guest.on_port[0x81] = changing.ended
    guest.flat(PROGRAM)
    assert guest.run().reason is ExitReason.STOPPED
    assert not changing.wrong
    assert changing.rounds == ROUNDS
