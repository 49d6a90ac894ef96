"""What ``plug`` and ``unplug`` say: plans and results in sentences, and the wait on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from guestmap.base import format_size
from guestmap.cli.console import console
from guestmap.cli.output import say, say_json
from guestmap.cli.plug_exits import STATUSES
from guestmap.domain import MEANINGS, Observer, Outcome, Result
from guestmap.domain.finding import span
from guestmap.domain.waiting import Answered, Deleted, EjectFailed
from guestmap.inspect.ask.diff_sentences import diff_sentences
from guestmap.qmp.client import program

if TYPE_CHECKING:
    from types import TracebackType

    from guestmap.domain import MemoryDevice, Plan, PlanFinding, Situation
    from guestmap.domain.following import Following
    from guestmap.domain.steps import Step
    from guestmap.domain.waiting import Heard, Waiting
    from guestmap.inspect.ask.diff import Diff


_TIMED = {Outcome.ONLINE, Outcome.RESIZED, Outcome.ACKNOWLEDGED, Outcome.REMOVED}


def finish(result: Result, *, as_json: bool) -> None:
    """Print a result and end with its exit status."""
    status = STATUSES[result.outcome]
    if as_json:
        form = {"format": "guestmap.plug", "format_version": 1, "exit_status": status}
        say_json({**form, **result.to_json()})
    elif result.outcome not in {Outcome.PLANNED, Outcome.BLOCKED, Outcome.STOPPED}:
        _print(result_sentences(result))
    else:
        _print([f"{MEANINGS[result.outcome].capitalize()}."])
    if status:
        raise typer.Exit(status)


def show_plan(plan: Plan) -> None:
    """Print a plan: the machine, what stands in the way, the commands, the map's change."""
    _print(plan_sentences(plan))


def plan_sentences(plan: Plan) -> list[str]:
    """Say what a plan found, and what it will do."""
    lines = [machine_sentence(plan.situation)]
    lines += _findings("blocker", plan.blockers)
    lines += _findings("caution", plan.cautions)
    if plan.device is not None and plan.map_change is not None:
        to = "" if plan.requested is None else f", requested {format_size(plan.requested)}"
        lines.append(f"Plan: {plan.verb} {device_words(plan.device)}{to}")
        lines += [f"  {step}" for step in plan.steps]
        if not plan.map_change.is_empty:
            lines.append("The map will change:")
            lines += _change(plan.map_change)
    return lines


def machine_sentence(situation: Situation) -> str:
    """Say which machine it is, and what room it has."""
    busy = situation.slots - len(situation.free_slots)
    return (
        f"{situation.source} ({program(situation.version)},"
        f" {situation.machine or 'unknown machine'}, {situation.status}):"
        f" {format_size(situation.ram)} RAM,"
        f" {busy} of {situation.slots} slots used,"
        f" {format_size(situation.bytes_left)} may still be plugged"
    )


def device_words(device: MemoryDevice) -> str:
    """Name a device, its size and its place."""
    if device.present is not None:
        place = f"{format_size(device.size)} of virtio-mem at {span(device.addr, device.size)}"
        return f"{device.title}, {place}, of which the guest has {format_size(device.present)}"
    slot = "" if device.slot is None else f" in slot {device.slot}"
    node = "" if device.node is None else f", node {device.node}"
    backend = "" if device.backend is None else f", backend {device.backend}"
    place = span(device.addr, device.size)
    return f"{device.title}, {format_size(device.size)}{slot} at {place}{node}{backend}"


def result_sentences(result: Result) -> list[str]:
    """Say what became of a plan."""
    device = result.device or result.plan.device
    name = device.title if device else "it"
    lines = [f"{name}: {_outcome(result)}."]
    lines += [f"  the guest said: {answer}" for answer in result.answers]
    if result.waiting is not None:
        for each in result.waiting.heard:
            if isinstance(each, EjectFailed):
                lines.append(f"  the ejection failed: {each.reason}")
        if result.waiting.resets:
            lines.append("  the guest was reset meanwhile")
    if result.error:
        lines.append(f"  {result.error}")
    lines += [f"  {each}" for each in result.notes]
    lines += [f"  not as it should be: {each}" for each in result.wrong]
    lines += _now(result)
    return lines


def _outcome(result: Result) -> str:
    verb, outcome, device = result.plan.verb, result.outcome, result.plan.device
    if result.plan.requested is not None and outcome in {Outcome.SILENT, Outcome.SHORT}:
        state = "the guest did nothing" if outcome is Outcome.SILENT else "the guest stopped short"
        return f"{state} within {result.waited_s:.1f} s"
    if outcome is Outcome.SILENT:
        state = "plugged" if verb == "plug" else "still plugged, the request stands"
        waited = f"{result.waited_s:.1f} s"
        if result.interrupted:
            return f"{state}; the wait for the guest was broken off after {waited}"
        if result.waiting is not None and result.waiting.is_pending:
            return f"{state}; the guest began, and was not done after {waited}"
        return f"{state}; the guest said nothing within {waited}"
    if outcome is Outcome.GUEST_REFUSED:
        state = "plugged all the same, and of no use" if verb == "plug" else "still plugged"
        return f"the guest refused after {result.waited_s:.2f} s; {state}"
    if outcome is Outcome.OFFLINE and result.use is not None and device is not None:
        online = f"{format_size(result.use.online)} of {format_size(device.size)}"
        return (
            f"plugged; of it the guest has {online} online after {result.waited_s:.1f} s, as its"
            f" {result.use.told_by} says"
        )
    if outcome in _TIMED:
        return f"{MEANINGS[outcome]} ({result.waited_s:.2f} s)"
    return MEANINGS[outcome]


def _now(result: Result) -> list[str]:
    """Say what is so now, and how the map changed."""
    lines: list[str] = []
    if result.device is not None:
        lines.append(f"Now: {device_words(result.device)}")
    if result.map_change is None:
        return lines
    if result.map_change.is_empty:
        return [*lines, "The map is as it was."]
    is_done = result.plan.verb == "plug" or result.outcome is Outcome.REMOVED
    if is_done and not result.wrong and result.outcome is not Outcome.ROLLED_BACK:
        return [*lines, "The map changed as planned."]
    return [*lines, "The map changed:", *_change(result.map_change)]


def _change(change: Diff) -> list[str]:
    return [f"  {line}" for line in diff_sentences(change) if not line.startswith("Probably: ")]


def _findings(kind: str, findings: tuple[PlanFinding, ...]) -> list[str]:
    lines = []
    for each in findings:
        lines += [f"{kind}: {each.code}: {each.text}", f"  remedy: {each.remedy}"]
    return lines


def _print(lines: list[str]) -> None:
    for line in lines:
        say(line)


class Show(Observer):
    """Shows on stderr what is done and heard, with a bar up to the deadline; nothing into a pipe.

    Args:
        quiet: show nothing at all.
        timeout_s: seconds that the bar is long.
    """

    def __init__(self, *, quiet: bool, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.1f} of {task.total:g} s"),
            console=console(stderr=True),
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task: Any = None
        self._start = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def step(self, step: Step) -> None:
        """Show a command."""
        self._say(f"{step}")

    def heard(self, said: Heard) -> None:
        """Show what was heard."""
        if isinstance(said, Answered):
            self._say(f"slot {said.slot}: {said.answer}")
        elif isinstance(said, Deleted):
            self._say(f"{said.device} is gone")
        elif isinstance(said, EjectFailed):
            self._say(f"{said.device}: the ejection failed: {said.reason}")
        else:
            self._say(f"the machine told {said.what}")

    def waiting(self, state: Waiting, now: float) -> None:
        """Move the bar."""
        self._move("the guest is at it" if state.is_pending else "waiting for the guest", now)

    def _move(self, doing: str, now: float) -> None:
        if self._task is None:
            self._task = self._progress.add_task("", total=self._timeout_s)
            self._start = now
        self._progress.update(self._task, description=doing, completed=now - self._start)

    def resized(self, device: str, has: int, wanted: int) -> None:
        """Show what a guest has of a virtio-mem device."""
        self._say(f"{device}: the guest has {format_size(has)} of {format_size(wanted)}")

    def following(self, state: Following, now: float) -> None:
        """Move the bar."""
        self._move(f"{format_size(state.has or 0)} of {format_size(state.wanted)}", now)

    def _say(self, text: str) -> None:
        if not self._progress.disable:
            self._progress.console.print(text, style="dim", soft_wrap=True)
