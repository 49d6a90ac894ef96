"""How every command ends, whoever reads what it prints: a table of statuses that is true."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from guestmap.cli.app import COMMANDS
from guestmap.cli.schemas import schema_of
from tests.support.processes import popen
from tests.support.program import assert_one_clear_line, run_program

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "src/guestmap/__main__.py"

MAP = """address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): pc.ram
    0000000000001000-0000000000001fff (prio 0, i/o): hidden
"""
OTHER = MAP.replace("7ffffff", "3ffffff")

FULL = "guestmap: cannot write the output (No space left on device)\n"
ABSENT = "guestmap: cannot write the output (Bad file descriptor)\n"

STATUS: dict[tuple[str, ...], int] = {
    ("explain", "a.txt", "0x1000"): 0,
    ("explain", "a.txt", "0x1000", "--json"): 0,
    ("why-not", "a.txt", "hidden"): 0,
    ("diff", "a.txt", "a.txt"): 0,
    ("diff", "a.txt", "b.txt"): 1,
    ("lint", "a.txt", "--phys-bits", "20"): 1,
    ("ram", "a.txt"): 0,
    ("dma", "a.txt", "memory"): 2,
    ("roms", "a.txt"): 0,
    ("tree", "a.txt"): 0,
    ("flat", "a.txt"): 0,
    ("flat", "a.txt", "--qemu"): 0,
    ("kvm", "a.txt"): 0,
    ("snapshot", "a.txt"): 0,
    ("snapshot", "--schema"): 0,
    ("draw", "a.txt", "-o", "map.svg"): 0,
    ("explain", "no-such-file", "0"): 2,
    ("domain", "list", "--all", "--root", "."): 0,
    ("domain", "dumpxml", "none", "--root", "."): 2,
    ("fleet", "audit", "a.txt"): 0,
    ("fleet", "audit", "no-such-file"): 1,
    ("completion", "zsh"): 0,
    ("doctor",): 0,
    ("--help",): 0,
    ("--version",): 0,
}
"""What a run ends with where all that it prints is read."""

ELSEWHERE = {
    "boot",
    "watch",
    "serve",
    "conform",
    "plug",
    "unplug",
    "dimms",
    "pci",
    "read",
    "resize",
}
"""Commands that need a machine; theirs is beside the tests of what they do."""


@pytest.fixture(autouse=True)
def _maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(MAP)
    Path("b.txt").write_text(OTHER)


def start(words: tuple[str, ...], shell: str) -> subprocess.CompletedProcess[str]:
    """Run guestmap as a shell does, its standard streams as the shell's words say."""
    line = f'"$@" {shell}; echo "${{PIPESTATUS[0]}}" >status'
    command = ["bash", "-c", line, "bash", sys.executable, "-m", "guestmap", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    done.returncode = int(Path("status").read_text())
    return done


def test_no_command_is_forgotten_here():
    assert {words[0] for words in STATUS} | ELSEWHERE >= set(COMMANDS)


@pytest.mark.parametrize("words", STATUS, ids=" ".join)
def test_a_run_whose_words_are_read_ends_as_the_table_says(words):
    if words == ("--version",):
        return  # printed before anything is imported: see test_start
    done = run_program(*words)
    assert done.status == STATUS[words], done
    assert bool(done.err) == (STATUS[words] == 2)


@pytest.mark.parametrize("words", STATUS, ids=" ".join)
def test_a_full_disk_is_an_error_and_says_so(words, monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        status = _ended(words, full, monkeypatch)
    assert status == 2
    if STATUS[words] != 2:
        assert capsys.readouterr().err == FULL


@pytest.mark.parametrize("words", STATUS, ids=" ".join)
def test_no_output_at_all_is_an_error_and_says_so(words, monkeypatch, capsys):
    status = _ended(words, None, monkeypatch)
    assert status == 2
    if STATUS[words] != 2:
        assert capsys.readouterr().err == ABSENT


@pytest.mark.parametrize("words", STATUS, ids=" ".join)
def test_a_reader_who_has_gone_changes_no_status(words, monkeypatch, capsys):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe:
        status = _ended(words, pipe, monkeypatch)
    assert status == STATUS[words]
    if status != 2:
        assert capsys.readouterr().err == ""


def _ended(words: tuple[str, ...], out: object, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run guestmap in this process with another standard output."""
    from guestmap.cli import main

    monkeypatch.setattr(sys, "argv", ["guestmap", *words])
    monkeypatch.setattr(sys, "stdout", out)
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize(
    ("words", "shell", "status", "err"),
    [
        (("flat", "a.txt"), ">/dev/full", 2, FULL),
        (("flat", "a.txt"), ">&-", 2, ABSENT),
        (("--version",), ">/dev/full", 2, FULL),
        (("--version",), ">&-", 2, ABSENT),
        (("diff", "a.txt", "b.txt"), "| true", 1, ""),
        (("snapshot", "--schema"), "| head -c 1 >one", 0, ""),
        (("explain", "-", "0"), "<&-", 2, None),
        (("explain", "no-such-file", "0"), "2>&-", 2, ""),
        (("flat", "a.txt"), ">&- 2>&- <&-", 2, ""),
    ],
)
def test_a_shell_sees_it_too(words, shell, status, err):
    done = start(words, shell)
    assert done.returncode == status, done
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if err is not None:
        assert done.stderr == err


@pytest.mark.unicorn
@pytest.mark.seabios
@pytest.mark.parametrize("words", [("boot", "-m", "64M"), ("boot", "-m", "64M", "--json")])
def test_a_boot_that_nobody_reads_goes_on_to_its_end(words, monkeypatch, capsys):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe:
        assert _ended(words, pipe, monkeypatch) == 0
    with open("/dev/full", "w") as full:
        assert _ended(words, full, monkeypatch) == 2
    assert capsys.readouterr().err == FULL


@pytest.mark.unicorn
@pytest.mark.seabios
@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_watch_ends_where_nobody_reads(json_too):
    done = start(("watch", "boot:64M", *json_too), "| head -1")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


INTERRUPTING_MODULE = """
import sys, os, signal
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == 'typer':
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""
INTERRUPTING_COMMAND_LINE = """
import os, signal, sys
def look(frame, event, arg):
    if frame.f_code.co_name == "get_command" and "typer" in frame.f_code.co_filename:
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGINT)
sys.setprofile(look)
"""
INTERRUPTING_FIRST_IMPORT = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in {'re', 'guestmap'}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""
INTERRUPTING_CALLBACK = """
import os, signal, sys
class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
def look(frame, event, arg):
    if frame.f_code.co_name == "ended" and "guestmap" in frame.f_code.co_filename:
        sys.setprofile(None)
        Last()
sys.setprofile(look)
"""


def assert_interrupted(site: str, folder: Path, *words: object) -> None:
    """Hold Python with a module ``sitecustomize`` to end as Ctrl-C has it, with one line."""
    (folder / "sitecustomize.py").write_text(site)
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "guestmap: interrupted\n")


@pytest.mark.parametrize("when", [INTERRUPTING_MODULE, INTERRUPTING_COMMAND_LINE])
@pytest.mark.parametrize("words", [("flat", "a.txt"), ("domain", "list"), ("--help",)])
def test_ctrl_c_before_a_command_begins_is_one_line(when, words, tmp_path):
    assert_interrupted(when, tmp_path, "-m", "guestmap", *words)


@pytest.mark.parametrize("words", [("explain", "a.txt", "0"), ("flat", "a.txt"), ("draw", "a.txt")])
def test_ctrl_c_in_a_callback_of_a_command_that_reads_is_not_lost(words, tmp_path):
    assert_interrupted(INTERRUPTING_CALLBACK, tmp_path, "-m", "guestmap", *words)


def test_ctrl_c_before_the_first_import_of_ours_is_one_line(tmp_path):
    program = tmp_path / "guestmap-as-installed"
    program.write_text(PROGRAM.read_text())
    assert_interrupted(INTERRUPTING_FIRST_IMPORT, tmp_path, program, "flat", "a.txt")


def test_the_wheel_brings_the_program_itself():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-scripts"] == {"src/guestmap/__main__.py": "guestmap"}
    assert "guestmap" not in settings["project"]["scripts"]
    assert os.access(PROGRAM, os.X_OK)
    assert PROGRAM.read_text().startswith("#!/usr/bin/env python")  # an installer puts its own


WITHOUT = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in {'typer', 'rich'}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("words", [("flat", "a.txt"), ("--help",), ("flat", "--json")])
def test_without_the_libraries_of_the_command_line_it_says_how_to_get_them(words, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    done = subprocess.run(
        [sys.executable, "-m", "guestmap", *words],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert bool(done.stdout) == ("--json" in words)
    if done.stdout:
        Draft202012Validator(schema_of("flat")).validate(json.loads(done.stdout))
    assert done.stderr.startswith("guestmap: ")
    assert done.stderr.endswith("pip install 'guestmap[cli]'\n")


def test_ctrl_c_in_a_command_is_one_line():
    def interrupt(*_args: object, **_more: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("guestmap.cli.source.load_snapshot", interrupt)
        done = run_program("flat", "a.txt")
    assert (done.status, done.out, done.err) == (130, b"", b"guestmap: interrupted\n")


def test_an_error_that_quotes_megabytes_is_told_in_short():
    region = {"id": 0, "name": "r", "addr": 0, "size": 1, "type": "x" * (4 << 20)}
    form = {"format": "guestmap.snapshot", "format_version": 1, "regions": [region]}
    Path("long.json").write_text(json.dumps(form))
    done = run_program("flat", "long.json")
    assert done.status == 2
    assert_one_clear_line(done)
    assert len(done.err) < 20_000


def test_a_real_ctrl_c_ends_a_reader_of_standard_input():
    command = [sys.executable, "-m", "guestmap", "flat", "-"]
    with popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=30)
    # before main() is entered Python itself is what is interrupted
    assert run.returncode in {130, -signal.SIGINT}
    assert run.returncode != 130 or errors == "guestmap: interrupted\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no-such-command"], ["no-such-command", "guestmap --help"]),
        (["explain"], ["SOURCE", "explain --help"]),
        (["flat", "a.txt", "--no-such-option"], ["--no-such-option", "flat --help"]),
        (["lint", "a.txt", "--phys-bits", "99"], ["--phys-bits", "64"]),
        (["boot", "--until", "bot"], ["--until", "bot", "preinit"]),
        (["snapshot", "a.txt", "--schema"], ["--schema", "no SOURCE"]),
        (["boot", "--qmp", "unix:q", "--until", "init"], ["--until", "--qmp"]),
        (["watch", "boot", "--interval", "1"], ["--interval"]),
        (["watch", "a.txt"], ["a.txt", "unix:PATH"]),
        (["watch", "reset"], ["reset", "'boot' for one"]),
    ],
)
def test_a_wrong_command_line_is_one_clear_line(words, told):
    assert_one_clear_line(run_program(*words), *told)


def test_the_statuses_are_in_the_help():
    told = run_program("--help").stdout
    for number in ("0", "1", "2", "130"):
        assert f"\n {number}  " in told
    assert "plug, unplug and resize have more" in told


def test_what_an_old_file_held_stays_where_a_new_one_cannot_be_written():
    Path("keep.json").write_text("the old one")
    start(("snapshot", "a.txt", "-o", "keep.json"), "")
    assert json.loads(Path("keep.json").read_text())["format"] == "guestmap.snapshot"
    before = Path("keep.json").read_bytes()
    for words in (
        ("snapshot", "a.txt", "-o", "keep.json"),
        ("snapshot", "--schema", "-o", "keep.json"),
        ("draw", "a.txt", "-o", "keep.json.svg"),
    ):
        target = Path(words[-1])
        target.write_bytes(before)
        command = ["bash", "-c", 'ulimit -f 1; "$@"', "bash", sys.executable, "-m", "guestmap"]
        done = subprocess.run(
            [*command, *words], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        assert done.returncode == 2, done
        assert done.stderr == f"guestmap: cannot write {target} (File too large)\n"
        assert target.read_bytes() == before
    assert sorted(os.listdir()) == ["a.txt", "b.txt", "keep.json", "keep.json.svg", "status"]
