"""``guestmap lint``: what is wrong or suspicious in a map."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.board_option import Board, on_board
from guestmap.cli.output import Json, Source, show


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
    machine: Board = "",
    as_json: Json = False,
) -> None:
    """Say what is wrong or suspicious in a map, where, and what to do about it.

    Exit status 1 where there is a warning or an error.
    """
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.findings import LintOptions
    from guestmap.inspect.lint import lint as run
    from guestmap.inspect.sentences import lint_sentences

    options = LintOptions(phys_bits=phys_bits, kvm_slots=kvm_slots, vhost_slots=vhost_slots)
    findings = run(load_snapshot(on_board(source, machine)), options)
    show([each.to_json() for each in findings], lint_sentences(findings), as_json)
    if any(each.severity != "info" for each in findings):
        raise typer.Exit(1)
