"""``guestmap fleet VERB``: many machines at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.cli.fleet_setting import FleetSetting

if TYPE_CHECKING:
    from collections.abc import Callable


def fleet(
    ctx: typer.Context,
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Machines for which it holds: name=web*, host!=node3, LABEL=VALUE; with commas"
            " between, and may be given often.",
        ),
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            metavar="TEMPLATE",
            help="What names the machines of a Kubernetes list; {name}, {namespace} and {host} are"
            " theirs. Else libvirt:{namespace}_{name}.",
        ),
    ] = "",
    scheduler: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="A Dask scheduler that is there: tls://HOST:PORT. Else our own."
        ),
    ] = "",
    tls_ca: Annotated[str, typer.Option(metavar="FILE", help="Its authority, PEM.")] = "",
    tls_cert: Annotated[str, typer.Option(metavar="FILE", help="Our certificate, PEM.")] = "",
    tls_key: Annotated[str, typer.Option(metavar="FILE", help="The key of that, PEM.")] = "",
    workers: Annotated[
        int, typer.Option(min=0, max=1024, help="Processes of our own; 0: one for each CPU.")
    ] = 0,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Serve Dask's pages on loopback, and say where.")
    ] = False,
    per_host: Annotated[
        int, typer.Option(min=1, max=1024, help="Machines of one host that are asked at a time.")
    ] = 4,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=3600.0, help="Seconds for each machine, all tries of it.")
    ] = 30.0,
    retries: Annotated[
        int, typer.Option(min=0, max=100, help="How often one that fails is tried again.")
    ] = 2,
) -> None:
    """Audit, ask, and plug memory into many machines at once, on one host or on hundreds.

    INVENTORY is a file (.toml, .yaml), a folder of dumps, libvirt: or libvirt+URI: (all domains
    that run there), - (a list as kubectl get vmi -A -o json prints it), or any SOURCE. A machine
    that is down, slow, or answers nonsense costs its own line.
    """
    ctx.obj = FleetSetting(
        select=tuple(select or ()),
        source=source,
        scheduler=scheduler,
        tls=(tls_ca, tls_cert, tls_key),
        workers=workers,
        dashboard=dashboard,
        per_host=per_host,
        timeout_s=timeout,
        retries=retries,
    )


def verbs() -> dict[str, Callable[..., None]]:
    """Return the verbs, by name."""
    from guestmap.cli.fleet_apply import apply, undo
    from guestmap.cli.fleet_ask import ask
    from guestmap.cli.fleet_audit import audit
    from guestmap.cli.fleet_diff import diff
    from guestmap.cli.fleet_plan import plan

    return {
        "audit": audit,
        "diff": diff,
        "ask": ask,
        "plan": plan,
        "apply": apply,
        "undo": undo,
    }
