"""``guestmap dimms``: a running machine's memory devices, slots and gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.base import format_size
from guestmap.cli.output import envelope, say, say_json, warn
from guestmap.cli.parameters import Json
from guestmap.cli.plug import Machine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table
    from rich.text import Text

    from guestmap.domain import MemoryDevice, Peer
    from guestmap.domain.overview import Overview, SlotRow

KINDS = {
    "nvdimm": "persistent memory in a slot: no RAM, and it stays until the machine ends",
    "virtio-pmem": "persistent memory by virtio: no RAM, and it stays until the machine ends",
    "virtio-mem": "RAM in blocks: the guest gives and takes towards what is requested of it"
    " (guestmap resize)",
}
"""Kinds of memory devices that are no DIMMs, in a line each."""
_UNKNOWN_KIND = "a kind of memory device that guestmap does not know: only its place is"


def dimms(
    source: Machine,
    clean: Annotated[
        str | None,
        typer.Option(
            metavar="BACKEND",
            help="Delete a memory backend that a plug left behind: one that is guestmap's by its"
            " journal or its name, and that nobody uses at two looks 30 s apart.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --clean: any backend, after one look.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what is plugged into a running machine, slot by slot, and what room is left.

    Of each slot: who holds it, and what was last heard in it (ACPI _OST), which QEMU keeps when the
    DIMM goes. Of virtio-mem: what the guest has of it, what it is asked to have, and the most.
    """
    from guestmap.cli.patience import asked_peer, patience
    from guestmap.domain import survey
    from guestmap.domain.overview import overview

    with asked_peer(source) as peer:
        if clean is not None:
            _clean(peer, clean, force=force, as_json=as_json)
            return
        with patience(source):
            seen = overview(survey(peer).situation)
    if as_json:
        form = envelope("dimms", seen.to_json())
        say_json(form)
        return
    _show(seen)


def _clean(peer: Peer, backend: str, *, force: bool, as_json: bool) -> None:
    """Delete a backend; ends with 0 where it is gone, and with 3 where nothing was done."""
    from guestmap.domain import orphans
    from guestmap.domain.listen import RealPace

    if not as_json and not force:
        warn(f"looking twice, {orphans.APART_S:g} s apart")
    cleaning = orphans.clean(peer, backend, RealPace(), force=force)
    form = envelope("clean", cleaning.to_json())
    if as_json:
        say_json(form)
    else:
        say(f"{cleaning.told}.")
    if not cleaning.is_deleted:
        raise typer.Exit(3)


def _show(seen: Overview) -> None:
    from guestmap.cli.tables import console, print_titled
    from guestmap.domain.plugged import KNOWN_KINDS
    from guestmap.qmp.client import program

    out = console()
    if seen.window is None:
        out.print(
            f"{seen.source}: {format_size(seen.ram)} RAM, and no room for memory devices:"
            f" {seen.why_no_room}",
            soft_wrap=True,
        )
        for each in seen.others:
            out.print(_of_no_place(each), soft_wrap=True)
        return
    held = [row for row in seen.slots if row.device is not None]
    title = f"{seen.source} ({program(seen.version)}, {seen.machine}, {seen.status})"
    print_titled(out, title, _devices(seen))
    if seen.others:
        print_titled(out, "without a slot", _others(seen))
    for kind in dict.fromkeys(each.kind for each in seen.others + _slotted(seen)):
        if kind in KINDS or kind not in KNOWN_KINDS:
            out.print(f"{kind}: {KINDS.get(kind, _UNKNOWN_KIND)}", soft_wrap=True)
    print_titled(out, "gaps in the device memory", _gaps(seen))
    free = _runs(row.slot for row in seen.slots if row.device is None)
    out.print(f"slots: {len(held)} of {len(seen.slots)} used; free: {free or 'none'}")
    out.print(
        f"memory: {format_size(seen.ram)} RAM, {format_size(seen.plugged)} plugged,"
        f" {format_size(seen.used)} taken, {format_size(seen.left)} left of"
        f" {format_size(seen.capacity)} for memory devices"
        f" (maxmem {format_size(seen.max_ram)}); one DIMM may have at most"
        f" {format_size(seen.largest)}",
        soft_wrap=True,
    )
    for name in seen.orphans:
        out.print(
            f"backend {name!r} belongs to no memory device: perhaps a plug that was interrupted"
            f" left it (guestmap dimms SOURCE --clean {name})",
            soft_wrap=True,
        )


def _of_no_place(device: MemoryDevice) -> Text:
    from guestmap.cli.tables import cell

    name = device.name or device.backend or "without a name"
    return cell(
        f"{device.kind} {name} ({format_size(device.size)}): QEMU took it, counts it as plugged,"
        " and this machine type gives it no place in the map: the guest has nothing of it"
    )


def _slotted(seen: Overview) -> tuple[MemoryDevice, ...]:
    return tuple(row.device for row in seen.slots if row.device is not None)


def _devices(seen: Overview) -> Table:
    """Return the devices by slot, and the empty slots of which the guest said something."""
    from guestmap.cli.tables import HIDDEN, table

    made = table(
        ("slot", "right"), "id", "kind", "from", "to", ("size", "right"), ("node", "right"),
        "backend", "plugged", "last heard in the slot",
    )  # fmt: skip
    for row in seen.slots:
        if row.device is not None:
            size = format_size(row.device.size)
            made.add_row(
                str(row.slot), *_place(row.device), size, *_origin(row.device), _heard(row)
            )
        elif row.last:
            made.add_row(str(row.slot), *["-"] * 8, _heard(row), style=HIDDEN)
    return made


def _heard(row: SlotRow) -> str:
    if row.last is None:
        return "nothing yet"
    if not row.of_before:
        return str(row.last)
    before = f"of the DIMM before: {row.last}"
    return before if row.device is None else f"nothing yet; {before}"


def _others(seen: Overview) -> Table:
    """Return the devices that hold no slot: what the guest has of them, and what it may have."""
    from guestmap.cli.tables import table

    made = table(
        "id", "kind", "from", "to", ("has", "right"), ("requested", "right"), ("at most", "right"),
        ("block", "right"), ("node", "right"), "backend", "plugged",
    )  # fmt: skip
    for each in seen.others:
        sizes = (each.present, each.requested, each.size, each.block)
        shown = ("-" if size is None else format_size(size) for size in sizes)
        made.add_row(*_place(each), *shown, *_origin(each))
    return made


def _place(device: MemoryDevice) -> tuple[Text | str, ...]:
    from guestmap.cli.tables import cell

    name = cell(device.name or "-")
    return name, cell(device.kind), f"{device.addr:016x}", f"{device.end - 1:016x}"


def _origin(device: MemoryDevice) -> tuple[Text | str, ...]:
    from guestmap.cli.tables import cell

    return (
        "-" if device.node is None else str(device.node),
        cell(device.backend or "-"),
        {True: "hot", False: "at start", None: "not known"}[device.hotplugged],
    )


def _gaps(seen: Overview) -> Table:
    from guestmap.cli.tables import table

    made = table("from", "to", ("size", "right"))
    for gap in seen.gaps:
        made.add_row(f"{gap.start:016x}", f"{gap.last:016x}", format_size(gap.size))
    return made


def _runs(numbers: Iterable[int]) -> str:
    """Return numbers in order with runs joined: ``0, 2-5``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
