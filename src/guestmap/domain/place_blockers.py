"""What QEMU would refuse of a device's size and place; see :mod:`guestmap.domain.blockers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import MIB, exact_size, format_size
from guestmap.domain.finding import PlanFinding, device_place, gap_list, span
from guestmap.domain.placing import align_up, first_fit, gaps, largest_fit, overlapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.base import AddrRange
    from guestmap.domain.request import PlugRequest
    from guestmap.domain.situation import Situation


def size_blockers(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    """Find a size that no memory device may have."""
    unit, size = max(situation.alignment, situation.rule.unit), request.size
    if size == 0:
        yield PlanFinding(
            "size-zero", f"a {request.kind} of no bytes", f"give a multiple of {format_size(unit)}"
        )
    elif size % unit:
        near = " or ".join(exact_size(each) for each in (size // unit * unit, align_up(size, unit))
                           if 0 < each <= largest_fit(situation))  # fmt: skip
        yield PlanFinding(
            "size-unaligned",
            f"{exact_size(size)} are not a multiple of {format_size(unit)}, as {_who(situation)}"
            " wants it",
            f"give {near}" if near else f"give a multiple of {format_size(unit)}",
        )


def _who(situation: Situation) -> str:
    """Return who sets the unit of sizes."""
    if situation.rule.unit > situation.alignment:
        return f"a machine of the type {situation.machine}"
    return "QEMU's alignment of memory backends"


def total_blockers(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    """Find more bytes than maxmem leaves."""
    if situation.window is None or request.size <= situation.bytes_left:
        return
    largest = largest_fit(situation)
    ways = [f"give at most {exact_size(largest)}"] if largest else []
    ways += ["unplug a memory device"] if situation.devices else []
    meant = _meant(request.size, situation.bytes_left)
    yield PlanFinding(
        "over-maxmem",
        f"{exact_size(request.size)} do not fit within maxmem, which QEMU was started with:"
        f" {format_size(situation.used)} of {format_size(situation.capacity)} for memory devices"
        f" are used, {format_size(situation.bytes_left)} are left",
        meant + ", or ".join([*ways, "start the machine with a larger maxmem"]),
    )


def _meant(size: int, left: int) -> str:
    """Return the question whether a number of MiB was meant as bytes."""
    number, rest = divmod(size, MIB)
    if rest or number % MIB or not 0 < number <= left:
        return ""
    return f"did you mean {exact_size(number)} ({number} is a number of MiB; bytes are {number}b)? "


def address_blockers(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    """Find an address at which the device cannot be, or that there is none."""
    window, size = situation.window, request.size
    if window is None or size == 0:
        return
    if request.hint is not None:
        yield from _hint(situation, window, request.hint, size)
    elif (
        size <= situation.bytes_left
        and first_fit(window, situation.devices, size, situation.alignment) is None
    ):
        largest = largest_fit(situation)
        yield PlanFinding(
            "fragmented",
            f"no gap of the device memory takes {exact_size(size)}; the gaps:"
            f" {gap_list(gaps(window, situation.devices))}",
            (f"plug smaller DIMMs (at most {exact_size(largest)} now), or unplug" if largest
             else "unplug") + " one that lies between two gaps",
        )  # fmt: skip


def _hint(
    situation: Situation, window: AddrRange, address: int, size: int
) -> Iterator[PlanFinding]:
    unit = situation.alignment
    free = gap_list(gaps(window, situation.devices))
    is_outside = address < window.start or address + size > window.end
    if address % unit and not is_outside:
        yield PlanFinding(
            "address-unaligned",
            f"address {address:#x} is not a multiple of {unit:#x} ({format_size(unit)})",
            _near(situation, window, address, size),
        )
    if is_outside:
        yield PlanFinding(
            "address-outside",
            f"{span(address, size)} is not within the device memory,"
            f" {span(window.start, window.size)}",
            f"choose an address in a gap, or give no --addr (gaps: {free})",
        )
    for each in overlapping(situation.devices, address, size):
        yield PlanFinding(
            "address-overlap",
            f"{span(address, size)} overlaps {device_place(each)}",
            f"choose an address in a gap, or give no --addr (gaps: {free})",
        )


def _near(situation: Situation, window: AddrRange, address: int, size: int) -> str:
    """Return the remedy that names the aligned addresses next to one, where they are free."""
    unit = situation.alignment
    free = [
        f"{each:#x}"
        for each in (address // unit * unit, align_up(address, unit))
        if window.start <= each <= window.end - size
        and not overlapping(situation.devices, each, size)
    ]
    return f"give {' or '.join(free)}" if free else "give no --addr: the next free one is taken"
