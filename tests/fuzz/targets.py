"""What is fuzzed: each takes any bytes, and raises nothing but what it says it raises."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from guestmap.base import MIB, GuestmapError, ManualClock
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import parse_definition
from guestmap.inspect.ask.lint import lint
from guestmap.inspect.map.views import flat
from guestmap.inspect.sources.content import snapshot_of_bytes
from guestmap.inspect.text.info_pci import read_info_pci
from guestmap.machine import MachineConfig, Pc
from guestmap.machine.options.command_line import config_of
from guestmap.monitor.claim import MACHINE_S_OWN
from guestmap.monitor.commands import command_table
from guestmap.monitor.commands.identity import version_of
from guestmap.monitor.gdb.packets import PacketReader
from guestmap.qmp import Limits, Session
from guestmap.system.command_line import read_words
from guestmap.system.machine_line import described
from tests.fuzz.whole_machine import places, whole_machine

if TYPE_CHECKING:
    from collections.abc import Callable

_ACCESS = struct.Struct("<BIQ")
_MOST_ACCESSES = 64
_LIMITS = Limits(message_bytes=1 << 16, tokens=1 << 12, nesting=64)


def maps(data: bytes) -> None:
    """Text and JSON that is to be a map, and the questions that every map is asked."""
    with suppress(GuestmapError):
        snapshot = snapshot_of_bytes(data, source="it")
        snapshot.check()
        for each in snapshot.address_spaces:
            flat(snapshot, each.root)
        lint(snapshot)


def pci(data: bytes) -> None:
    """The output of ``info pci``."""
    with suppress(GuestmapError):
        read_info_pci(data.decode("utf-8", "surrogateescape"), source="it")


def qmp(data: bytes) -> None:
    """A client of the monitor: every byte is answered, whatever the pieces it comes in."""
    session = Session(command_table().declarations, version_of(MACHINE_S_OWN), limits=_LIMITS)
    half = len(data) // 2
    for piece in (data[:half], data[half:]):
        for item in session.receive(piece):
            assert isinstance(item, bytes) or item.command.name


def gdb(data: bytes) -> None:
    """What a debugger sends."""
    reader = PacketReader()
    for index in range(0, len(data), 7):
        list(reader.feed(data[index : index + 7]))


def definitions(data: bytes) -> None:
    """A domain's XML."""
    for dialect in LibvirtDialect:
        with suppress(GuestmapError):
            parse_definition(data, dialect)


def options(data: bytes) -> None:
    """QEMU's command line, its words with line ends between."""
    with suppress(GuestmapError):
        config_of(data.decode("utf-8", "surrogateescape").split("\n"))


def program(data: bytes) -> None:
    """The command line of ``guestmap-system-x86_64``, its words with line ends between."""
    with suppress(GuestmapError):
        described(read_words(data.decode("utf-8", "surrogateescape").split("\n")))


def traffic(data: bytes) -> None:
    """Loads and stores of a guest, at ports and in memory of a whole machine."""
    machine = Pc(MachineConfig(ram_size=MIB), ManualClock())
    try:
        _access(machine, _accesses(data))
    finally:
        machine.system.close()


def devices(data: bytes) -> None:
    """The same where a device answers, of a machine that has every one, its BARs set.

    The first byte chooses the display; an address is one of the places, and how far into it.
    """
    machine = whole_machine(("std", "cirrus", "none")[sum(data[:1]) % 3])
    there = (places(machine.io), places(machine.memory))
    try:
        _access(machine, [_within(there[each[0] & 1], *each) for each in _accesses(data[1:])])
    finally:
        machine.system.close()


def _within(
    there: list[tuple[int, int]], how: int, address: int, value: int
) -> tuple[int, int, int]:
    start, size = there[(address >> 24) % len(there)]
    return how, start + (address & 0xFF_FFFF) % size, value


def _access(machine: Pc, accesses: list[tuple[int, int, int]]) -> None:
    spaces = (machine.io, machine.memory)
    for index, (how, address, value) in enumerate(accesses):
        space, size = spaces[how & 1], 1 << (how >> 1 & 3)
        if how & 8:
            space.load(address, size)
        else:
            space.store(address, size, value & ((1 << 8 * size) - 1))
        if how & 16:
            machine.clock.advance(index * 1000)
        if how & 32:
            machine.clock.advance(1 << (how >> 6) * 10)


def _accesses(data: bytes) -> list[tuple[int, int, int]]:
    whole = len(data) // _ACCESS.size * _ACCESS.size
    return list(_ACCESS.iter_unpack(data[:whole]))[:_MOST_ACCESSES]


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (maps, pci, qmp, gdb, definitions, options, program, traffic, devices)
}
