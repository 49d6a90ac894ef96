"""``guestmap fleet apply`` and ``undo``: a plan over a fleet, wave by wave, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.base import ConfigError
from guestmap.cli.fleet_setting import FleetSetting
from guestmap.cli.output import counted, say, say_json
from guestmap.cli.parameters import Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.fleet.applied import AppliedMachine
    from guestmap.fleet.roll_out import RollOut

PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="What fleet plan wrote.")]
Told = Annotated[
    list[str] | None,
    typer.Option(
        "--inventory", help="An inventory that tells sources anew: passwords are in no plan."
    ),
]
GuestTimeout = Annotated[
    float, typer.Option(min=0.0, max=3600.0, help="Seconds that each guest has to answer.")
]


def apply(
    ctx: typer.Context,
    plan: PlanFile,
    canary: Annotated[int, typer.Option(min=0, help="Machines of the first wave.")] = 1,
    percent: Annotated[
        float, typer.Option(min=0.0, max=100.0, help="Of all machines, for each wave after it.")
    ] = 10.0,
    pause_after: Annotated[
        int, typer.Option(min=0, help="Failures after which no more is begun; 0: none stops it.")
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a plan that was begun, or broken off.")
    ] = False,
    inventory: Told = None,
    guest_timeout: GuestTimeout = 10.0,
    as_json: Json = False,
) -> None:
    """Plug a plan's DIMM into its machines: a few first, then a share at a time.

    Each machine is locked beside its socket, planned anew, plugged, its guest's answer awaited, and
    held to the plan. It stops after the first failure, or as many as --pause-after says; --resume
    goes on, settles what was half done, and goes to no machine twice. Exit status 1 where a machine
    of the plan has not got it.
    """
    from guestmap.fleet.waves import WavePolicy

    policy = WavePolicy(canary, percent, pause_after)
    _carry_out(
        ctx.obj,
        plan,
        inventory,
        guest_timeout,
        lambda rolling: rolling.apply(policy, resume=resume),
        as_json=as_json,
    )


def undo(
    ctx: typer.Context,
    plan: PlanFile,
    inventory: Told = None,
    guest_timeout: GuestTimeout = 10.0,
    as_json: Json = False,
) -> None:
    """Take out again what a plan put into its machines, with their guests' consent.

    What was broken off half way is cleared away. A machine that the plan never came to is left
    alone. Exit status 1 where one keeps it.
    """
    _carry_out(ctx.obj, plan, inventory, guest_timeout, lambda each: each.undo(), as_json=as_json)


def _carry_out(
    setting: FleetSetting,
    file: Path,
    inventory: list[str] | None,
    guest_timeout: float,
    work: Callable[[RollOut], Iterator[AppliedMachine]],
    *,
    as_json: bool,
) -> None:
    from guestmap.cli.fleet_progress import progress
    from guestmap.fleet.fleet_plan import read_plan
    from guestmap.fleet.progress import Progress
    from guestmap.fleet.roll_out import RollOut

    if setting.select:
        raise ConfigError(
            "--select chooses for fleet plan: a plan is carried out on all machines that it fits"
        )
    plan = read_plan(file)
    told = setting.inventory(inventory) if inventory else None
    found: list[AppliedMachine] = []
    count = len(plan.fitting())
    with setting.client(count) as client, progress(count, quiet=as_json) as shown:
        rolling = RollOut(
            client,
            plan,
            Progress.beside(file, plan),
            told=told,
            guest_s=guest_timeout,
            per_host=setting.per_host,
            everywhere=setting.everywhere,
        )
        for each in work(rolling):
            found.append(each)
            shown.add(failed=not each.is_good)
            if as_json:
                form = {"format": "guestmap.fleet-applied", "format_version": 1, **each.to_json()}
                say_json(form, indent=None, flush=True)
    if not as_json:
        for line in applied_sentences(found, paused=rolling.is_paused):
            say(line)
    if rolling.is_paused or not all(each.is_good for each in found):
        raise typer.Exit(1)


def applied_sentences(found: Iterable[AppliedMachine], *, paused: bool) -> Iterator[str]:
    """Say what became of each machine that is not as was asked for, and of how many it is."""
    found = list(found)
    counts = Counter(each.ending for each in found)
    words = ", ".join(f"{count} {ending}" for ending, count in counts.most_common())
    yield f"{counted(len(found), 'machine')}: {words or 'nothing was to do'}"
    for each in found:
        if not each.is_good or each.settled:
            parts = [each.outcome, each.error, each.settled]
            said = ": ".join((each.ending, *filter(None, parts)))
            yield f"  {each.machine}: {said}"
    if paused:
        yield "paused: look at what failed, then --resume, or guestmap fleet undo"
