"""Random plugging and unplugging: the guest says the same, and the host hears the same, on both."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from guestmap.base import MIB
from tests.guests.peers import OurPeer, Peer, QemuPeer

pytestmark = [pytest.mark.nasm, pytest.mark.qemu, pytest.mark.unicorn, pytest.mark.seabios]

_SLOTS, _STEPS = 5, 30
_SIZES = (2, 4, 6, 16, 32, 48)
_COMMAND_LINE = ("-m", f"64M,slots={_SLOTS},maxmem=1G")


class _Story:
    """One random story, told on a machine; the same on every machine for one seed."""

    def __init__(self, machine: Peer, seed: int) -> None:
        self.machine = machine
        self.random = random.Random(seed)
        self.plugged: list[str] = []
        self.names = (f"d{number}" for number in range(_STEPS))
        self.policy = "a"
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def tell(self) -> None:
        """Play it to its end."""
        self.machine.console.expect("guest: ready .*")
        for _ in range(_STEPS):
            self.random.choice(list(self._possible()))()
        for slot in range(_SLOTS):
            self._ask(f"c {slot}")
        self.heard.append(("slots", {"said": self.machine.qmp("query-acpi-ospm-status")}))
        self.heard.append(("memory", {"is": self.machine.qmp("query-memory-devices")}))

    def _possible(self) -> Iterator[Any]:
        if len(self.plugged) < _SLOTS:
            yield from [self._plug] * 3
        if self.plugged:
            yield from [self._unplug] * 4
        yield self._change_policy
        yield self._touch
        yield lambda: self._ask(f"c {self.random.randrange(_SLOTS)}")

    def _hear(self) -> None:
        self.heard.append(self.machine.next_event())

    def _ask(self, command: str) -> None:
        self.machine.console.ask(command, "guest: .*")

    def _plug(self) -> None:
        name, size = next(self.names), self.random.choice(_SIZES) * MIB
        qmp = self.machine.qmp
        qmp("object-add", qom_type="memory-backend-ram", id=f"m{name}", size=size)
        qmp("device_add", driver="pc-dimm", id=name, memdev=f"m{name}")
        self.plugged.append(name)
        self._hear()
        self.machine.console.expect("guest: slot . ost event=0x1 .*")

    def _unplug(self) -> None:
        name = self.random.choice(self.plugged)
        self.machine.qmp("device_del", id=name)
        if self.policy == "a":
            for _ in range(3):
                self._hear()
            self.machine.console.expect("guest: slot . ost event=0x3 status=0x0")
            self.plugged.remove(name)
            self.machine.qmp("object-del", id=f"m{name}")
        elif self.policy == "s":
            self.machine.console.expect("guest: slot . remove ignored")
        else:
            self._hear()
            self.machine.console.expect("guest: slot . remove refused")

    def _change_policy(self) -> None:
        self.policy = self.random.choice(["a", "a", "s", "r 80", "r 81", "r", "r 83"])
        self._ask(self.policy)

    def _touch(self) -> None:
        """Read and write somewhere, be there memory or not."""
        address = 0x100000000 + self.random.randrange(0, 256 * MIB, 4096)
        self._ask(f"p {address:x}")
        self._ask(f"w {address:x} {self.random.randrange(256):x}")
        self._ask(f"p {address:x}")


@pytest.mark.parametrize("seed", range(6))
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
