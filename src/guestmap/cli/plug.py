"""``guestmap plug``: a DIMM for a running machine, planned first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.cli.completing import sources
from guestmap.cli.parameters import GIVEN_UP, Json

if TYPE_CHECKING:
    from guestmap.domain import Plan, Result

Machine = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        autocompletion=sources,
        help="A running machine: unix:SOCKET (or the socket's path), tcp:HOST:PORT, libvirt:NAME."
        + GIVEN_UP,
    ),
]
Timeout = Annotated[
    float, typer.Option(min=0.0, max=86400.0, help="Seconds to wait for the guest's answer.")
]
Agent = Annotated[
    str | None,
    typer.Option(
        metavar="SOCKET",
        help="The guest agent's socket: it tells the guest's memory blocks, and what is online."
        " (libvirt's own is asked where there is one.) It has 3 s for an answer.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Stop after the plan; change nothing.")]


def plug(
    source: Machine,
    size: Annotated[
        str,
        typer.Argument(
            metavar="SIZE", help="Memory: 512M, 1 GiB, 0x8000000 (bytes); plain numbers are MiB."
        ),
    ],
    node: Annotated[int, typer.Option(min=0, help="The guest's NUMA node.")] = 0,
    slot: Annotated[
        int | None, typer.Option(min=0, help="The ACPI slot; else the lowest free one.")
    ] = None,
    addr: Annotated[
        str | None,
        typer.Option(
            help="Guest-physical address; else the first gap that starts and ends on the guest's"
            " memory blocks."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--id", metavar="NAME", help="The DIMM's id; else dimmN for slot N."),
    ] = None,
    kind: Annotated[
        str, typer.Option(help="dimm, or virtio-mem: memory that can be resized (resize).")
    ] = "dimm",
    requested: Annotated[
        str | None,
        typer.Option(help="Of virtio-mem: what the guest is asked to take at once; else nothing."),
    ] = None,
    bus: Annotated[
        str | None, typer.Option(help="Of virtio-mem: the PCI bus; else a free root port.")
    ] = None,
    timeout: Timeout = 10.0,
    agent: Agent = None,
    force: Annotated[
        bool, typer.Option("--force", help="Do it even where the guest will get nothing of it.")
    ] = False,
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Unplug it again where the guest does not acknowledge it."),
    ] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Plug memory into a running machine, on any QEMU, after saying what will come of it.

    All that would refuse the DIMM is said at once, each with its remedy (blockers), and all that
    will spoil it although QEMU takes it (cautions); what the guest would get nothing of is not
    done. Then it is plugged, the guest's answer (ACPI _OST) is waited for, and with --agent until
    the memory is online; and the machine is held to the plan.
    """
    from guestmap.cli.patience import asked_peer, patience
    from guestmap.cli.plug_report import Show, finish, show_plan
    from guestmap.cli.plug_setting import agent_of, surveyed, uses_of, with_port
    from guestmap.domain import Applier, PlugRequest, plan_plug

    request = PlugRequest(
        size=bytes_of(size),
        node=node,
        slot=slot,
        addr=None if addr is None else _address(addr),
        id=name,
        force=force,
        kind=kind,
        requested=None if requested is None else bytes_of(requested, "--requested"),
        bus=bus,
    )
    with asked_peer(source) as peer:
        with patience(source):
            teller = agent_of(peer, agent)
            scene = surveyed(peer, teller)
            plan = plan_plug(scene, with_port(peer, scene, request))
        if not as_json:
            show_plan(plan)
        if plan.is_stopped or dry_run:
            finish(unstarted(plan), as_json=as_json)
            return
        with Show(quiet=as_json, timeout_s=timeout) as show:
            applier = Applier(peer, timeout_s=timeout, observer=show, uses=uses_of(teller))
            result = applier.plug(plan, undo=undo)
    finish(result, as_json=as_json)


def unstarted(plan: Plan) -> Result:
    """Return what became of a plan of which nothing was done."""
    from guestmap.domain import Outcome, Result

    if plan.is_blocked:
        return Result(plan, Outcome.BLOCKED)
    return Result(plan, Outcome.STOPPED if plan.is_stopped else Outcome.PLANNED)


def bytes_of(text: str, what: str = "SIZE") -> int:
    """Return the bytes of an argument; plain decimal numbers are MiB."""
    from guestmap.base import MIB, parse_memory_size

    is_hexadecimal = text.strip()[:2].lower() == "0x"
    return parse_memory_size(text, default_unit=1 if is_hexadecimal else MIB, what=what)


def _address(text: str) -> int:
    from guestmap.base import ConfigError, parse_address

    address = parse_address(text, what="--addr")
    if address == 0:
        raise ConfigError("--addr 0 means any address to QEMU: leave it out")
    return address
