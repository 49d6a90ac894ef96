"""Completion: what a shell is told, asked as the shells ask."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from guestmap.base import MIB
from guestmap.cli.app import COMMANDS, application
from guestmap.cli.completing import boards, sources
from guestmap.inspect import Snapshot
from guestmap.memory import MemorySystem
from tests.support.program import assert_one_clear_line, run_program

GUESTMAP = [sys.executable, "-m", "guestmap"]


def completed(*words: str, shell: str = "bash") -> list[str]:
    """Return what is offered for the last word."""
    asked = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    if shell != "bash":
        asked = {"_TYPER_COMPLETE_ARGS": " ".join(words)}
        asked["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    environment = os.environ | asked | {"_GUESTMAP_COMPLETE": f"complete_{shell}"}
    run = subprocess.run(
        GUESTMAP, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stderr == ""
    return run.stdout.split()


def test_the_codes_of_lint_are_offered() -> None:
    assert completed("guestmap", "lint", "reset", "--ignore", "beyond-p") == ["beyond-phys-bits"]


def test_what_the_shells_are_is_told_in_words() -> None:
    done = run_program("completion")
    assert_one_clear_line(done, "Choose from: bash, zsh, fish; see")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    memory = MemorySystem()
    root = memory.container("root", 1 << 32)
    root.add_subregion(0, memory.ram("board.ram", MIB))
    memory.address_space("memory", root)
    memory.address_space("dma", root)
    path = tmp_path / "map.json"
    path.write_text(json.dumps(Snapshot.of(memory).to_json()))
    return path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_are_offered_in_each_shell(shell: str) -> None:
    offered = " ".join(completed("guestmap", "", shell=shell))
    assert all(name in offered for name in COMMANDS)


def test_regions_and_spaces_of_a_source_are_offered(saved: Path) -> None:
    assert completed("guestmap", "why-not", str(saved), "board") == ["board.ram"]
    assert completed("guestmap", "flat", str(saved), "--as", "d") == ["dma"]


def test_of_what_cannot_be_read_nothing_is_offered_and_nothing_is_said(tmp_path: Path) -> None:
    assert completed("guestmap", "why-not", str(tmp_path / "none.json"), "x") == []
    assert completed("guestmap", "why-not", "unix:/nowhere", "x") == []
    assert completed("guestmap", "why-not", "boot:nonsense", "x") == []


@pytest.mark.parametrize("words", [("fleet", "audit", "--select"), ("domain", "list", "--root")])
def test_behind_a_groups_option_that_lacks_its_value_nothing_is_said(
    words: tuple[str, ...],
) -> None:
    assert completed("guestmap", *words, "") == []


def test_regions_of_our_own_machine_are_offered_without_running_it() -> None:
    for words in (("reset",), ("boot",), ("boot:64M,at=setup",)):
        assert completed("guestmap", "why-not", *words, "pc.r") == ["pc.ram", "pc.rom"]
    assert completed("guestmap", "flat", "boot", "--as", "I") == ["I/O"]


def test_sources_are_machines_sockets_files_and_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maps").mkdir()
    (tmp_path / "map.json").touch()
    (tmp_path / ".hidden").touch()
    (tmp_path / "a-link-to-nothing").symlink_to("nothing")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("m.sock")
        assert sources("") == ["reset", "boot", "unix:", "tcp:", "libvirt:", "map.json", "maps/"]
        assert sources("unix:") == ["unix:m.sock", "unix:maps/"]
        assert sources("re") == ["reset"]
        assert sources(f"{tmp_path}/map.") == [f"{tmp_path}/map.json"]
        assert sources("/nowhere/at/all") == []


def test_boards_and_their_options_are_offered() -> None:
    assert "microvm" in boards("")
    assert boards("micro") == ["microvm"]
    assert boards("microvm,pi") == ["microvm,pic=", "microvm,pit="]
    assert boards("microvm,pic=off,rt") == ["microvm,pic=off,rtc="]
    assert boards("nonsense,x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_for_completion(shell: str) -> None:
    told = CliRunner().invoke(application(("completion",)), ["completion", shell])
    assert told.exit_code == 0
    assert f"_GUESTMAP_COMPLETE=complete_{shell}" in told.stdout


def test_zsh_completes_the_first_word_too_with_what_it_loads_by_itself(tmp_path: Path) -> None:
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("needs zsh")
    told = CliRunner().invoke(application(("completion",)), ["completion", "zsh"])
    (tmp_path / "_guestmap").write_text(told.stdout)
    _program(tmp_path)
    lines = (
        f"fpath=({tmp_path}); autoload -Uz _guestmap\n"
        "_arguments() { print -r -- $@ }\n"
        "words=(guestmap expl) CURRENT=2\n"
        "_guestmap; _guestmap\n"
    )
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    run = subprocess.run(
        [zsh, "-f", "-c", lines],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert run.stderr == ""
    assert run.stdout.count('"explain":') == 2


def _program(folder: Path) -> None:
    """Put the program into a folder."""
    program = folder / "guestmap"
    program.write_text(f'#!/bin/sh\nexec {" ".join(GUESTMAP)} "$@"\n')
    program.chmod(0o755)


def test_bash_completes_with_the_script_and_a_colon_ends_no_word(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    _program(tmp_path)
    lines = (
        "source <(guestmap completion bash)\n"
        "COMP_WORDS=(guestmap flat unix) COMP_CWORD=2\n"
        "_guestmap_completion guestmap\n"
        'echo "${COMPREPLY[@]}|$COMP_WORDBREAKS"\n'
    )
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    run = subprocess.run(
        [bash, "--norc", "-c", lines],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    offered, _, breaks = run.stdout.partition("|")
    assert offered == "unix:"
    assert ":" not in breaks
