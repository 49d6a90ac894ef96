"""``guestmap fleet ask``: one question to every map."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.fleet_setting import FleetSetting, InventoryWords, alike_sentences
from guestmap.cli.output import say, say_json
from guestmap.cli.parameters import Json


def ask(
    ctx: typer.Context,
    question: Annotated[
        str,
        typer.Argument(
            metavar="QUESTION",
            help="explain ADDRESS, why-not REGION, ram, dma DEVICE; with --as SPACE.",
        ),
    ],
    inventory: InventoryWords,
    as_json: Json = False,
) -> None:
    """Ask every map one question; machines that answer alike are told together.

    With --json a line for each machine, with what the question's own command prints in it. Exit
    status 1 where a machine could not be asked.
    """
    from guestmap.cli.fleet_progress import progress
    from guestmap.fleet.asking import ask_fleet, parse_question

    setting: FleetSetting = ctx.obj
    asked = parse_question(question)
    machines = setting.inventory(inventory)
    alike: dict[tuple[str, ...], list[str]] = {}
    failed = False
    with setting.client(len(machines)) as client, progress(len(machines), quiet=as_json) as shown:
        for each in ask_fleet(
            client,
            machines,
            asked,
            setting.patience,
            per_host=setting.per_host,
            everywhere=setting.everywhere,
        ):
            shown.add(failed=each.state != "ok")
            failed |= each.state != "ok"
            if as_json:
                form = {
                    "format": "guestmap.fleet-answer", "format_version": 1,
                    "machine": each.machine, "host": each.host, "state": each.state,
                    "error": each.error, "answer": each.answer,
                }  # fmt: skip
                say_json(form, indent=None, flush=True)
            else:
                told = each.sentences or (f"{each.state}: {each.error}",)
                alike.setdefault(told, []).append(each.machine)
    for line in alike_sentences(alike):
        say(line)
    if failed:
        raise typer.Exit(1)
