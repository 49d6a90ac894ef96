"""What a PCI function keeps that a guest can change: what is saved of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from guestmap.hw.device import U64
from guestmap.hw.pci.registers import CONFIG_SIZE

ConfigBytes = Annotated[bytes, Meta(min_length=CONFIG_SIZE, max_length=CONFIG_SIZE)]


@dataclass(slots=True)
class PciState:
    """A function's header; a device that has more derives from it.

    Attributes:
        config: configuration space.
        interrupt: whether the function pulls its pin.
        mastering: whether it reaches memory: not always what its command register says.
        bars: where its windows are, in the order in which they were made; None for nowhere.
    """

    config: ConfigBytes = bytes(CONFIG_SIZE)
    interrupt: bool = False
    mastering: bool = False
    bars: list[U64 | None] = field(default_factory=list)
