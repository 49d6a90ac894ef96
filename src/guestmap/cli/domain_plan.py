"""``guestmap domain plan``, ``apply`` and ``verify``: said before, done exactly so, held to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guestmap.cli.deadline import deadline
from guestmap.cli.domain_memory import CHANGE_S, Force, Wait, detached
from guestmap.cli.domain_words import (
    Config,
    Current,
    File,
    Live,
    Name,
    Persistent,
    read_file,
    targets,
)
from guestmap.cli.output import say, say_json, show
from guestmap.cli.parameters import Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.domain.plans.domain_plan import DomainPlan, Pictured, Verb

_BLOCKED, _WRONG = 3, 8
_STANDINGS = {"online": 0, "acknowledged": 10, "not online": 11, "unknown": 4, "refused": 5}
"""Exit statuses of verify, as of ``plug``; of several devices the last one here is told."""


def plan(
    ctx: typer.Context,
    domain: Name,
    file: File,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    persistent: Persistent = False,
    detach: Annotated[bool, typer.Option("--detach", help="Of detaching it.")] = False,
    force: Force = False,
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="PICTURE", help="Draw the map: .html, .svg.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what attaching a device will do: to both definitions, in QMP, and to the map.

    Everything that is in the way is said at once (exit status 3). With --json the plan is one for
    'guestmap domain apply'.
    """
    from guestmap.domain.plans.domain_plan import plan_of

    to = targets(live, config, current, persistent)
    document = read_file(file)
    verb: Verb = "detach" if detach else "attach"
    with deadline(f"{domain}: QEMU is asked", CHANGE_S, quiet=as_json):
        found = plan_of(ctx.obj.manager(), domain, document, to, verb=verb, force=force)
    if draw is not None and not found.plan.is_blocked:
        _draw(found, draw)
    if as_json:
        import msgspec

        say_json(msgspec.to_builtins(found.plan))
    else:
        for line in _sentences(found.plan):
            say(line)
    if found.plan.is_blocked:
        raise typer.Exit(_BLOCKED)


def apply(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="PLAN", help="As 'plan --json' printed it.")],
    timeout: Wait = 5.0,
    as_json: Json = False,
) -> None:
    """Do exactly what a plan says, or nothing: one that no longer fits is refused."""
    from guestmap.base import ConfigError
    from guestmap.domain.change.targets import Targets
    from guestmap.domain.plans.domain_plan import read_plan
    from guestmap.domain.plans.fitting import refuse_changed

    found = read_plan(read_file(file))
    if found.is_blocked:
        raise ConfigError(f"the plan has blockers: {found.blockers[0].get('message', 'unnamed')}")
    manager = ctx.obj.manager()
    to, document = Targets(live=found.live, config=found.config), found.document.encode()

    def check() -> None:
        refuse_changed(manager, found)

    if found.verb == "detach":
        with deadline(f"{found.domain}: the guest is asked to let go", timeout, quiet=as_json):
            done = manager.changes.detach(found.domain, document, to, wait_s=timeout, check=check)
        detached(found.domain, done, timeout, as_json)
        return
    with deadline(f"{found.domain}: QEMU makes the device", CHANGE_S, quiet=as_json):
        device = manager.changes.attach(found.domain, document, to, force=found.force, check=check)
    form = {"domain": found.domain, "applied": True, "alias": device.alias}
    show(form, ["Plan applied: device attached"], as_json)


def verify(
    ctx: typer.Context,
    domain: Name,
    agent: Annotated[
        str | None, typer.Option(metavar="SOCKET", help="The guest agent's; else the definition's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask QEMU, the guest's last words and its agent what is so of a domain's memory.

    Exit status 0: all is online; 10: acknowledged, and no more is known; 11: not all is online; 4:
    the guest said nothing; 5: it refused; 8: the machine is not as the definition says.
    """
    from guestmap.domain.plans.verification import verify as verified

    with deadline(f"{domain}: QEMU and the agent are asked", CHANGE_S, quiet=as_json):
        found = verified(ctx.obj.manager(), domain, agent)
    lines = [f"{each.alias} at {each.place}: {each.standing} ({each.said})"
             for each in found.devices]  # fmt: skip
    lines += [f"wrong: {each}" for each in found.wrong]
    lines += [f"note: {each}" for each in found.notes]
    if not found.devices and not found.wrong:
        lines.append("There is no memory device, and none should be.")
    standings = {each.standing for each in found.devices}
    status = next((n for word, n in reversed(_STANDINGS.items()) if word in standings), 0)
    status = _WRONG if found.wrong else status
    show({"domain": domain, "exit_status": status, **found.to_json()}, lines, as_json)
    if status:
        raise typer.Exit(status)


def _sentences(found: DomainPlan) -> list[str]:
    lines = [f"blocker: {each['message']} [{each['speaker']}]"
             + (f"; {each['remedy']}" if each["remedy"] else "")
             for each in found.blockers]  # fmt: skip
    lines += [f"caution: {each}" for each in found.cautions]
    titles = {"live": "The machine's definition will change:",
              "config": "The stored definition will change:"}  # fmt: skip
    for which, title in titles.items():
        if which in found.changes:
            lines += [title, *(f"  {line}" for line in found.changes[which])]
    if found.commands:
        lines.append("QEMU will be sent:")
        lines += [f"  {_words(each)}" for each in found.commands]
    if found.map_change:
        lines += ["The map will change:", *(f"  {line}" for line in found.map_change)]
    if found.is_blocked:
        lines.append("It would be refused.")
    return lines


def _words(command: dict[str, Any]) -> str:
    given = command.get("arguments", {})
    return " ".join([command["execute"], *(f"{name}={value}" for name, value in given.items())])


def _draw(found: Pictured, path: Path) -> None:
    from guestmap.base import ConfigError, write_whole
    from guestmap.cli.draw import rendered
    from guestmap.view import compare

    if found.before is None or found.after is None:
        raise ConfigError("--draw needs a machine that runs and a plan for it (--live)")
    write_whole(path, rendered(compare(found.before, found.after), path.suffix.lower()))


PLAN_VERBS: dict[str, Callable[..., None]] = {"plan": plan, "apply": apply, "verify": verify}
