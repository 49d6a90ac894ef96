"""``--at``: questions about a moment of a boot, and about a machine that was saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from guestmap.cli.explain import explain
from guestmap.cli.schemas import schema_of
from guestmap.machine.timeline import Timeline
from tests.support.program import assert_one_clear_line, run_program

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios]


def test_who_answers_depends_on_the_moment() -> None:
    """C9000h: an option ROM's place, then RAM that can be written, then such that cannot."""
    for moment, name, kind in (
        ("reset", "pc.rom", "rom"),
        ("SETUP", "pc.ram", "ram"),
        ("halt", "pc.ram", "rom"),
    ):
        run = run_program("explain", "boot", "c9000h", "--at", moment, "--json")
        told = json.loads(run.stdout)["winner"]
        readonly = any(step["readonly"] for step in told["path"])
        shown = "rom" if told["type"] == "ram" and readonly else told["type"]
        assert (told["name"], shown) == (name, kind)


@pytest.mark.parametrize(
    "words",
    [
        ("tree", "boot", "--json"),
        ("flat", "boot:64M", "--json"),
        ("why-not", "boot", "pc.rom"),
        ("ram", "boot"),
        ("snapshot", "boot"),
        ("flat", "boot", "-M", "pc,max-ram-below-4g=1G"),
    ],
)
def test_each_question_takes_a_moment(words: tuple[str, ...]) -> None:
    at_reset, at_end = (run_program(*words, "--at", moment) for moment in ("0ms", "60s"))
    assert (at_reset.status, at_end.status) == (0, 0), at_end.stderr
    assert at_reset.out != at_end.out
    assert at_end.out == run_program(*words).out or "60" in at_end.stdout


@pytest.mark.parametrize("words", [
    ("explain", "boot", "c9000h"), ("why-not", "boot", "pc.rom"), ("read", "boot", "c9000h", "16"),
    ("ram", "boot"), ("roms", "boot"), ("tree", "boot"), ("flat", "boot"), ("pci", "boot"),
    ("dma", "boot", "piix3-ide"),
])  # fmt: skip
def test_several_moments_are_one_question(words: tuple[str, ...]) -> None:
    """Each answer is the one to the moment alone; they differ from moment to moment."""
    moments = ("reset", "setup", "halt")
    asked = (*words, *(word for moment in moments for word in ("--at", moment)))
    told = json.loads(run_program(*asked, "--json").stdout)
    Draft202012Validator(schema_of(words[0])).validate(told)
    alone = [json.loads(run_program(*words, "--at", x, "--json").stdout) for x in moments]
    assert told["format"] == alone[0]["format"]
    assert told["moments"] == [
        {"at": x, "answer": each} for x, each in zip(moments, alone, strict=True)
    ]
    assert alone[0] != alone[2] or words[0] == "dma"  # SeaBIOS lets no device be a bus master
    lines = run_program(*asked).stdout.splitlines()
    assert [line for line in lines if line.startswith("at ")] == [f"at {x}:" for x in moments]
    by_itself = run_program(*words, "--at", "reset").stdout.splitlines()[:2]
    assert [line.removeprefix("  ") for line in lines[1 : 1 + len(by_itself)]] == by_itself


def test_moments_come_from_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    made = []
    with pytest.MonkeyPatch.context() as patch:
        boot = Timeline.of_boot
        patch.setattr(Timeline, "of_boot", lambda config: made.append(config) or boot(config))
        explain("boot", "c9000h", at=["setup", "halt"])
    assert len(made) == 1
    assert capsys.readouterr().out.startswith("at setup:\n")


def test_two_moments_can_be_compared() -> None:
    told = run_program("diff", "boot:at=preinit", "boot:at=halt").stdout
    assert "c0000-" in told
    assert run_program("diff", "boot:at=setup", "boot:at=setup").stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explain", "boot", "0", "--at", "later"), "no moment of a boot"),
        (("explain", "reset", "0", "--at", "setup"), "write 'boot'"),
        (("flat", "unix:nowhere", "--at", "setup"), "write 'boot'"),
        (("flat", "reset:at=setup"), "before the first instruction"),
        (("watch", "boot:at=setup"), "leave out at="),
        (("flat", "boot", "--at", "runtime"), "does not enter the phase 'runtime'"),
        (("serve", "reset", "--at", "setup"), "write 'boot'"),
        (("flat", "boot", "--qemu", "--at", "reset", "--at", "halt"), "name one moment"),
        (("tree", "boot", "--qemu", "--at", "reset", "--at", "halt"), "name one moment"),
        (("read", "boot", "0", "1", "--out", "x", "--at", "reset", "--at", "halt"), "one moment"),
    ],
)
def test_what_is_no_moment_is_one_clear_line(words: tuple[str, ...], said: str) -> None:
    assert_one_clear_line(run_program(*words), said)


def test_a_saved_machine_is_a_source(tmp_path: Path) -> None:
    path = tmp_path / "machine"
    run_program("boot", "-q", "--until", "setup", "--save", path)
    saved = json.loads(run_program("snapshot", path).stdout)
    live = json.loads(run_program("snapshot", "boot", "--at", "setup").stdout)
    assert saved["views"] == live["views"]
    assert saved["regions"] == live["regions"]
    assert "a saved machine, in phase setup" in saved["source"]
    assert run_program("why-not", path, "pc.rom").status == 0
    path.write_bytes(path.read_bytes()[:-1])
    assert_one_clear_line(run_program("flat", path), "cut short")
