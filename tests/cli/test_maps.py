"""``guestmap tree``, ``flat`` and ``snapshot`` as a user runs them."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from guestmap.cli import main
from guestmap.inspect.sources.live import attach
from tests.support.qemu import Qemu

if TYPE_CHECKING:
    from tests.support.corpus import Corpus

FAILURE = 2


class Done(NamedTuple):
    """How a run of the program ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]
Out = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run guestmap with these words, in this process: starting one takes longer than all else."""

    def start(*words: object, text: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["guestmap", *map(str, words)])
        stdin = SimpleNamespace(buffer=io.BytesIO(text.encode()))
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return Done(int(ended.value.code or 0), told.out, told.err)

    return start


@pytest.fixture
def out(run: Run) -> Out:
    """Run guestmap, hold it to success, and return what it printed."""

    def start(*words: object, text: str = "") -> str:
        done = run(*words, text=text)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    return start


def assert_one_clear_line(done: Done, *words: str) -> None:
    assert done.returncode == FAILURE, done
    assert done.stdout == ""
    assert done.stderr.startswith("guestmap: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


def blocks(text: str) -> list[str]:
    """Return the blocks of 'info mtree' in one order: QEMU's is that of pointers."""
    text = text.replace("\r\n", "\n")
    return sorted(re.sub(r"^FlatView #\d+\n", "", block) for block in text.strip().split("\n\n"))


@pytest.fixture(scope="module")
def texts(golden: Corpus) -> dict[str, str]:
    """What QEMU 7.2 printed for a PC, by flags."""
    path = golden.path / "qemu-7.2.22/texts/pc-vga.json.gz"
    found: dict[str, str] = json.loads(gzip.decompress(path.read_bytes()))["texts"]
    return found


@pytest.fixture(scope="module")
def folder(texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("vga")
    for flags, text in texts.items():
        (made / f"mtree{flags.replace(' ', '')}.txt").write_text(text, newline="")
    return made


@pytest.mark.parametrize("flags", ["", "-o", "-D", "-o -D"])
def test_tree_in_qemus_form_is_qemus(out, folder, texts, flags):
    assert blocks(out("tree", folder, "--qemu", *flags.split())) == blocks(texts[flags])


@pytest.mark.parametrize("flags", ["", "-o", "-d"])
def test_flat_in_qemus_form_is_qemus(out, folder, texts, flags):
    theirs = texts[f"-f {flags}".strip()].replace(" [MRU]", "")
    ours = out("flat", folder, "--qemu", *flags.split()).replace(" [MRU]", "")
    assert blocks(ours) == blocks(theirs)


@pytest.mark.parametrize("words", [["FOLDER", "--qemu", "11.1"], ["--qemu", "11.1", "FOLDER"]])
def test_in_another_versions_form(out, folder, words):
    words = [word.replace("FOLDER", str(folder)) for word in words]
    assert "(prio 0, container): system\n" in out("tree", *words)
    flat = out("flat", *words, "--as", "I/O")
    assert "(prio 0, container): io @" in flat
    assert "(prio 0, i/o): dma-chan\n" in flat


def test_qemus_form_without_a_version_may_stand_before_the_source(out, folder):
    assert out("tree", "--qemu", folder) == out("tree", folder, "--qemu", "7.2")


def test_one_address_space_in_qemus_form(out, folder, texts):
    (block,) = blocks(out("flat", folder, "--qemu", "--as", "I/O"))
    assert block in blocks(texts["-f"])
    assert ' AS "I/O"' in block
    tree = out("tree", folder, "--qemu", "--as", "I/O")
    assert tree.startswith("address-space: I/O\n")
    assert tree.count("address-space:") == 1


def test_tree_for_people(out, folder):
    text = out("tree", folder, "--as", "memory")
    row = next(line for line in text.splitlines() if " isa-bios " in line)
    assert re.match(
        r"0{11}e0000  0{11}fffff  128 KiB  rom +1  │ ├ isa-bios → pc\.bios from 20000 +100 %", row
    )
    assert "[disabled]" not in text
    both = out("tree", folder, "--as", "memory", "-D", "-o")
    assert "pam-rom → pc.ram from c0000 [disabled]" in both
    assert "owner:{dev" in both


def test_what_is_hidden_is_said(out, folder):
    text = out("tree", folder, "--as", "memory")
    hidden = [line.split()[-2] for line in text.splitlines() if line.rstrip().endswith(" hidden")]
    flat = json.loads(out("flat", folder, "--as", "memory", "--json"))
    answering = {each["name"] for each in flat["views"][0]["ranges"]}
    assert not answering & set(hidden)


def test_bus_masters_that_see_nothing_are_one_line(out, folder):
    text = out("tree", folder)
    assert "nobody answers in: " in text.splitlines()[-1]
    assert "bus master container" not in text


def test_flat_for_people(out, folder):
    text = out("flat", folder, "--as", "memory")
    heading, _, first, *_ = text.splitlines()
    assert re.match(r"memory, cpu-memory-0.*: \d+ ranges, [\d.]+ MiB: ram .* \([\d.]+ %\)", heading)
    assert re.match(r"0{16}  0{11}9ffff  640 KiB +\d\.\d % +ram +pc\.ram", first)


@pytest.mark.parametrize("command", ["tree", "flat"])
def test_what_the_cpus_see_comes_first(out, command):
    spaces = ("I/O", "cpu-memory-0", "memory")
    text = "\n\n".join(
        f"address-space: {name}\n  0000000000000000-00000000000000ff (prio 0, i/o): port{index}"
        for index, name in enumerate(spaces)
    )
    assert re.match(r"memory\b", out(command, "-", text=text + "\n"))


@pytest.mark.parametrize("words", [("tree",), ("tree", "-o"), ("flat",)], ids=" ".join)
def test_a_narrow_terminal_cuts_nothing_short(out, folder, monkeypatch, words):
    wide = out(*words, folder)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    narrow = re.sub(r"\x1b\[[\d;]*m", "", out(*words, folder))
    assert [line.split() for line in narrow.splitlines()] == [
        line.split() for line in wide.splitlines()
    ]


def test_json_forms(out, folder):
    tree = json.loads(out("tree", folder, "--json"))
    assert (tree["format"], tree["format_version"]) == ("guestmap.tree", 1)
    nodes = {node["name"]: node for block in tree["trees"] for node in block["nodes"]}
    assert (nodes["pc.bios"]["size"], nodes["pc.bios"]["visible"]) == (256 << 10, 256 << 10)
    flat = json.loads(out("flat", folder, "--json"))
    assert flat["format"] == "guestmap.flat"
    views = {space: view for view in flat["views"] for space in view["spaces"]}
    assert views["I/O"]["mapped"] == 65536
    assert sum(each["size"] for each in views["I/O"]["ranges"]) == 65536


def test_a_snapshot_saved_is_the_same_source(out, folder, tmp_path):
    file = tmp_path / "saved.json"
    told = out("snapshot", folder, "-o", file)
    assert told.startswith(f"{file}: ")
    schema = json.loads(out("snapshot", "--schema"))
    Draft202012Validator(schema).validate(json.loads(file.read_text()))
    for command in (["tree", "--qemu", "-o", "-D"], ["flat", "--qemu", "-o"], ["flat", "--json"]):
        assert out(command[0], file, *command[1:]) == out(command[0], folder, *command[1:])
    assert json.loads(out("snapshot", file)) == json.loads(file.read_text())


def test_standard_output_has_the_snapshot_and_nothing_else(out, folder, tmp_path):
    assert json.loads(out("snapshot", folder, "-o", "-")) == json.loads(out("snapshot", folder))
    command = [sys.executable, "-m", "guestmap", "snapshot", folder, "-o", "/dev/stdout"]
    piped = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(piped.stdout) == json.loads(out("snapshot", folder))
    assert piped.stderr.startswith("/dev/stdout: ")
    with (tmp_path / "saved.json").open("wb") as saved:
        subprocess.run(command, check=True, stdout=saved, stderr=subprocess.DEVNULL)
    assert (tmp_path / "saved.json").read_text() == piped.stdout


def test_standard_input_and_text_with_the_trees_alone(out, texts):
    piped = texts["-o -D"]
    assert blocks(out("tree", "-", "--qemu", "-o", "-D", text=piped)) == blocks(piped)
    rendered = json.loads(out("flat", "-", "--json", "--as", "I/O", text=piped))
    assert rendered["views"][0]["mapped"] == 65536
    assert rendered["source"] == "standard input"


@pytest.mark.unicorn
@pytest.mark.seabios
def test_our_own_machine_before_and_after_its_firmware(out, tmp_path):
    file = tmp_path / "boot.json"
    file.write_text(out("boot", "-m", "64M", "--json"))
    before, after = (
        json.loads(out("flat", f"{file}{moment}", "--as", "memory", "--json"))["views"][0]["ranges"]
        for moment in ("#before", "")
    )
    at = [each for ranges in (before, after) for each in ranges if each["start"] == 0xF0000]
    assert before != after
    assert any(each["name"] == "pc.ram" for each in at)
    assert "kvmvapic" not in out("tree", f"{file}#after")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tree", "nosuch"], ["nosuch", "unix:PATH", "libvirt:NAME"]),
        (["tree", "unix:/nosuch"], ["unix:/nosuch", "is the machine running?"]),
        (["flat", "tcp:localhost"], ["tcp:HOST:PORT"]),
        (["flat", "libvirt:"], ["libvirt:NAME"]),
        (["tree", "FOLDER", "--as", "x"], ["no address space 'x'", "memory"]),
        (["flat", "FOLDER", "--as", "x"], ["no address space 'x'"]),
        (["flat", "FOLDER", "-d"], ["--qemu"]),
        (["tree", "FOLDER", "--qemu", "12.1"], ["'12.1'", "2.4 to 2.8", "6.2 to 10.0, 11.1"]),
        (["flat", "FOLDER", "--qemu=new"], ["'new'", "11.1"]),
        (["tree", "FOLDER/mtree-f.txt"], ["mtree-f.txt", "only flat views"]),
        (["snapshot"], ["SOURCE", "--schema"]),
        (["snapshot", "FOLDER", "-o", "/nosuch/file"], ["/nosuch/file", "No such file"]),
        (["watch", "FOLDER"], ["a running machine", "'boot' for one of guestmap's own"]),
    ],
)
def test_errors_are_one_clear_line(run, folder, words, said):
    words = [word.replace("FOLDER", str(folder)) for word in words]
    assert_one_clear_line(run(*words), *said)


@pytest.mark.qemu
def test_a_running_machine_is_a_source_like_any_other(out, tmp_path):
    path = tmp_path / "qmp"
    with Qemu("-m", "64M", "-qmp", f"unix:{path},server=on,wait=off") as qemu:
        assert blocks(out("tree", path, "--qemu")) == blocks(qemu.hmp("info mtree"))
        assert blocks(out("flat", f"unix:{path}", "--qemu")) == blocks(qemu.hmp("info mtree -f"))
        saved: dict[str, Any] = json.loads(out("snapshot", path))
        version = qemu.qmp("query-version")["qemu"]
    assert saved["version"] == f"{version['major']}.{version['minor']}.{version['micro']}"
    assert {block["name"] for block in saved["ram_blocks"]} >= {"pc.ram", "pc.bios"}


@pytest.mark.qemu
def test_a_busy_monitor_is_one_clear_line(run, tmp_path):
    path = tmp_path / "qmp"
    with Qemu("-m", "64M", "-qmp", f"unix:{path},server=on,wait=off"), attach(str(path)):
        assert_one_clear_line(run("flat", path), "one client", "-qmp unix:", "libvirt:NAME")
