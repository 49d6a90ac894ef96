"""What the verbs of ``guestmap domain`` have in common: their options, and which domains."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guestmap.cli.output import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.domain.change.targets import Targets
    from guestmap.domain.manager import Manager

_MOST = 4 << 20
SILENT = 4
"""Exit status: the guest was asked, and has said nothing yet, as of ``unplug``."""


@dataclass(frozen=True)
class Setting:
    """Which domains: the options of all verbs."""

    root: str | None
    libvirt: str

    def manager(self) -> Manager:
        """Return the manager of them."""
        from guestmap.base import ConfigError
        from guestmap.domain.manager import Manager
        from guestmap.domain.rules.texts import LibvirtDialect
        from guestmap.domain.store.opening import open_store

        try:
            dialect = LibvirtDialect(self.libvirt)
        except ValueError:
            known = ", ".join(LibvirtDialect)
            raise ConfigError(f"--libvirt {self.libvirt!r} is not one of {known}") from None
        return Manager(replace(open_store(self.root, dialect), on_wait=_tell_of_wait))


def _tell_of_wait(domain: str, holder: object, seconds: float) -> None:
    """Say on a terminal that somebody else's change is waited for."""
    if sys.stderr.isatty():
        who = f"guestmap: {domain}: {holder} is at work; its end is waited for"
        warn(f"{who}, {seconds:g} s at most")


def names_of(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of domains that begin so, for a shell's completion."""
    from guestmap.domain.store.opening import open_store

    root = next((each.params.get("root") for each in _chain(ctx) if "root" in each.params), None)
    return [name for name in open_store(root).names() if name.startswith(incomplete)]


def _chain(ctx: Any) -> list[Any]:
    found = []
    while ctx is not None:
        found.append(ctx)
        ctx = ctx.parent
    return found


def by_any_name(verb: Callable[..., None]) -> Callable[..., None]:
    """Return a verb that takes a domain's id or UUID for its name."""

    @wraps(verb)
    def named(*, ctx: typer.Context, **words: Any) -> None:
        if "domain" in words:
            words["domain"] = ctx.obj.manager().name_of(words["domain"])
        verb(ctx=ctx, **words)

    return named


Name = Annotated[
    str,
    typer.Argument(
        metavar="DOMAIN", help="The domain's name, id or UUID.", autocompletion=names_of
    ),
]
File = Annotated[str, typer.Argument(metavar="FILE", help="A file of XML; - is standard input.")]
Live = Annotated[bool, typer.Option("--live", help="The machine that runs.")]
Config = Annotated[bool, typer.Option("--config", help="The definition: from the next start on.")]
Persistent = Annotated[
    bool, typer.Option("--persistent", help="The definition, and the machine if it runs.")
]
Current = Annotated[
    bool, typer.Option("--current", help="The machine if it runs, or else the definition.")
]


def targets(
    live: bool,
    config: bool,
    current: bool,
    persistent: bool = False,
    *,
    default_live: bool = False,
) -> Targets:
    """Return what is meant; where nothing is said, as virsh has it."""
    from guestmap.domain.change.targets import Targets

    if default_live and not (live or config or current or persistent):
        live = True
    return Targets(live=live, config=config, current=current, persistent=persistent)


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
