"""A board whose interrupt controllers, or the CPUs' alone, are the accelerator's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from guestmap.accel import InterruptChip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.accel import Irqchip
    from guestmap.base import IrqLine
    from guestmap.hw.apic.bus import ApicBus
    from guestmap.hw.apic.ioapic import IoApic
    from guestmap.hw.i8259 import I8259Pair
    from guestmap.machine.boards.x86.interrupts import CpuInterrupts


def connect_irqchip(
    chip: Irqchip,
    lines: Sequence[IrqLine],
    pic: I8259Pair,
    ioapic: IoApic,
    apics: ApicBus,
    pins: Sequence[CpuInterrupts],
) -> None:
    """Have lines and messages go to the accelerator's controllers, not to the board's own.

    Args:
        chip: the accelerator's.
        lines: what devices drive.
        pic: the board's, idle from now on where the accelerator has all.
        ioapic: likewise.
        apics: the board's, idle from now on.
        pins: of the CPUs.
    """
    apics.outside = lambda message: chip.send(*message.to_msi())
    for pin in pins:
        pin.pic_alone = True
    if chip.kind is InterruptChip.ACCELERATOR:
        for number, line in enumerate(lines):
            line.connect(partial(chip.set_line, number))
        return
    pic.intr.connect(lambda _level: pins[0].on_change())
    chip.on_eoi = ioapic.end_of_interrupt

    def route() -> None:
        chip.route([each.to_msi() for each in ioapic.messages()])

    ioapic.on_redirection = route
    route()
