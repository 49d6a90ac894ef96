"""``-M``: which board a machine of our own is, in every command that makes one."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from typer.testing import CliRunner, Result

from guestmap.base import ConfigError, UnsupportedError
from guestmap.cli.app import application
from guestmap.cli.own_source import on_board
from guestmap.cli.source import load_snapshot, own_machine
from guestmap.machine.boards import BOARDS, machine_help
from tests.support.qemu import require_qemu


def qemu_says(*words: str) -> str:
    command = [require_qemu(), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def run(*words: str) -> Result:
    return CliRunner().invoke(application((words[0],)), list(words))


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its machine types")
def test_the_list_of_boards_is_part_of_qemus() -> None:
    theirs = qemu_says("-M", "help").splitlines()
    ours = run("boot", "-M", "help")
    assert ours.exit_code == 0
    assert set(ours.stdout.splitlines()) <= set(theirs)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its machine types")
@pytest.mark.parametrize("name", [board.name for board in BOARDS])
def test_options_are_listed_as_qemu_lists_them(name: str) -> None:
    theirs = qemu_says("-M", f"{name},help")
    ours = machine_help(f"{name},help") or ""
    words = re.compile(r"  (\S+?)=<.*?>\s+- (.*)")
    known = dict(words.findall(theirs))
    listed = dict(words.findall(ours))
    listed.pop("kernel-irqchip", None)  # to QEMU an option of the accelerator
    assert listed.items() <= known.items()
    assert ours.splitlines()[0] == theirs.splitlines()[0]


@pytest.mark.parametrize("name", ["q35", "kvm", "pc-i440fx-9.0", "microvm2"])
def test_an_unknown_board_is_refused_with_those_that_there_are(name: str) -> None:
    told = run("boot", "-M", name)
    assert told.exit_code == 2
    assert f"machine type {name} is not modelled" in told.stderr
    assert all(board.name in told.stderr for board in BOARDS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pc,smm=maybe", "Parameter 'smm' does not accept value 'maybe'"),
        ("pc,max-ram-below-4g=much", "Parameter 'max-ram-below-4g' expects a size value"),
        ("pc,nonsense=1", "Property 'pc-i440fx-7.2-machine.nonsense' not found"),
        ("pc,sata=off", "sata is not modelled; 'guestmap boot -M pc,help' lists what is"),
        ("pc,kernel-irqchip=kvm", "Parameter 'kernel-irqchip' does not accept value 'kvm'"),
        ("none,smm=on", "Property 'none-machine.smm' not found"),
    ],
)
def test_an_option_that_cannot_be_is_one_line(text: str, words: str) -> None:
    told = run("flat", "reset", "-M", text)
    assert told.exit_code == 2
    assert f"-M {text}: {words}" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_board_without_a_cpu_boots_nothing() -> None:
    for words in (("boot", "-M", "none"), ("tree", "boot", "-M", "none")):
        told = run(*words)
        assert told.exit_code == 2
        assert "has no CPU, so nothing boots" in told.stderr


@pytest.mark.parametrize("command", ["tree", "flat", "ram", "lint", "snapshot"])
def test_every_command_takes_a_board(command: str) -> None:
    assert run(command, "reset:8M", "-M", "none").exit_code == 0


def test_a_source_may_name_its_board_itself() -> None:
    by_option = run("flat", "reset:8M", "-M", "none", "--json")
    in_the_source = run("flat", "reset:8M,machine=none", "--json")
    assert by_option.stdout == in_the_source.stdout
    assert json.loads(by_option.stdout)["views"]


def test_what_is_no_machine_of_ours_has_no_board() -> None:
    with pytest.raises(ConfigError, match=r"-M chooses the board .* 'map.json' is none"):
        on_board("map.json", "none")
    assert on_board("map.json", "") == "map.json"


@pytest.mark.seabios
def test_the_options_of_a_pc_change_its_map() -> None:
    split = load_snapshot(on_board("reset:4G", "pc,max-ram-below-4g=2G"))
    below = next(each for each in split.regions if each.name == "ram-below-4g")
    assert below.size == 2 << 30
    own = own_machine(on_board("reset", "pc,smm=off,acpi=off"))
    assert own is not None
    assert (own[1].smm, own[1].acpi, own[1].ram_size) == (False, False, 128 << 20)


def test_own_machine_names_its_unknown_board() -> None:
    with pytest.raises(UnsupportedError, match="-M isapc: machine type isapc is not modelled"):
        own_machine("reset:machine=isapc")


@pytest.mark.seabios
def test_a_board_without_pci_says_so() -> None:
    told = run("pci", "reset", "-M", "microvm")
    assert (told.stdout, told.exit_code) == ("No PCI functions.\n", 0)
    form = json.loads(run("pci", "reset", "-M", "microvm", "--json").stdout)
    assert form["functions"] == []
