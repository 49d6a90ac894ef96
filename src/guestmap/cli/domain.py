"""``guestmap domain VERB``: domains, with virsh's verbs and options."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from guestmap.cli.output import Json, say, say_json, show, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.domain.manager import Manager

_ANYWHERE = {"--root", "--libvirt"}
_MOST = 4 << 20


class DomainGroup(TyperGroup):
    """Takes the options of all verbs behind a verb, too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move them to the front."""
        front: list[str] = []
        rest: list[str] = []
        words = iter(args)
        for word in words:
            if word in _ANYWHERE:
                front += [word, next(words, "")]
            elif word.split("=", 1)[0] in _ANYWHERE:
                front.append(word)
            else:
                rest.append(word)
        return list(super().parse_args(ctx, front + rest))


@dataclass(frozen=True)
class Setting:
    """Which domains: the options of all verbs."""

    root: str | None
    libvirt: str

    def manager(self) -> Manager:
        """Return the manager of them."""
        from guestmap.base import ConfigError
        from guestmap.domain.manager import Manager
        from guestmap.domain.rules.texts import Dialect
        from guestmap.domain.store.store import open_store

        try:
            dialect = Dialect(self.libvirt)
        except ValueError:
            known = ", ".join(Dialect)
            raise ConfigError(f"--libvirt {self.libvirt!r} is not one of {known}") from None
        return Manager(open_store(self.root, dialect))


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
    """
    ctx.obj = Setting(root, libvirt)


def names_of(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of domains that begin so, for a shell's completion."""
    from guestmap.domain.store.store import open_store

    root = next((each.params.get("root") for each in _chain(ctx) if "root" in each.params), None)
    return [name for name in open_store(root).names() if name.startswith(incomplete)]


def _chain(ctx: Any) -> list[Any]:
    found = []
    while ctx is not None:
        found.append(ctx)
        ctx = ctx.parent
    return found


Name = Annotated[
    str, typer.Argument(metavar="DOMAIN", help="The domain's name.", autocompletion=names_of)
]
File = Annotated[str, typer.Argument(metavar="FILE", help="A file of XML; - is standard input.")]


def read_file(path: str) -> bytes:
    """Return a file of XML.

    Raises:
        HostError: it cannot be read.
        ConfigError: it is longer than a document may be.
    """
    from guestmap.base import ConfigError, HostError

    try:
        if path == "-":
            data = sys.stdin.buffer.read(_MOST + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(_MOST + 1)
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        raise HostError(f"Failed to open file '{path}'", errno=number, call="open") from error
    if len(data) > _MOST:
        raise ConfigError(f"{path} is longer than {_MOST >> 20} MiB: no domain needs so much")
    return data


def define(
    ctx: typer.Context,
    file: File,
    validate: Annotated[
        bool, typer.Option("--validate", help="Hold it to libvirt's schema, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Store a domain's definition, or another one of the same domain."""
    name = ctx.obj.manager().define(read_file(file), validate=validate)
    show({"domain": name, "defined": True}, [f"Domain '{name}' defined from {file}"], as_json)


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
    inactive: Annotated[bool, typer.Option("--inactive", help="Only those.")] = False,
    names: Annotated[bool, typer.Option("--name", help="Names only.")] = False,
    uuids: Annotated[bool, typer.Option("--uuid", help="UUIDs only.")] = False,
    as_json: Json = False,
) -> None:
    """List the domains that run."""
    found = ctx.obj.manager().domains(everything=every or inactive)
    if inactive:
        found = tuple(each for each in found if each.id is None)
    if as_json:
        say_json({"domains": [each.to_json() for each in found]})
    elif names or uuids:
        for each in found:
            say(each.name if names else each.uuid)
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
    return {
        "define": define,
        "undefine": undefine,
        "dumpxml": dumpxml,
        "list": list_,
        "dominfo": dominfo,
    }
