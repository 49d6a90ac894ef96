"""``guestmap plug``: a DIMM for a running machine, planned first."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.output import Json

Machine = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A running machine: unix:SOCKET (or the socket's path), tcp:HOST:PORT, libvirt:NAME.",
    ),
]
Timeout = Annotated[
    float, typer.Option(min=0.0, max=86400.0, help="Seconds to wait for the guest's answer.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Stop after the plan; change nothing.")]


def plug(
    source: Machine,
    size: Annotated[
        str,
        typer.Argument(
            metavar="SIZE", help="Bytes of memory: 512M, 1G, 0x8000000; plain numbers are MiB."
        ),
    ],
    node: Annotated[int, typer.Option(min=0, help="The guest's NUMA node.")] = 0,
    slot: Annotated[
        int | None, typer.Option(min=0, help="The ACPI slot; else the lowest free one.")
    ] = None,
    addr: Annotated[
        str, typer.Option(help="Guest-physical address; else the first gap that fits.")
    ] = "",
    name: Annotated[
        str, typer.Option("--id", metavar="NAME", help="The DIMM's id; else dimmN for slot N.")
    ] = "",
    timeout: Timeout = 10.0,
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Unplug it again where the guest does not acknowledge it."),
    ] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Plug memory into a running machine, on any QEMU, after saying what will come of it.

    All that would refuse the DIMM is said at once, each with its remedy (blockers), and all that
    will spoil it although QEMU takes it (cautions). Then it is plugged, the guest's answer (ACPI
    _OST) is waited for, and the machine is held to the plan.
    """
    from guestmap.cli.plug_report import Show, finish, show_plan
    from guestmap.domain import Applier, Outcome, PlugRequest, Result, open_peer, plan_plug, survey

    request = PlugRequest(
        size=_bytes(size),
        node=node,
        slot=slot,
        addr=_address(addr) if addr else None,
        id=name or None,
    )
    with open_peer(source) as peer:
        plan = plan_plug(survey(peer), request)
        if not as_json:
            show_plan(plan)
        if plan.is_blocked or dry_run:
            outcome = Outcome.BLOCKED if plan.is_blocked else Outcome.PLANNED
            finish(Result(plan, outcome), as_json=as_json)
            return
        with Show(quiet=as_json, timeout_s=timeout) as show:
            result = Applier(peer, timeout_s=timeout, observer=show).plug(plan, undo=undo)
    finish(result, as_json=as_json)


def _bytes(text: str) -> int:
    from guestmap.base import MIB, parse_size

    is_hexadecimal = text.strip()[:2].lower() == "0x"
    return parse_size(text, default_unit=1 if is_hexadecimal else MIB, what="SIZE")


def _address(text: str) -> int:
    from guestmap.base import parse_size

    return parse_size(text, what="--addr")
