"""Names are data in what has verbs of its own too, in what lasts, and in a page that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.events import Tap
from bokeh.models import CustomJS, Div, Plot

from guestmap.base import printable
from guestmap.cli.app import COMMANDS
from guestmap.cli.domain import verbs as domain_verbs
from guestmap.cli.domain_event import _print
from guestmap.cli.fleet import verbs as fleet_verbs
from guestmap.domain.events.log import KINDS, DomainEvent
from guestmap.view.film import FLOW, Film, FilmSpan, Frame
from guestmap.view.film_page import FilmPage
from guestmap.view.guest_screen import ScreenFrame
from tests.cli import test_names
from tests.cli.test_names import (
    ALL,
    ELSEWHERE,
    HOSTILE,
    MORE,
    READING,
    assert_harmless,
    assert_harmless_on_a_terminal,
    hostile_map,
    on_a_terminal,
)
from tests.domain.documents import domain, memory
from tests.support.program import run_program

source = test_names.source
DOMAIN = "vm\u202e\u2066x"
"""What can be a name in XML, which has no control characters."""
NOBODY = "no\x1b[2J\u202e"
SOURCE = "SOURCE"

FLEET: dict[str, list[tuple[str, ...]]] = {
    "audit": [(SOURCE,), (SOURCE, "--json"), (SOURCE, "--sarif"), (SOURCE, "--page", "page.html")],
    "diff": [("OLD", "NEW"), (NOBODY, NOBODY)],
    "ask": [("explain 0x10", SOURCE), (f"why-not {ALL}", SOURCE), (NOBODY, SOURCE)],
    "plan": [("128M", SOURCE), (NOBODY, SOURCE)],
    "apply": [(NOBODY,)],
    "undo": [(NOBODY,)],
}
DOMAINS: dict[str, list[tuple[str, ...]]] = {
    "define": [("vm.xml",), (NOBODY,)],
    "undefine": [(DOMAIN,)],
    "dumpxml": [(DOMAIN,)],
    "list": [("--all",), ("--all", "--json")],
    "dominfo": [(DOMAIN,)],
    "start": [],
    "destroy": [(DOMAIN,)],
    "shutdown": [(DOMAIN,)],
    "reset": [(DOMAIN,)],
    "edit": [],
    "attach-device": [(DOMAIN, "memory.xml"), (DOMAIN, NOBODY)],
    "detach-device": [(DOMAIN, "memory.xml")],
    "detach-device-alias": [(DOMAIN, NOBODY)],
    "update-memory-device": [(DOMAIN, "--alias", NOBODY, "--requested-size", "1")],
    "update-device": [(DOMAIN, "memory.xml")],
    "setmem": [(DOMAIN, "1024"), (DOMAIN, NOBODY)],
    "event": [("--domain", NOBODY), ("--event", NOBODY), ("--domain", DOMAIN, "--timeout", "0")],
    "plan": [(DOMAIN, "memory.xml")],
    "apply": [(NOBODY,)],
    "verify": [(DOMAIN,)],
}
ALONE: dict[str, list[tuple[str, ...]]] = {
    "boot": [(option, NOBODY) for option in ("--bios", "--option-rom", "--kernel", "--disk",
                                             "--device", "--trace", "--restore", "--until")],
    "read": [(SOURCE, "0x10", "4"), (NOBODY, "0x10", "4"), (SOURCE, NOBODY, "4")],
    "resize": [(SOURCE, NOBODY, "1G")],
    "pci": [(SOURCE,), (NOBODY,)],
    "completion": [(NOBODY,)],
    "doctor": [(NOBODY,)],
    "serve": [(NOBODY,), (SOURCE, "--host", NOBODY)],
}  # fmt: skip


def test_no_verb_is_forgotten_here():
    assert set(FLEET) == set(fleet_verbs())
    assert set(DOMAINS) == set(domain_verbs())
    shown = {*READING, *ALONE, "domain", "fleet", *(words[0] for words in MORE)}
    assert shown >= {*COMMANDS, *ELSEWHERE}


@pytest.fixture
def named(source: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Files and domains with hostile names; the name of a map's file."""
    monkeypatch.setenv("GUESTMAP_DOMAINS", str(Path("domains").absolute()))
    data = domain().replace(b"<name>vm</name>", f"<name>{DOMAIN}</name>".encode())
    assert DOMAIN.encode() in data
    Path("vm.xml").write_bytes(data)
    Path("memory.xml").write_bytes(memory())
    return source


def _runs(table: dict[str, list[tuple[str, ...]]]) -> list[Any]:
    return [
        pytest.param(verb, words, id=printable(" ".join((verb, *words)))[:40])
        for verb, runs in table.items()
        for words in runs
    ]


def _harmless(*words: str) -> None:
    done = run_program(*words)
    assert_harmless(done.out + done.err)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("verb", "words"), _runs(DOMAINS))
def test_a_verb_of_domains_shows_names(verb, words, named):
    if verb != "define":
        assert run_program("domain", "define", "vm.xml").status == 0
    _harmless("domain", verb, *words)


@pytest.mark.parametrize(("command", "words"), _runs(ALONE))
def test_what_reads_no_map_shows_names(command, words, named):
    _harmless(command, *(named if word == SOURCE else word for word in words))


@pytest.mark.parametrize(("verb", "words"), _runs(FLEET))
def test_a_verb_of_a_fleet_shows_names(verb, words, named):
    if verb == "diff":
        run_program("fleet", "audit", "EMPTY", "-o", "OLD")
        run_program("fleet", "audit", named, "-o", "NEW")
    _harmless("fleet", verb, *(named if word == SOURCE else word for word in words))


def test_a_fleet_is_told_on_a_terminal_and_its_page_has_the_names_as_data(named, monkeypatch):
    shown = on_a_terminal(monkeypatch, "fleet", "audit", named, "--page", "page.html")
    assert_harmless_on_a_terminal(shown)
    pages = [Path("page.html"), *Path("page-maps").iterdir()]
    assert len(pages) == 2
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for hostile in HOSTILE.values():
            if printable(hostile) != hostile or "<" in hostile:
                assert hostile not in text


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_one_line(kind, capsysbinary):
    event = DomainEvent(kind, ALL, detail=ALL, facts={ALL: ALL, "more": [ALL]})
    _print(event, False, stamped=True)
    _print(event, True, stamped=False)
    out = capsysbinary.readouterr().out
    assert_harmless(out)
    assert out.count(b"\n") == 2


class Screen:
    """A screen of one dot, whose memory has a hostile name."""

    takes_keys, hint = True, ""
    frame = ScreenFrame(1, 1, 1, bytes(3), lambda _x, _y: ALL)

    def look(self):
        return lambda: None

    def key(self, code: str, *, pressed: bool) -> None:
        raise AssertionError(code, pressed)


def _texts(form: Any) -> list[str]:
    if isinstance(form, dict):
        return [text for pair in form.items() for each in pair for text in _texts(each)]
    if isinstance(form, list | tuple):
        return [text for each in form for text in _texts(each)]
    return [form] if isinstance(form, str) else []


def test_a_page_that_goes_on_has_all_names_as_text():
    film = Film(ALL)
    film.add(Frame(0.0, ALL, hostile_map()))
    film.note(0.1, ALL)
    film.note(0.1, f"{FLOW} {ALL}")
    for kind in ("use", "life", "mark"):
        film.add_span(FilmSpan(f"{kind} {ALL}", 0.1, ALL, kind))
    film.ended = ALL
    film.screen = Screen()
    document = Document()
    FilmPage(film).fill(document)
    for each in document.session_callbacks:
        each.callback()
    (screen,) = document.select({"type": Plot, "name": "screen"})
    document.callbacks.trigger_event(Tap(screen, x=0.5, y=0.5))
    divs = [each.text for each in document.select({"type": Div})]
    assert len([text for text in divs if "OWNED" in text]) >= 3, "title, frame and dot"
    for text in divs:
        assert "<img" not in text
        assert "<script" not in text
    scripts = {each.code for each in document.select({"type": CustomJS})}
    for text in {*_texts(document.to_json(deferred=False)), document.title} - scripts:
        assert_harmless(text.encode(), tabs=True)
