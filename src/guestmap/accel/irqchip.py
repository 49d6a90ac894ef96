"""Interrupt controllers that an accelerator has, in place of the machine's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class InterruptChip(Enum):
    """Who has the interrupt controllers; the values are those of QEMU's ``kernel-irqchip``."""

    MACHINE = "off"  # all of them: a vCPU has one INTR pin, and an acknowledge cycle
    SPLIT = "split"  # the accelerator has the local APICs, the machine the rest
    ACCELERATOR = "on"  # the accelerator has all


class Irqchip(ABC):
    """The controllers of one machine; for the thread that has the turn.

    Attributes:
        kind: which of them it has.
        on_eoi: told the vector of a level-triggered interrupt that has ended, where the I/O APIC is
            the machine's.
    """

    kind: InterruptChip
    on_eoi: Callable[[int], None]

    @abstractmethod
    def set_line(self, number: int, level: bool) -> None:
        """Drive a global line: an input of the I/O APIC, and the first 16 the PIC's too.

        Raises:
            HostError: the host refuses.
        """

    @abstractmethod
    def send(self, address: int, data: int) -> None:
        """Send a message-signalled interrupt.

        Raises:
            HostError: the host refuses.
        """

    @abstractmethod
    def route(self, messages: Sequence[tuple[int, int]]) -> None:
        """Say what the machine's I/O APIC sends, address and data, for each of its inputs.

        Raises:
            HostError: the host refuses.
        """

    @abstractmethod
    def reset(self) -> None:
        """Put the controllers into their states after RESET#, but for the local APICs.

        Raises:
            HostError: the host refuses.
        """
