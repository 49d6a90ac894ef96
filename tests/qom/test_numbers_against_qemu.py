"""How QEMU numbers devices that nobody named: what the tests of ours expect is so there."""

from __future__ import annotations

import pytest

from tests.support.qemu import Qemu

pytestmark = pytest.mark.qemu

UNATTACHED = "/machine/unattached"
_CHAIN = 5
"""Hubs that fit behind each other; the sixth cannot be realized."""


class Hubs:
    """QEMU puts hubs, which nobody named, between a full USB port and what is plugged there."""

    def __init__(self, qemu: Qemu) -> None:
        self._qemu = qemu

    def plug(self) -> None:
        self._qemu.qmp("device_add", driver="usb-tablet")

    def fill(self) -> None:
        """Plug until the last hub that fits is there, and one more has been tried."""
        while len(self.numbers()) < _CHAIN:
            self.plug()
        for _ in range(7):
            self.plug()

    def remove_last(self) -> None:
        self._qemu.qmp("device_del", id=f"{UNATTACHED}/device[{self.numbers()[-1]}]")

    def numbers(self) -> list[int]:
        names = [each["name"] for each in self._qemu.qmp("qom-list", path=UNATTACHED)
                 if each["type"] == "child<usb-hub>"]  # fmt: skip
        return sorted(int(name.removeprefix("device[").removesuffix("]")) for name in names)


def test_numbers_of_devices_without_a_parent_do_not_come_again() -> None:
    with Qemu("-device", "piix3-usb-uhci") as qemu:
        hubs = Hubs(qemu)
        hubs.fill()
        first = hubs.numbers()[0]
        assert hubs.numbers() == [first + n for n in range(_CHAIN)]
        hubs.remove_last()
        hubs.plug()
        hubs.plug()
        # The one that went keeps its number; the one that could not be realized has left none.
        assert hubs.numbers() == [first, first + 1, first + 2, first + 3, first + 5]
