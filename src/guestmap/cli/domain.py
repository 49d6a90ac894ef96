"""``guestmap domain VERB``: domains, with virsh's verbs and options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from guestmap.cli.domain_command import VerbCommand
from guestmap.cli.domain_words import File, Name, Setting, by_any_name, read_file
from guestmap.cli.output import say, say_json, show, warn, write
from guestmap.cli.parameters import Json

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["VerbCommand", "domain", "verbs"]


def domain(
    ctx: typer.Context,
    root: Annotated[
        str | None,
        typer.Option(
            envvar="GUESTMAP_DOMAINS",
            help="The folder of the domains; else the user's own (XDG folders).",
        ),
    ] = None,
    libvirt: Annotated[
        str, typer.Option(envvar="GUESTMAP_LIBVIRT", help="Whose rules and words: 9.0 or 12.9.")
    ] = "9.0",
) -> None:
    """Manage domains as virsh does: define, start, attach and detach memory, and verify.

    Verbs and options are virsh's. There is no daemon, and no end of ours ends a machine.

    A monitor has 30 s to greet as its machine starts, 10 s when it runs, and 60 s for an answer; a
    guest has 5 s to let go of a device, and another change of the domain is waited for for 30 s.
    """
    ctx.obj = Setting(root, libvirt)


def define(
    ctx: typer.Context,
    file: File,
    validate: Annotated[
        bool, typer.Option("--validate", help="Refuse what libvirt's schema does not know.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Store a domain's definition, or another one of the same domain.

    Where libvirt's schema is installed and does not know what is written, that is told; with
    --validate it is refused.
    """
    data = read_file(file)
    name = ctx.obj.manager().define(data, validate=validate)
    _tell_of_schema(data, validate)
    show({"domain": name, "defined": True}, [f"Domain '{name}' defined from {file}"], as_json)


def _tell_of_schema(data: bytes, validate: bool) -> None:
    """Say what libvirt's schema makes of a definition that is stored already."""
    from guestmap.base import UnsupportedError
    from guestmap.domain.rules.errors import DomainError
    from guestmap.domain.xml.schema import check_schema, schema_file

    if validate:
        if not schema_file().is_file():
            warn(
                f"guestmap: {schema_file()} is not installed: nothing was held to libvirt's schema"
            )
        return
    try:
        check_schema(data)
    except DomainError as error:
        warn(f"guestmap: libvirt would refuse this where it is told to --validate: {error.text}")
    except UnsupportedError:
        pass  # nobody asked for it


def undefine(ctx: typer.Context, domain: Name, as_json: Json = False) -> None:
    """Forget a stored definition; a machine that runs goes on."""
    ctx.obj.manager().undefine(domain)
    show({"domain": domain, "defined": False}, [f"Domain '{domain}' has been undefined"], as_json)


def dumpxml(
    ctx: typer.Context,
    domain: Name,
    inactive: Annotated[
        bool, typer.Option("--inactive", help="The stored definition, also while it runs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print a domain's definition: of the machine that runs, or the stored one."""
    text = ctx.obj.manager().dumpxml(domain, inactive=inactive).decode()
    if as_json:
        say_json({"domain": domain, "inactive": inactive, "xml": text})
    else:
        write(text if text.endswith("\n") else f"{text}\n")


def list_(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that do not run, too.")] = False,
    inactive: Annotated[
        bool, typer.Option("--inactive", "--state-shutoff", help="Only those.")
    ] = False,
    running: Annotated[
        bool, typer.Option("--state-running", help="Only those whose guest runs.")
    ] = False,
    paused: Annotated[
        bool, typer.Option("--state-paused", help="Only those whose guest waits.")
    ] = False,
    names: Annotated[bool, typer.Option("--name", help="Names only.")] = False,
    uuids: Annotated[bool, typer.Option("--uuid", help="UUIDs only.")] = False,
    numbers: Annotated[bool, typer.Option("--id", help="Numbers only.")] = False,
    as_json: Json = False,
) -> None:
    """List the domains that run."""
    found = ctx.obj.manager().domains(everything=every or inactive)
    wanted = {"shut off": inactive, "running": running, "paused": paused}
    if any(wanted.values()):
        found = tuple(each for each in found if wanted.get(each.state, False))
    if as_json:
        say_json({"domains": [each.to_json() for each in found]})
    elif names or uuids or numbers:
        for each in found:
            number = "-" if each.id is None else str(each.id)
            columns = {number: numbers, each.uuid: uuids, each.name: names}
            say(" ".join(word for word, is_wanted in columns.items() if is_wanted))
    else:
        _table(found)


def _table(found: tuple[Any, ...]) -> None:
    widest = max((len(each.name) for each in found), default=4)
    say(f" Id   {'Name':<{widest}}   State")
    say("-" * (widest + 24))
    for each in found:
        number = "-" if each.id is None else str(each.id)
        trouble = f"   ({each.trouble})" if each.trouble else ""
        say(f" {number:<4} {each.name:<{widest}}   {each.state}{trouble}")


def dominfo(ctx: typer.Context, domain: Name, as_json: Json = False) -> None:
    """Print the particulars of a domain."""
    info = ctx.obj.manager().info(domain)
    rows = {
        "Id": "-" if info.id is None else info.id,
        "Name": info.name,
        "UUID": info.uuid,
        "OS Type": info.os_type,
        "State": info.state,
        "CPU(s)": info.cpus,
        "Max memory": f"{info.max_memory} KiB",
        "Used memory": f"{info.used_memory} KiB",
        "Memory devices": info.memory_devices,
        "Persistent": "yes" if info.persistent else "no",
    }
    if info.pending:
        rows["Unplugging"] = ", ".join(info.pending)
    show(info.to_json(), [f"{name + ':':<15} {value}" for name, value in rows.items()], as_json)


def verbs() -> dict[str, Callable[..., None]]:
    """Return the verbs, by name."""
    from guestmap.cli.domain_event import EVENT_VERBS
    from guestmap.cli.domain_memory import MEMORY_VERBS
    from guestmap.cli.domain_plan import PLAN_VERBS
    from guestmap.cli.domain_running import RUNNING_VERBS

    found: dict[str, Callable[..., None]] = {
        "define": define,
        "undefine": undefine,
        "dumpxml": dumpxml,
        "list": list_,
        "dominfo": dominfo,
        **RUNNING_VERBS,
        **MEMORY_VERBS,
        **EVENT_VERBS,
        **PLAN_VERBS,
    }
    return {name: by_any_name(verb) for name, verb in found.items()}
