"""``guestmap dimms``: a running machine's memory devices, slots and gaps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from guestmap.cli.output import Json
from guestmap.cli.plug import Machine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from guestmap.domain import MemoryDevice
    from guestmap.domain.overview import Overview


def dimms(source: Machine, as_json: Json = False) -> None:
    """Show what is plugged into a running machine, slot by slot, and what room is left.

    Of each slot: who holds it, and what the guest last said about it (ACPI _OST).
    """
    from guestmap.domain import open_peer, survey
    from guestmap.domain.overview import overview

    with open_peer(source) as peer:
        seen = overview(survey(peer).situation)
    if as_json:
        form = {"format": "guestmap.dimms", "format_version": 1, **seen.to_json()}
        typer.echo(json.dumps(form, indent=2))
        return
    _show(seen)


def _show(seen: Overview) -> None:
    from guestmap.base import format_size
    from guestmap.cli.tables import console, print_titled
    from guestmap.inspect.attach import program

    out = console()
    if seen.window is None:
        out.print(
            f"{seen.source}: {format_size(seen.ram)} RAM, and no room for memory devices: the"
            " machine was started without maxmem"
        )
        return
    held = [row for row in seen.slots if row.device is not None]
    title = f"{seen.source} ({program(seen.version)}, {seen.machine}, {seen.status})"
    print_titled(out, title, _devices(seen))
    print_titled(out, "gaps in the device memory", _gaps(seen))
    free = _runs(row.slot for row in seen.slots if row.device is None)
    out.print(f"slots: {len(held)} of {len(seen.slots)} used; free: {free or 'none'}")
    out.print(
        f"memory: {format_size(seen.ram)} RAM, {format_size(seen.used)} plugged,"
        f" {format_size(seen.left)} left of {format_size(seen.capacity)}"
        f" (maxmem {format_size(seen.max_ram)}); one DIMM may have at most"
        f" {format_size(seen.largest)}",
        soft_wrap=True,
    )
    for name in seen.orphans:
        out.print(f"backend {name!r} belongs to no memory device (QMP: object-del id={name})")


def _devices(seen: Overview) -> Table:
    """Return the devices by slot, and the empty slots of which the guest said something."""
    from guestmap.cli.tables import HIDDEN, table

    made = table(
        ("slot", "right"), "id", "kind", "from", "to", ("size", "right"), ("node", "right"),
        "backend", "plugged", "the guest last said",
    )  # fmt: skip
    for row in seen.slots:
        last = str(row.last) if row.last else ""
        if row.device is not None:
            made.add_row(str(row.slot), *_cells(row.device), last or "nothing")
        elif last:
            made.add_row(str(row.slot), *["-"] * 8, last, style=HIDDEN)
    for device in seen.others:
        made.add_row("-", *_cells(device), "")
    return made


def _cells(device: MemoryDevice) -> tuple[str, ...]:
    from rich.markup import escape

    from guestmap.base import format_size

    return (
        escape(device.id or "-"),
        device.kind,
        f"{device.addr:016x}",
        f"{device.end - 1:016x}",
        format_size(device.size),
        "-" if device.node is None else str(device.node),
        escape(device.backend or "-"),
        "hot" if device.hotplugged else "at start",
    )


def _gaps(seen: Overview) -> Table:
    from guestmap.base import format_size
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
