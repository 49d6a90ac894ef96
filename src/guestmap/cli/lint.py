"""``guestmap lint``: what is wrong or suspicious in a map."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.base import ConfigError
from guestmap.cli.board_option import Board
from guestmap.cli.output import envelope, say, say_json
from guestmap.cli.own_source import on_board
from guestmap.cli.parameters import Json, OneSpace, Source

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
    of its kind has, such as a PC's ROM behind its shadow RAM, is no more than info.
    """
    from guestmap.inspect.ask.findings import LintOptions
    from guestmap.inspect.ask.lint import refuse_unknown

    ignored = frozenset(ignore or ())
    refuse_unknown(ignored)
    options = LintOptions(
        phys_bits=phys_bits, kvm_slots=kvm_slots, vhost_slots=vhost_slots, ignore=ignored
    )
    names = _dumps(source) if dumps else [on_board(source, machine)]
    found = {name: _findings(name, options, space) for name in names}
    if as_sarif:
        from guestmap.inspect.ask.sarif import sarif

        say_json(sarif(found))
    else:
        _show(found, dumps=dumps, as_json=as_json)
    if any(fail_on.is_reached(each.severity) for findings in found.values() for each in findings):
        raise typer.Exit(1)


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


def _show(found: dict[str, tuple[Finding, ...]], *, dumps: bool, as_json: bool) -> None:
    from guestmap.inspect.ask.sentences import lint_sentences

    if as_json:
        forms = {name: [f.to_json() for f in findings] for name, findings in found.items()}
        form = {"dumps": forms} if dumps else {"findings": next(iter(forms.values()))}
        say_json(envelope("lint", form))
        return
    for name, findings in found.items():
        if dumps:
            say(f"{name}:")
        for line in lint_sentences(findings):
            say(f"  {line}" if dumps else line)
