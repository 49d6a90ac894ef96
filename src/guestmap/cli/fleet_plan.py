"""``guestmap fleet plan``: which machines take a DIMM, which do not, and by whose limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.base import format_size
from guestmap.cli.fleet_setting import FleetSetting, InventoryWords
from guestmap.cli.output import counted, say, say_json
from guestmap.cli.parameters import Json
from guestmap.cli.plug import bytes_of

if TYPE_CHECKING:
    from guestmap.fleet.fleet_plan import FleetPlan

_EXAMPLES = 3


def plan(
    ctx: typer.Context,
    size: Annotated[
        str,
        typer.Argument(metavar="SIZE", help="Memory: 512M, 1 GiB; plain numbers are MiB."),
    ],
    inventory: InventoryWords,
    where: Annotated[
        str,
        typer.Option(
            metavar="EXPR",
            help="Machines for which it holds: left >= 32*GIB and slots_left > 1 and host !="
            " 'node3' and labels['tier'] == 'web'.",
        ),
    ] = "",
    node: Annotated[int, typer.Option(min=0, help="The guests' NUMA node.")] = 0,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the plan goes, for fleet apply.")
    ] = Path("fleet-plan.json"),
    as_json: Json = False,
) -> None:
    """Ask every machine whether it can take a DIMM; nothing is changed.

    The plan is a file. What stands in the way is told by kind, with the machines it is true of.
    Exit status 1 where no machine takes it.
    """
    from guestmap.base.whole_file import refuse_unwritable
    from guestmap.cli.fleet_progress import progress
    from guestmap.fleet.fleet_plan import new_plan
    from guestmap.fleet.plan_work import PlanOptions
    from guestmap.fleet.planning import plan_fleet
    from guestmap.fleet.progress import refuse_open
    from guestmap.fleet.twins import told_once
    from guestmap.fleet.where import Where

    setting: FleetSetting = ctx.obj
    Where(where)
    machines = setting.inventory(inventory)
    options = PlanOptions(bytes_of(size), node, where, setting.patience)
    refuse_unwritable(output)
    refuse_open(output)
    found = {}
    with setting.client(len(machines)) as client, progress(len(machines), quiet=as_json) as shown:
        for each in plan_fleet(
            client, machines, options, per_host=setting.per_host, everywhere=setting.everywhere
        ):
            found[each.machine] = each
            shown.add(failed=each.verdict == "failed")
    told = told_once(found[each.name] for each in machines)
    made = new_plan(options.size, told, node=node, where=where)
    made.save(output)
    if as_json:
        say_json(made.to_json())
    else:
        for line in plan_sentences(made, output):
            say(line)
    if not made.fitting():
        raise typer.Exit(1)


def plan_sentences(made: FleetPlan, output: Path) -> Iterator[str]:
    """Say what a plan found."""
    verdicts = Counter(each.verdict for each in made.machines)
    yield (
        f"plan {made.id}: {format_size(made.size)} for {verdicts['fits']} of"
        f" {counted(len(made.machines), 'machine')}, as {made.device} ({output})"
    )
    for verdict in ("not-chosen", "blocked", "useless", "failed"):
        if verdicts[verdict]:
            yield f"  {verdicts[verdict]} {verdict}"
    by_code: dict[str, list[tuple[str, str]]] = {}
    for each in made.machines:
        for reason in each.reasons:
            by_code.setdefault(reason.code, []).append((each.machine, reason.text))
    for code, those in sorted(by_code.items(), key=lambda item: -len(item[1])):
        yield f"{code}: {counted(len(those), 'machine')}"
        for name, text in those[:_EXAMPLES]:
            yield f"  {name}: {text}"
        if len(those) > _EXAMPLES:
            yield f"  and {len(those) - _EXAMPLES} more (in the plan)"
