"""Looking at machines, in a worker: map, lint and memory devices, within a time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import msgspec

from guestmap.base import ConfigError, GuestmapError, HostError, PeerError
from guestmap.base.in_time import Overdue, within
from guestmap.domain import open_peer, survey
from guestmap.domain.overview import overview
from guestmap.fleet.inventory import FleetMachine
from guestmap.fleet.map_digest import digest_of
from guestmap.fleet.record import MachineAudit, State
from guestmap.fleet.secrets import redacted
from guestmap.inspect.ask.findings import SEVERITIES, LintOptions
from guestmap.inspect.ask.lint import lint
from guestmap.inspect.sources.open import load_snapshot
from guestmap.qmp.client import parse_target

_T = TypeVar("_T")
_FIRST_PAUSE_S = 0.2


class Patience(msgspec.Struct, frozen=True):
    """How long a machine is tried.

    Attributes:
        timeout_s: seconds for all of it.
        retries: how often what failed is tried again, after a pause that doubles.
    """

    timeout_s: float = 30.0
    retries: int = 2


class LookOptions(msgspec.Struct, frozen=True):
    """What is asked of a machine: patience, and whether its map comes back too."""

    patience: Patience = Patience()
    maps: bool = False
    ignore: tuple[str, ...] = ()


def is_live(machine: FleetMachine) -> bool:
    """Tell whether a machine runs, and has a monitor to ask; a file has not."""
    try:
        return parse_target(machine.source) is not None
    except ConfigError:
        return False


def look_at_all(machines: Sequence[FleetMachine], options: LookOptions) -> list[bytes]:
    """Return a :class:`MachineAudit` of each machine, in JSON.

    Nothing that a machine does raises.
    """
    return [msgspec.json.encode(look_at(each, options)) for each in machines]


def look_at(machine: FleetMachine, options: LookOptions) -> MachineAudit:
    """Return what there is to say of a machine."""
    blank = MachineAudit(machine.name, machine.shown, machine.host, machine.labels)
    if machine.trouble:
        return replace(blank, state="unreachable", error=redacted(machine.trouble))
    seen = tried(machine, options.patience, lambda: _seen(machine, blank, options))
    if isinstance(seen, Failure):
        return replace(
            blank, state=seen.state, error=seen.error, attempts=seen.attempts, seconds=seen.seconds
        )
    found, attempts, seconds = seen
    return replace(found, attempts=attempts, seconds=seconds)


def _seen(machine: FleetMachine, blank: MachineAudit, options: LookOptions) -> MachineAudit:
    start = time.thread_time()
    if is_live(machine):
        with open_peer(machine.source) as peer:
            memory = replace(overview(survey(peer).situation), source=machine.shown)
            snapshot = peer.snapshot()
    else:
        memory, snapshot = None, load_snapshot(machine.source)
    snapshot = replace(snapshot, source=machine.shown)
    findings = lint(snapshot, LintOptions(ignore=frozenset(options.ignore)))
    return replace(
        blank,
        version=snapshot.version,
        findings=tuple(sorted(findings, key=lambda each: SEVERITIES.index(each.severity))),
        memory=memory,
        digest=digest_of(snapshot),
        map=snapshot if options.maps else None,
        cpu_s=round(time.thread_time() - start, 6),
    )


class Failure(msgspec.Struct, frozen=True):
    """Why a machine could not be asked."""

    state: State
    error: str
    attempts: int
    seconds: float


def tried(
    machine: FleetMachine, patience: Patience, work: Callable[[], _T]
) -> tuple[_T, int, float] | Failure:
    """Return what work gives, with the number of attempts and their seconds; or why it does not.

    What the host or the machine refused is tried again, with a pause that doubles each time (and
    is a little different each time, so that many do not come at once), while there is time.
    """
    start = time.monotonic()
    pause = _FIRST_PAUSE_S
    attempt = 0
    while True:
        attempt += 1
        left = patience.timeout_s - (time.monotonic() - start)
        try:
            done = _do(machine, left, work, patience)
            return done, attempt, round(time.monotonic() - start, 6)
        except _Failed as failed:
            left = patience.timeout_s - (time.monotonic() - start)
            wait = pause * random.uniform(0.8, 1.2)
            if not failed.may_pass or attempt > patience.retries or left <= wait:
                seconds = round(time.monotonic() - start, 6)
                return Failure(failed.state, redacted(str(failed)), attempt, seconds)
        time.sleep(wait)
        pause *= 2


class _Failed(Exception):  # noqa: N818
    def __init__(self, state: State, words: str, *, may_pass: bool = False) -> None:
        super().__init__(words)
        self.state = state
        self.may_pass = may_pass


def _do(machine: FleetMachine, left_s: float, work: Callable[[], _T], patience: Patience) -> _T:
    """Do the work once; a file is read here, and what may wait for somebody in a thread."""
    try:
        return within(left_s, work) if is_live(machine) else work()
    except Overdue as error:
        raise _Failed("slow", f"it did not answer within {patience.timeout_s:g} s") from error
    except HostError as error:
        raise _Failed("unreachable", str(error), may_pass=True) from error
    except PeerError as error:
        raise _Failed("nonsense", str(error), may_pass=is_live(machine)) from error
    except (GuestmapError, OSError) as error:
        raise _Failed("refused", str(error)) from error
    except Exception as error:
        raise _Failed("nonsense", f"{type(error).__name__}: {error}") from error
