"""``guestmap unplug``: a DIMM taken out of a running machine, with its guest's consent."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.parameters import Json
from guestmap.cli.plug import DryRun, Machine, Timeout, unstarted


def unplug(
    source: Machine,
    name: Annotated[
        str, typer.Argument(metavar="ID", help="The DIMM's id, or its path (guestmap dimms).")
    ],
    timeout: Timeout = 10.0,
    keep_backend: Annotated[
        bool, typer.Option("--keep-backend", help="Leave its memory backend in QEMU.")
    ] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Ask a running guest for a DIMM, and take it out when the guest lets go of it.

    The memory backend goes too where its id is the DIMM's with 'mem' before it (plug and libvirt
    name it so); another is kept. A guest that says nothing may still let go of the DIMM later.
    """
    from guestmap.cli.patience import asked_peer, patience
    from guestmap.cli.plug_report import Show, finish, show_plan
    from guestmap.domain import (
        Applier,
        UnplugRequest,
        plan_unplug,
        survey,
    )

    with asked_peer(source) as peer:
        with patience(source):
            plan = plan_unplug(survey(peer), UnplugRequest(name, keep_backend=keep_backend))
        if not as_json:
            show_plan(plan)
        if plan.is_stopped or dry_run:
            finish(unstarted(plan), as_json=as_json)
            return
        with Show(quiet=as_json, timeout_s=timeout) as show:
            result = Applier(peer, timeout_s=timeout, observer=show).unplug(plan)
    finish(result, as_json=as_json)
