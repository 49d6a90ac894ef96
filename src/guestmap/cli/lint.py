"""``guestmap lint``: what is wrong or suspicious in a map."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guestmap.base import ConfigError, GuestmapError
from guestmap.cli.board_option import Board
from guestmap.cli.completing import codes
from guestmap.cli.output import envelope, say, say_json, warn
from guestmap.cli.own_source import on_board
from guestmap.cli.parameters import Json, OneSpace, Source
from guestmap.cli.streams import FAILURE

if TYPE_CHECKING:
    from guestmap.inspect.ask.findings import Finding, LintOptions, Severity


class FailOn(StrEnum):
    """The least severe finding that makes the exit status 1."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"

    def is_reached(self, severity: Severity) -> bool:
        """Tell whether a finding of this severity makes the exit status 1."""
        order = [FailOn.ERROR, FailOn.WARNING, FailOn.INFO]
        return self in order[order.index(FailOn(severity)) :]


Ignored = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        metavar="CODE",
        autocompletion=codes,
        help="Leave out findings of this code; may be given often.",
    ),
]
LeastSevere = Annotated[
    FailOn,
    typer.Option("--fail-on", help="The least severe finding that makes the exit status 1."),
]


def lint(
    source: Source,
    phys_bits: Annotated[
        int | None,
        typer.Option(min=20, max=64, help="Width of the guest CPU's physical addresses."),
    ] = None,
    kvm_slots: Annotated[int, typer.Option(help="Memory slots that KVM has.")] = 32764,
    vhost_slots: Annotated[
        int, typer.Option(help="Memory regions that the vhost backends take (8 in older ones).")
    ] = 509,
    ignore: Ignored = None,
    fail_on: LeastSevere = FailOn.WARNING,
    space: OneSpace = None,
    dumps: Annotated[
        bool,
        typer.Option(
            "--dumps", help="SOURCE is a folder: each file or folder in it is a map of its own."
        ),
    ] = False,
    machine: Board = "",
    as_sarif: Annotated[
        bool, typer.Option("--sarif", help="Print SARIF 2.1.0, as code hosts and CI read it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what is wrong or suspicious in a map, where, and what to do about it.

    Exit status 1 where there is a warning or an error, or what --fail-on says. What every machine
    of its kind has, such as a PC's ROM behind its shadow RAM, is no more than info. With --dumps,
    a map that cannot be read is told among the others, and makes the exit status 2.
    """
    from guestmap.inspect.ask.findings import LintOptions
    from guestmap.inspect.ask.lint import refuse_unknown

    refuse_two_forms(as_json=as_json, as_sarif=as_sarif)
    ignored = frozenset(ignore or ())
    refuse_unknown(ignored)
    options = LintOptions(
        phys_bits=phys_bits, kvm_slots=kvm_slots, vhost_slots=vhost_slots, ignore=ignored
    )
    names = _dumps(source) if dumps else [on_board(source, machine)]
    found, unread = _each(names, options, space, goes_on=dumps)
    if as_sarif:
        from guestmap.inspect.ask.sarif import sarif

        say_json(sarif(found, unread))
    else:
        _show(names, found, unread, dumps=dumps, as_json=as_json)
    if unread:
        warn(f"guestmap: {len(unread)} of {len(names)} maps cannot be read: {', '.join(unread)}")
        raise typer.Exit(FAILURE)
    if any(fail_on.is_reached(each.severity) for findings in found.values() for each in findings):
        raise typer.Exit(1)


def refuse_two_forms(*, as_json: bool, as_sarif: bool) -> None:
    """Refuse to print the same in two forms.

    Raises:
        ConfigError: both forms are asked for.
    """
    if as_json and as_sarif:
        raise ConfigError("--json and --sarif both say what is printed: choose one")


def _each(
    names: list[str], options: LintOptions, space: str | None, *, goes_on: bool
) -> tuple[dict[str, tuple[Finding, ...]], dict[str, str]]:
    """Return the findings of each map, and why a map has none, by name.

    Raises:
        GuestmapError: a map cannot be read, and ``goes_on`` does not say to go on to the next.
    """
    found, unread = {}, {}
    for name in names:
        try:
            if goes_on and not (Path(name).is_file() or Path(name).is_dir()):
                raise ConfigError("neither a file nor a folder")
            found[name] = _findings(name, options, space)
        except GuestmapError as error:
            if not goes_on:
                raise
            unread[name] = str(error)
    return found, unread


def _findings(source: str, options: LintOptions, space: str | None) -> tuple[Finding, ...]:
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.ask.lint import lint as run

    snapshot = load_snapshot(source)
    if space is None:
        return run(snapshot, options)
    from guestmap.inspect.ask.one_space import reached, with_one_space

    snapshot = with_one_space(snapshot, space)
    regions = reached(snapshot)
    found = run(snapshot, options)
    return tuple(each for each in found if each.space or each.regions[-1].id in regions)


def _dumps(folder: str) -> list[str]:
    """Return the names of the maps in a folder, hidden files left out.

    Raises:
        ConfigError: it is no folder, or is empty.
    """
    path = Path(folder)
    inside = sorted(path.iterdir()) if path.is_dir() else []
    names = [str(each) for each in inside if not each.name.startswith(".")]
    if not names:
        raise ConfigError(f"--dumps needs a folder with maps in it, and {folder!r} is none")
    return names


def _show(
    names: list[str],
    found: dict[str, tuple[Finding, ...]],
    unread: dict[str, str],
    *,
    dumps: bool,
    as_json: bool,
) -> None:
    from guestmap.inspect.ask.sentences import lint_sentences

    if as_json:
        forms = {name: [f.to_json() for f in findings] for name, findings in found.items()}
        form: dict[str, Any] = {"findings": next(iter(forms.values()), [])}
        say_json(envelope("lint", {"dumps": forms, "unread": unread} if dumps else form))
        return
    for name in names:
        if dumps:
            say(f"{name}:")
        told = (
            [f"cannot be read: {unread[name]}"] if name in unread else lint_sentences(found[name])
        )
        for line in told:
            say(f"  {line}" if dumps else line)
