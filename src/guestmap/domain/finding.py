"""What a plan finds in its way, and how addresses are written in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.base import format_size
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from guestmap.base import AddrRange
    from guestmap.domain.plugged import MemoryDevice


@dataclass(frozen=True, slots=True)
class PlanFinding(Report):
    """Something that stands in the way of a plan, or that will spoil it.

    Attributes:
        code: which check, for programs.
        text: what is the matter.
        remedy: what to do about it.
        useless: of a caution: QEMU takes it, and the guest will get nothing of it.
    """

    code: str
    text: str
    remedy: str
    useless: bool = False


def span(start: int, size: int) -> str:
    """Return a range as QEMU prints it: first and last address, both included."""
    return f"{start:#x}-{start + size - 1:#x}"


def gap_list(gaps: tuple[AddrRange, ...]) -> str:
    """Return the gaps in words, or that there is none."""
    return ", ".join(f"{span(*gap)} ({format_size(gap.size)})" for gap in gaps) or "none"


def device_place(device: MemoryDevice) -> str:
    """Return a device and its place in words."""
    return f"{device.title} at {span(device.addr, device.size)}"
