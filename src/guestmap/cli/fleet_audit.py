"""``guestmap fleet audit``: map, lint and memory devices of every machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from guestmap.base import format_size
from guestmap.cli.fleet_setting import FleetSetting, InventoryWords
from guestmap.cli.lint import FailOn, Ignored, LeastSevere, refuse_two_forms
from guestmap.cli.output import counted, say, say_json
from guestmap.cli.parameters import Json

if TYPE_CHECKING:
    from guestmap.fleet.record import MachineAudit
    from guestmap.fleet.tally import AuditSummary, Tally


def audit(
    ctx: typer.Context,
    inventory: InventoryWords,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A folder for the audit and its maps, for diff and --baseline."
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(help="An earlier audit: only what is new since is told."),
    ] = None,
    ignore: Ignored = None,
    fail_on: LeastSevere = FailOn.WARNING,
    parquet: Annotated[
        Path | None, typer.Option(help="A file for notebooks: a row for each machine.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            help="A web page with a cell for each machine; the maps' pages are in a folder beside."
        ),
    ] = None,
    as_sarif: Annotated[
        bool, typer.Option("--sarif", help="Print SARIF 2.1.0, as code hosts and CI read it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at every machine: its map, what is wrong in it, its memory devices.

    With --json a line for each machine as it comes, and one for all at the end. Exit status 1 where
    a machine could not be looked at, or has a finding of the severity that --fail-on says.
    """
    from guestmap.cli.fleet_progress import progress
    from guestmap.fleet.audit import audit as run
    from guestmap.fleet.audit_files import known_findings, news_of, record_form, summary_form
    from guestmap.fleet.look import LookOptions
    from guestmap.fleet.tally import Tally
    from guestmap.inspect.ask.lint import refuse_unknown

    setting: FleetSetting = ctx.obj
    refuse_unknown(frozenset(ignore or ()))
    refuse_two_forms(as_json=as_json, as_sarif=as_sarif)
    machines = setting.inventory(inventory)
    known = known_findings(baseline) if baseline is not None else {}
    with_maps = output is not None or page is not None
    options = LookOptions(setting.patience, maps=with_maps, ignore=tuple(ignore or ()))
    tally = Tally()
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        takers = _takers(stack, tally, output, parquet, page)
        client = stack.enter_context(setting.client(len(machines)))
        shown = stack.enter_context(progress(len(machines), quiet=as_json))
        for record in run(
            client, machines, options, per_host=setting.per_host, everywhere=setting.everywhere
        ):
            for taker in takers:
                taker.add(record)
            new, count, is_failure = news_of(record, known)
            tally.add(new, count, is_news=is_failure)
            shown.add(failed=not record.is_ok)
            if as_json:
                say_json(record_form(new), indent=None, flush=True)
            elif as_sarif:
                found[record.machine] = new.findings
    if as_sarif:
        from guestmap.inspect.ask.sarif import sarif

        say_json(sarif(found))
    elif as_json:
        say_json(summary_form(tally.summary()), indent=None)
    else:
        for line in audit_sentences(tally.summary()):
            say(line)
    if _fails(tally, fail_on):
        raise typer.Exit(1)


class _Taker(Protocol):
    def add(self, record: MachineAudit) -> None: ...


def _takers(
    stack: ExitStack, tally: Tally, output: Path | None, parquet: Path | None, page: Path | None
) -> list[_Taker]:
    """Return what takes the records, besides who prints them; each ends with the stack."""
    takers: list[_Taker] = []
    if output is not None:
        from guestmap.fleet.audit_files import audit_folder

        folder = stack.enter_context(audit_folder(output))
        takers.append(folder)
        stack.push(lambda kind, *_: None if kind else folder.end(tally.summary()))
    if parquet is not None:
        from guestmap.fleet.parquet import parquet_file

        takers.append(stack.enter_context(parquet_file(parquet)))
    if page is not None:
        from guestmap.cli.fleet_page import audit_page

        takers.append(stack.enter_context(audit_page(page)))
    return takers


def _fails(tally: Tally, fail_on: FailOn) -> bool:
    if fail_on is FailOn.NEVER:
        return False
    return bool(tally.new_failures) or any(map(fail_on.is_reached, tally.severities()))


def audit_sentences(told: AuditSummary) -> Iterator[str]:
    """Say what an audit comes to: the whole, then by kind, by host, and the worst machines."""
    failed = sum(told.failed.values())
    maps = "1 map" if told.maps == 1 else f"{told.maps} different maps"
    yield (
        f"{counted(told.machines, 'machine')}, {told.machines - failed} looked at, {maps};"
        f" {format_size(told.plugged)} plugged, {format_size(told.left)} may still be"
    )
    for state, count in told.failed.items():
        yield f"  {count} {state}"
    if told.orphans:
        orphans = counted(told.orphans, "memory backend")
        yield f"  {orphans} that no device uses (guestmap dimms MACHINE)"
    if told.known:
        yield f"  {counted(told.known, 'finding')} in the baseline already"
    if told.kinds:
        yield "by kind:"
    for kind in told.kinds:
        machines = counted(kind.machines, "machine")
        yield f"  {kind.severity}: {kind.code}: {kind.findings} on {machines}"
    hosts = [each for each in told.hosts if each.failed or each.errors or each.warnings]
    if len(told.hosts) > 1 and hosts:
        yield "by host:"
        for host in hosts:
            yield (
                f"  {host.host or '(not known)'}: {counted(host.machines, 'machine')},"
                f" {host.failed} failed,"
                f" {counted(host.errors, 'error')}, {counted(host.warnings, 'warning')}"
            )
    if told.worst:
        yield "worst first:"
    for each in told.worst:
        place = f" on {each.host}" if each.host else ""
        if each.state != "ok":
            yield f"  {each.machine}{place}: {each.state}: {each.error}"
        else:
            yield (
                f"  {each.machine}{place}: {each.errors} errors, {each.warnings} warnings,"
                f" {each.infos} infos"
            )
