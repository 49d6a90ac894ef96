"""A VGA of ours and one of QEMU's, for the same commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from guestmap.hw.vga.adapter import DisplayAdapter
from guestmap.hw.vga.cirrus.device import CirrusVga
from guestmap.hw.vga.device import StandardVga
from tests.hw.vga.traffic import MEMORY_BAR, MMIO_BAR
from tests.support.chipset import Chipset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from guestmap.hw.pci import PciBus
    from tests.support.qemu import Qemu

AdapterT = TypeVar("AdapterT", bound=DisplayAdapter[Any])
_WIDTHS = {"b": 1, "w": 2, "l": 4}
_SLOT = 2
PLACED = (
    "outl 0xcf8 0x80001010", f"outl 0xcfc {MEMORY_BAR:#x}", "outl 0xcf8 0x80001018",
    f"outl 0xcfc {MMIO_BAR:#x}", "outl 0xcf8 0x80001004", "outw 0xcfc 0x3",
)  # fmt: skip
"""Commands that let both windows be seen."""


class AdapterBench(Generic[AdapterT]):
    """An adapter of ours on a PC's PCI bus."""

    def __init__(self, make: Callable[[PciBus, int], AdapterT]) -> None:
        self.chipset = Chipset()
        self.vga = make(self.chipset.bus, _SLOT << 3)

    def answer(self, command: str) -> int | None:
        """Obey a qtest line; return what was read."""
        word, where, *value = command.split()
        space = self.chipset.io if word.startswith(("in", "out")) else self.chipset.system
        size = _WIDTHS[word[-1]]
        if word.startswith(("in", "read")):
            return space.load(int(where, 0), size)
        space.store(int(where, 0), size, int(value[0], 0))
        return None

    def obey(self, commands: Iterable[str]) -> None:
        """Obey lines whose answers do not matter."""
        for each in commands:
            self.answer(each)


class VgaBench(AdapterBench[StandardVga]):
    """Our standard VGA."""

    def __init__(self) -> None:
        super().__init__(StandardVga)


class CirrusBench(AdapterBench[CirrusVga]):
    """Our Cirrus VGA."""

    def __init__(self) -> None:
        super().__init__(CirrusVga)


def answer_of(qemu: Qemu, command: str) -> int | None:
    """Return what QEMU reads for a qtest line; None for a write."""
    reply = qemu.qtest(command)
    return int(reply, 0) if reply else None
