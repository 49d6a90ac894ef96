"""``guestmap resize``: another size requested of a virtio-mem device, and followed."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.parameters import Json
from guestmap.cli.plug import DryRun, Machine, Timeout, bytes_of, unstarted


def resize(
    source: Machine,
    name: Annotated[
        str, typer.Argument(metavar="ID", help="The device's id, or its path (guestmap dimms).")
    ],
    size: Annotated[
        str,
        typer.Argument(
            metavar="SIZE", help="Memory: 512M, 1 GiB, 0x8000000 (bytes); plain numbers are MiB."
        ),
    ],
    timeout: Timeout = 10.0,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Request another size of a virtio-mem device, and follow its guest to it.

    The guest takes and gives memory in blocks, when and as far as it can; where it stops short of
    what is requested the request stands, and what may be the cause is said.
    """
    from guestmap.cli.patience import asked_peer, patience
    from guestmap.cli.plug_report import Show, finish, show_plan
    from guestmap.domain import Applier, ResizeRequest, plan_resize, survey

    request = ResizeRequest(name, bytes_of(size))
    with asked_peer(source) as peer:
        with patience(source):
            plan = plan_resize(survey(peer), request)
        if not as_json:
            show_plan(plan)
        if plan.is_stopped or dry_run:
            finish(unstarted(plan), as_json=as_json)
            return
        with Show(quiet=as_json, timeout_s=timeout) as show:
            result = Applier(peer, timeout_s=timeout, observer=show).resize(plan)
    finish(result, as_json=as_json)
