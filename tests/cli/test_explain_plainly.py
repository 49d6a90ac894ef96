"""Lines of ``guestmap explain`` that are plainly right are read as the library does."""

from __future__ import annotations

from typing import Any

import pytest
from typer.main import get_command

from guestmap.cli import app, explain, explain_plainly, plain


@pytest.fixture
def library_reads(monkeypatch: pytest.MonkeyPatch):
    """Return what reads words as the library of the command line does."""

    def read(*words: str) -> tuple[Any, ...]:
        seen: list[tuple[Any, ...]] = []

        def answer(source, address, space, machine, at, as_json):
            seen.append((source, address, space, machine, tuple(at or ()), as_json))

        monkeypatch.setattr(explain, "explain_answer", answer)
        app.application(("explain",))(["explain", *words], standalone_mode=False)
        return seen[0]

    return read


@pytest.fixture
def plainly_reads(monkeypatch: pytest.MonkeyPatch):
    """Return what reads words without it."""

    def read(*words: str) -> tuple[Any, ...] | None:
        seen: list[tuple[Any, ...]] = []

        def answer(source, address, space="memory", machine="", at=(), as_json=False):
            seen.append((source, address, space, machine, at, as_json))

        def run(command, *, as_json, cleans_up):
            command()
            assert as_json == seen[0][-1]

        monkeypatch.setattr(explain_plainly, "explain_answer", answer)
        monkeypatch.setattr(plain, "run", run)
        return seen[0] if explain_plainly.run(words) else None

    return read


def test_every_option_is_known() -> None:
    command = get_command(app.application(("explain",))).commands["explain"]
    options = [each for each in command.params if each.param_type_name == "option"]
    spelled = {word: each.name for each in options for word in each.opts}
    known = explain_plainly.PLAIN

    assert {word: name for word, name in spelled.items() if name not in {"help", "schema"}} == (
        known.flags | {word: name for word, (name, _) in {**known.values, **known.lists}.items()}
    )


@pytest.mark.parametrize(
    "words",
    [
        ("map.txt", "0xc9000"),
        ("boot", "c0000-e7fff", "--as", "I/O", "--json"),
        ("--at", "setup", "boot:4G", "-M", "microvm", "0"),
        ("boot", "0", "--at", "setup", "--at", "61ms"),
        ("--machine", "pc", "--json", "reset", "640K"),
    ],
    ids=" ".join,
)
def test_both_read_the_same(words: tuple[str, ...], library_reads, plainly_reads) -> None:
    assert plainly_reads(*words) == library_reads(*words)


@pytest.mark.parametrize(
    "words",
    [
        (), ("map.txt",), ("map.txt", "0", "1"), ("map.txt", "0", "--as"), ("-", "0"), ("", "0"),
        ("map.txt", "0", "--as=I/O"), ("map.txt", "0", "--help"), ("map.txt", "0", "--schema"),
        ("reset", "0", "-M", "help"), ("reset", "0", "-M", "pc,help"), ("map.txt", "--", "0"),
        ("map.txt", "0", "--as", ""), ("map.txt", "0", "--jso"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_all_else_is_left_to_the_library(words: tuple[str, ...], plainly_reads) -> None:
    assert plainly_reads(*words) is None
