"""Random plugging and unplugging: the guest says the same, and the host hears the same, on both."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from guestmap.base import MIB
from tests.guests.peers import OurPeer, Peer, QemuPeer

pytestmark = [
    pytest.mark.qemu_7_2("how its DIMMs reach a guest"),
    pytest.mark.nasm,
    pytest.mark.qemu,
    pytest.mark.unicorn,
    pytest.mark.seabios,
]

_SLOTS, _STEPS = 5, 40
_SIZES = (2, 4, 6, 16, 32, 48)
_COMMAND_LINE = ("-m", f"64M,slots={_SLOTS},maxmem=256M")


class _Story:
    """One random story, told on a machine; the same on every machine for one seed."""

    def __init__(self, machine: Peer, seed: int) -> None:
        self.machine = machine
        self.random = random.Random(seed)
        self.plugged: list[str] = []
        self.numbers = itertools.count()
        self.policy = "a"
        self.heard: list[tuple[str, Any]] = []

    def tell(self) -> None:
        """Play it to its end."""
        self._wait_until_ready()
        for _ in range(_STEPS):
            self.random.choice(list(self._possible()))()
        for slot in range(_SLOTS):
            self._ask(f"c {slot}")
        for query in (
            "query-acpi-ospm-status",
            "query-memory-devices",
            "query-memory-size-summary",
        ):
            self.heard.append((query, self.machine.qmp(query)))

    def _possible(self) -> Iterator[Callable[[], object]]:
        yield from [self._plug, self._plug, self._plug_stopped]
        yield from [self._plug_somewhere] * 3
        if self.plugged:
            yield from [self._unplug] * 5
        yield from [self._change_policy, self._touch, self._reset]
        yield lambda: self._ask(f"c {self.random.randrange(_SLOTS)}")

    # -- what happens ----------------------------------------------------------------------------

    def _plug(self, **properties: int) -> None:
        if self._add(**properties):
            self._wait_until_used()

    def _plug_somewhere(self) -> None:
        """Ask for a slot and an address, which may be taken or impossible."""
        address = 0x100000000 + self.random.randrange(-1, 32) * 8 * MIB
        misaligned = self.random.choice([0, 0, 0, 0, 4096])
        self._plug(slot=self.random.randrange(-2, _SLOTS + 1), addr=address + misaligned)

    def _plug_stopped(self) -> None:
        """Plug in two while the guest does not run: it finds both in one go."""
        self._ask(self.policy)  # a scan that is not over yet would find the later slot first
        self.machine.qmp("stop")
        added = [self._add() for _ in range(2)]
        self.machine.qmp("cont")
        for _ in range(sum(added)):
            self._wait_until_used()

    def _unplug(self) -> None:
        name = self.random.choice(self.plugged)
        self.machine.qmp("device_del", id=name)
        if self.policy == "a":
            for _ in range(3):
                self._hear()
            self._said("guest: slot . ost event=0x3 status=0x0")
            self.plugged.remove(name)
            self.machine.qmp("object-del", id=f"m{name}")
        elif self.policy == "s":
            self._said("guest: slot . remove ignored")
        else:
            self._hear()
            self._said("guest: slot . remove refused")

    def _change_policy(self) -> None:
        self.policy = self.random.choice(["a", "a", "s", "r 80", "r 81", "r", "r 83"])
        self._ask(self.policy)

    def _touch(self) -> None:
        """Read and write somewhere, be there memory or not."""
        address = 0x100000000 + self.random.randrange(0, 256 * MIB, 4096)
        self._ask(f"p {address:x}")
        self._ask(f"w {address:x} {self.random.randrange(256):x}")
        self._ask(f"p {address:x}")

    def _reset(self) -> None:
        """Start the guest afresh, which agrees to removals again."""
        self._ask("z")
        self._wait_until_ready()
        self.policy = "a"

    # -- its parts -------------------------------------------------------------------------------

    def _add(self, **properties: int) -> bool:
        """Plug a DIMM in, and tell whether that was possible; what is not possible is heard."""
        name, size = f"d{next(self.numbers)}", self.random.choice(_SIZES) * MIB
        qmp = self.machine.qmp
        qmp("object-add", qom_type="memory-backend-ram", id=f"m{name}", size=size)
        try:
            qmp("device_add", driver="pc-dimm", id=name, memdev=f"m{name}", **properties)
        except RuntimeError as refusal:
            self.heard.append((str(refusal), properties))
            qmp("object-del", id=f"m{name}")
            return False
        self.plugged.append(name)
        return True

    def _wait_until_used(self) -> None:
        self._hear()
        self._said("guest: slot . ost event=0x1 .*")

    def _wait_until_ready(self) -> None:
        self._said("guest: ready .*")

    def _hear(self) -> None:
        self.heard.append(self.machine.next_event())

    def _ask(self, command: str) -> None:
        self.machine.console.ask(command, "guest: .*")

    def _said(self, line: str) -> None:
        self.machine.console.expect(line)


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(each, marks=pytest.mark.peers) for each in range(3, 8))]
)
def test_the_same_story_on_both(seed: int) -> None:
    stories = []
    for kind in (QemuPeer, OurPeer):
        machine: Peer
        with kind(*_COMMAND_LINE) as machine:
            story = _Story(machine, seed)
            story.tell()
            stories.append((machine.console.lines, story.heard))
    assert stories[0][0] == stories[1][0]
    assert stories[0][1] == stories[1][1]
