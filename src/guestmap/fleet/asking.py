"""One question to every map of a fleet, in the words of the command line."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from guestmap.base import ConfigError, parse_address
from guestmap.fleet.audit import jobs_of
from guestmap.fleet.inventory import FleetMachine
from guestmap.fleet.look import Failure, Patience, tried
from guestmap.fleet.record import SILENT, State
from guestmap.fleet.secrets import redacted
from guestmap.fleet.stream import Lost, Stream
from guestmap.inspect import Snapshot
from guestmap.inspect.ask.dma import dma_reach, dma_sentences
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.ask.ram_ranges import ram_ranges
from guestmap.inspect.ask.sentences import explain_sentences, ram_sentences
from guestmap.inspect.ask.why_not import why_not
from guestmap.inspect.ask.why_not_sentences import why_not_sentences
from guestmap.inspect.sources.open import load_snapshot

if TYPE_CHECKING:
    from distributed import Client

    from guestmap.fleet.inventory import FleetInventory


class FleetQuestion(msgspec.Struct, frozen=True):
    """A question.

    Attributes:
        verb: one of :data:`QUESTIONS`. what: the address, the region, the device; "" of ``ram``.
        space: the address space.
    """

    verb: str
    what: str = ""
    space: str = "memory"


class FleetAnswer(msgspec.Struct, frozen=True):
    """What a machine answers.

    Attributes:
        state, error: how it could be asked; see :class:`guestmap.fleet.record.MachineAudit`.
        answer: what the question's own command prints with ``--json``; None where there is none.
        sentences: what it prints without.
    """

    machine: str
    host: str
    state: State
    error: str = ""
    answer: dict[str, Any] | None = None
    sentences: tuple[str, ...] = ()


class _Asked(NamedTuple):
    takes_what: bool
    answer: Callable[[Snapshot, FleetQuestion], tuple[Any, Sequence[str]]]


def _explain(snapshot: Snapshot, asked: FleetQuestion) -> tuple[Any, Sequence[str]]:
    told = explain(snapshot, parse_address(asked.what), asked.space)
    return told, list(explain_sentences(told))


def _why_not(snapshot: Snapshot, asked: FleetQuestion) -> tuple[Any, Sequence[str]]:
    told = why_not(snapshot, asked.what)
    return told, list(why_not_sentences(told))


def _ram(snapshot: Snapshot, asked: FleetQuestion) -> tuple[Any, Sequence[str]]:
    told = ram_ranges(snapshot, asked.space)
    return told, list(ram_sentences(told))


def _dma(snapshot: Snapshot, asked: FleetQuestion) -> tuple[Any, Sequence[str]]:
    told = dma_reach(snapshot, asked.what)
    return told, list(dma_sentences(told))


QUESTIONS: Final[Mapping[str, _Asked]] = MappingProxyType({
    "explain": _Asked(True, _explain),
    "why-not": _Asked(True, _why_not),
    "ram": _Asked(False, _ram),
    "dma": _Asked(True, _dma),
})  # fmt: skip
"""What a fleet can be asked, by the name of its command."""


def parse_question(text: str) -> FleetQuestion:
    """Return the question that a text asks: ``explain 0xc9000 --as memory``.

    Raises:
        ConfigError: it asks for nothing that is known.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"the question {text!r} cannot be read: {error}") from error
    space = "memory"
    if "--as" in words[:-1]:
        at = words.index("--as")
        space = words[at + 1]
        del words[at : at + 2]
    verb, *rest = words or [""]
    asked = QUESTIONS.get(verb)
    if asked is None or len(rest) != asked.takes_what:
        known = "explain ADDRESS, why-not REGION, ram, dma DEVICE; with --as SPACE"
        raise ConfigError(f"{text!r} is no question to a fleet: write {known}")
    question = FleetQuestion(verb, rest[0] if rest else "", space)
    if verb == "explain":
        parse_address(question.what)
    return question


def answer_all(
    machines: Sequence[FleetMachine], question: FleetQuestion, patience: Patience
) -> list[bytes]:
    """Return a :class:`FleetAnswer` of each machine, in JSON; nothing that one does raises."""
    return [msgspec.json.encode(_answer(each, question, patience)) for each in machines]


def _answer(machine: FleetMachine, question: FleetQuestion, patience: Patience) -> FleetAnswer:
    if machine.trouble:
        return FleetAnswer(machine.name, machine.host, "unreachable", redacted(machine.trouble))

    def ask() -> FleetAnswer:
        snapshot = load_snapshot(machine.source)
        told, sentences = QUESTIONS[question.verb].answer(snapshot, question)
        form = {"format": f"guestmap.{question.verb}", "format_version": 1, **told.to_json()}
        form["notes"] = [*snapshot.notes, *form.get("notes", ())]
        return FleetAnswer(machine.name, machine.host, "ok", "", form, tuple(sentences))

    told = tried(machine, patience, ask)
    if isinstance(told, Failure):
        return FleetAnswer(machine.name, machine.host, told.state, told.error)
    return told[0]


def ask_fleet(
    client: Client,
    inventory: FleetInventory,
    question: FleetQuestion,
    patience: Patience,
    *,
    per_host: int = 4,
    everywhere: bool = True,
) -> Iterator[FleetAnswer]:
    """Yield what each machine answers, in the order in which it comes."""
    stream = Stream(
        client, answer_all, question, patience, per_host=per_host, everywhere=everywhere
    )
    for job, told in stream.run(jobs_of(inventory.machines, patience.timeout_s)):
        if isinstance(told, Lost):
            yield from (FleetAnswer(m.name, m.host, "lost", told.reason) for m in job.machines)
        else:
            for one in (msgspec.json.decode(each, type=FleetAnswer) for each in told):
                stream.saw(one.host, answers=one.state not in SILENT)
                yield one
