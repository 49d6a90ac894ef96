"""``--schema``: what ``--json`` prints is what its schema says, of every command that has one."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from guestmap.base import GIB
from guestmap.cli.app import COMMANDS
from guestmap.cli.schemas import FORMS, schema_of
from guestmap.qmp.client import Channel
from tests.cli.test_what_is_sent import CHANGING, _break_off, _with_a_function
from tests.domain.machines import BASE, FakeMachine, dimm, holding, virtio_mem
from tests.support.program import Done, run_program
from tests.support.qmp_serving import serving

MAP = """address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): alias low @board.ram 0000000000000000-0000000007ffffff
    0000000000001000-0000000000001fff (prio 1, rom): rom
    0000000000001800-0000000000001fff (prio 1, i/o): device [disabled]

memory-region: board.ram
  0000000000000000-0000000007ffffff (prio 0, ram): board.ram
"""  # noqa: E501

READING = {
    "explain": [("0x1000",), ("0-1fff",), ("0xf0000000",)],
    "why-not": [("rom",), ("device",)],
    "lint": [(), ("--phys-bits", "26")],
    "ram": [()],
    "kvm": [()],
    "roms": [()],
    "tree": [(), ("-D",)],
    "flat": [()],
}
"""What is asked of a file."""
ELSEWHERE = {"boot", "diff", "dimms", "dma", "doctor", "pci", "read", "watch", *CHANGING}


def held(command: str, form: Any) -> None:
    """Hold an output to the command's schema."""
    schema = schema_of(command)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(form)


def told(done: Done) -> Any:
    return json.loads(done.out)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "map.txt"
    path.write_text(MAP)
    return path


def test_every_command_that_prints_json_has_a_schema() -> None:
    having = set()
    for name in COMMANDS:
        module = import_module(f"guestmap.cli.{name.replace('-', '_')}")
        if "as_json" in inspect.signature(getattr(module, name.replace("-", "_"))).parameters:
            having.add(name)
    assert having == FORMS.keys() == {*READING, *ELSEWHERE}


@pytest.mark.parametrize("command", FORMS)
def test_it_is_printed_without_any_other_word(command: str) -> None:
    assert told(run_program(command, "--schema")) == schema_of(command)


@pytest.mark.parametrize(
    ("command", "words"), [(name, words) for name, asked in READING.items() for words in asked]
)
def test_what_is_said_of_a_map_is_as_its_schema_says(
    command: str, words: tuple[str, ...], source: Path
) -> None:
    form = told(run_program(command, source, *words, "--json"))
    held(command, form)
    assert form["format"] == f"guestmap.{command}"
    assert form["format_version"] == 1
    with pytest.raises(Exception, match=r"is not valid under any|Additional properties"):
        held(command, {**form, "nonsense": 1})


def test_a_folder_of_maps_is_too(source: Path) -> None:
    held("lint", told(run_program("lint", source.parent, "--dumps", "--json")))


def test_a_difference_is_too(source: Path) -> None:
    other = source.with_name("other.txt")
    other.write_text(
        MAP.replace(" [disabled]", "").replace("0000000000001000-", "0000000000001400-")
    )
    form = told(run_program("diff", source, other, "--json"))
    assert form["views"]
    assert form["regions"]
    held("diff", form)


@pytest.mark.parametrize("command", ["explain", "flat", "lint", "ram"])
def test_an_error_is_too(command: str) -> None:
    words = ("0x1000",) if command == "explain" else ()
    form = told(run_program(command, "/nowhere", *words, "--json"))
    assert form["format"] == "guestmap.error"
    held(command, form)


def test_what_is_installed_is_too() -> None:
    held("doctor", told(run_program("doctor", "--json")))
    held("read", told(run_program("read", "reset", "0xfffffff0", "16", "--json")))


# -- machines --------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[str]:
    grown = virtio_mem("vm0", BASE + GIB, GIB, 0, 0)
    made: Channel = FakeMachine(situation=holding(dimm(0, BASE, GIB), grown))
    with serving(made, tmp_path / "qmp") as served:
        yield served.path


@pytest.mark.parametrize("command", CHANGING)
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_what_became_of_a_plan_is_too(command: str, more: tuple[str, ...], machine: str) -> None:
    form = told(run_program(command, machine, *CHANGING[command], *more, "--json"))
    held(command, form)
    assert form["format"] == "guestmap.plug"


def test_memory_devices_are_too(machine: str) -> None:
    held("dimms", told(run_program("dimms", machine, "--json")))
    held("dimms", told(run_program("dimms", machine, "--clean", "mem0", "--json")))


def test_pci_functions_are_too(tmp_path: Path) -> None:
    with serving(_with_a_function(), tmp_path / "qmp") as served:
        held("pci", told(run_program("pci", served.path, "--json")))
        held("why-not", told(run_program("why-not", served.path, "e1000-mmio", "--json")))


def test_each_line_of_a_watch_is_too(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", _break_off)
    lines = run_program("watch", machine, "--interval", "60", "--json").out.splitlines()
    assert len(lines) >= 2
    for line in lines:
        held("watch", json.loads(line))
    assert json.loads(lines[-1])["ended"] is True


@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_boot_is_too() -> None:
    form = told(run_program("boot", "-m", "64M", "--until", "setup", "--json"))
    held("boot", form)
    assert (form["format"], form["format_version"]) == ("guestmap.boot", 1)
    assert form["version"] == form["after"]["version"]
    assert form["machine"]["board"] == "pc-i440fx-7.2"
    assert form["commits"]
