"""The commands that explain a map, as a user runs them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from guestmap.inspect.text.mtree import write_mtree
from tests.inspect.snapshots import pc
from tests.support.program import run_program

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """Return a folder with a PC in two states: as JSON, and as QEMU's text."""
    for name in ("rom", "ram"):
        form = pc(name).snapshot().to_json()
        (tmp_path / f"{name}.json").write_text(json.dumps(form))
    (tmp_path / "pci.txt").write_text(write_mtree(pc("pci").snapshot(), disabled=True))
    return tmp_path


def test_explain(maps: Path) -> None:
    done = run_program("explain", maps / "rom.json", "0xC9000")
    assert done.status == 0, done.stderr
    assert done.stdout.startswith("0xc9000 in memory: pc.ram answers")
    form = json.loads(run_program("explain", maps / "pci.txt", "804K", "--json").stdout)
    assert (form["address"], form["winner"]["name"]) == (0xC9000, "pc.rom")
    assert "nobody answers" in run_program("explain", maps / "rom.json", "0", "--as", "nic").stdout


def test_explain_a_range(maps: Path) -> None:
    done = run_program("explain", maps / "rom.json", "00000000000c8000-00000000000cffff")
    assert done.status == 0, done.stderr
    said = done.stdout.split("\n\n")
    assert [part.splitlines()[0] for part in said] == [
        "c8000-cbfff in memory: pc.ram answers, memory that the guest cannot write",
        "cc000-cffff in memory: pc.ram answers, memory",
    ]
    form = json.loads(run_program("explain", maps / "rom.json", "0xc8000-0xcffff", "--json").stdout)
    assert [(each["start"], each["end"]) for each in form["answers"]] == [
        (0xC8000, 0xCC000),
        (0xCC000, 0xD0000),
    ]
    assert form["answers"][1]["explanation"]["winner"]["type"] == "ram"
    assert (form["start"], form["end"], form["more"]) == (0xC8000, 0xD0000, 0)
    real_mode = run_program("explain", maps / "rom.json", "c800:1000").stdout
    assert real_mode.startswith("0xc9000 in memory: pc.ram answers")


def test_errors_are_one_line(maps: Path) -> None:
    for words, said in (
        (("explain", maps / "rom.json", "nowhere"), "address 'nowhere' is not an address"),
        (("explain", maps / "rom.json", "100000"), "write 0x100000 or 0x186a0"),
        (("explain", maps / "rom.json", "cffff-c8000"), "range 'cffff-c8000' ends before it"),
        (("explain", maps / "rom.json", "c800:0-c800:f"), "is not START-END in hexadecimal"),
        (("explain", maps / "rom.json", "0", "--as", "x"), "there is no address space 'x'"),
        (("why-not", maps / "rom.json", "pc.rum"), "did you mean 'pc.rom' or 'pc.ram'"),
        (("ram", maps / "none.json"), "none.json"),
    ):
        done = run_program(*words)
        assert done.status == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_why_not(maps: Path) -> None:
    done = run_program("why-not", maps / "rom.json", "pc.rom")
    assert done.status == 0, done.stderr
    assert "hidden  c8000-cbfff: pam-rom has a higher priority than pci in system" in done.stdout
    form = json.loads(run_program("why-not", maps / "rom.json", "pc.rom", "--json").stdout)
    assert form["regions"][0]["blind"] == ["nic"]


def test_diff(maps: Path) -> None:
    done = run_program("diff", maps / "rom.json", maps / "ram.json")
    assert done.status == 1, done.stderr
    assert "Probably: PAM: C8000-CBFFF changed from RAM for reads only to RAM" in done.stdout
    same = run_program("diff", maps / "rom.json", maps / "rom.json")
    assert (same.status, same.stdout) == (0, "Nothing changed.\n")


def test_lint(maps: Path) -> None:
    done = run_program("lint", maps / "pci.txt", "--phys-bits", "26", "--json")
    assert done.status == 1, done.stderr
    assert [each["code"] for each in json.loads(done.stdout)["findings"]] == ["beyond-phys-bits"]
    done = run_program("lint", maps / "pci.txt")
    assert (done.status, done.stdout) == (0, "No findings.\n")


def test_what_lint_fails_on_and_what_it_leaves_out(maps: Path) -> None:
    bits = ("--phys-bits", "26")
    assert run_program("lint", maps / "pci.txt", *bits, "--fail-on", "never").status == 0
    done = run_program("lint", maps / "pci.txt", *bits, "--ignore", "beyond-phys-bits")
    assert (done.status, done.stdout) == (0, "No findings.\n")
    done = run_program("lint", maps / "pci.txt", "--ignore", "beyond")
    assert done.status == 2
    assert "beyond-phys-bits" in done.stderr
    log = json.loads(run_program("lint", maps / "pci.txt", *bits, "--sarif").stdout)
    assert [each["ruleId"] for each in log["runs"][0]["results"]] == ["beyond-phys-bits"]


def test_lint_of_a_folder_of_dumps(maps: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    (folder / "vm").mkdir(parents=True)
    text = (maps / "pci.txt").read_text()
    (folder / "a.txt").write_text(text)
    (folder / "vm" / "mtree.txt").write_text(text)
    done = run_program("lint", folder, "--dumps", "--phys-bits", "26", "--json")
    assert done.status == 1, done.stderr
    found = json.loads(done.stdout)["dumps"]
    assert {name: [each["code"] for each in findings] for name, findings in found.items()} == {
        str(folder / "a.txt"): ["beyond-phys-bits"], str(folder / "vm"): ["beyond-phys-bits"],
    }  # fmt: skip
    done = run_program("lint", folder, "--dumps")
    assert done.stdout.count("No findings.") == 2
    assert run_program("lint", maps / "pci.txt", "--dumps").status == 2


def test_lint_of_a_folder_goes_on_behind_what_it_cannot_read(maps: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    (folder / "a.txt").write_text("no map\n")
    os.mkfifo(folder / "b")
    (folder / "c.txt").write_text((maps / "pci.txt").read_text())
    a, b, c = (str(folder / name) for name in ("a.txt", "b", "c.txt"))
    options = ("--dumps", "--phys-bits", "26")
    done = run_program("lint", folder, *options)
    assert done.status == 2, done
    assert done.stderr == f"guestmap: 2 of 3 maps cannot be read: {a}, {b}\n"
    lines = done.stdout.splitlines()
    assert lines[0] == f"{a}:"
    assert lines[1].startswith("  cannot be read: ")
    assert lines[2:4] == [f"{b}:", "  cannot be read: neither a file nor a folder"]
    assert lines[4] == f"{c}:"
    assert "beyond-phys-bits" in lines[5]
    done = run_program("lint", folder, *options, "--json")
    assert done.status == 2
    told = json.loads(done.stdout)
    assert sorted(told["unread"]) == [a, b]
    assert [each["code"] for each in told["dumps"][c]] == ["beyond-phys-bits"]
    done = run_program("lint", folder, *options, "--sarif")
    assert done.status == 2
    (run,) = json.loads(done.stdout)["runs"]
    assert [each["ruleId"] for each in run["results"]] == ["beyond-phys-bits"]
    (invocation,) = run["invocations"]
    assert not invocation["executionSuccessful"]
    places = [each["locations"][0] for each in invocation["toolExecutionNotifications"]]
    assert [each["logicalLocations"][0]["name"] for each in places] == [a, b]


def test_lint_prints_one_form(maps: Path) -> None:
    done = run_program("lint", maps / "pci.txt", "--sarif", "--json")
    assert done.status == 2
    assert "--json and --sarif both say what is printed: choose one" in done.stderr


def test_ram(maps: Path) -> None:
    done = run_program("ram", maps / "ram.json")
    assert done.status == 0, done.stderr
    assert done.stdout.splitlines()[0] == (
        "0000000000000000-000000000009ffff  ram   RAM block pc.ram, offset 0x0"
    )


MAIL = (
    "> FlatView #0\n>  Root memory region: system\n"
    ">   0000000000000000-00000000000fffff (prio 0, ram): ram\n>   ...\n"
)


def test_what_was_taken_off_a_text_is_noted_beside_the_answer(tmp_path: Path) -> None:
    (tmp_path / "mail.txt").write_text(MAIL)
    done = run_program("explain", tmp_path / "mail.txt", "0x10")
    assert done.stdout.startswith("0x10 in ")
    assert done.stderr.startswith("note: removed quoting from 4 lines; at 1 place lines were left")
    assert done.stderr.count("\n") == 1
    for words in (("explain", "0x10"), ("ram",), ("flat",)):
        asked = run_program(words[0], tmp_path / "mail.txt", *words[1:], "--json")
        assert "at 1 place lines were left out" in json.loads(asked.stdout)["notes"][0]


def test_a_region_alone_is_printed(tmp_path: Path) -> None:
    (tmp_path / "region.txt").write_text(
        "memory-region: board\n"
        "  0000000000000000-000000000000ffff (prio 0, i/o): board\n"
        "    0000000000000000-0000000000000fff (prio 0, rom): flash\n"
    )
    for command, title in (("tree", "region: board"), ("flat", "board: 1 ranges")):
        done = run_program(command, tmp_path / "region.txt")
        assert done.status == 0
        assert title in done.stdout
        assert "flash" in done.stdout


def test_kvm(maps: Path, tmp_path: Path) -> None:
    done = run_program("kvm", maps / "rom.json")
    assert done.status == 0, done.stderr
    assert "0xc8000-0xcbfff writable  pc.ram" in done.stdout, "read-only by an alias alone"
    trace = tmp_path / "trace"
    trace.write_text("kvm_set_user_memory Slot#7 flags=0x0 gpa=0x0 size=0x1000 ua=0x0 ret=0\n")
    done = run_program("kvm", maps / "rom.json", "--trace", trace)
    assert done.status == 1
    assert "there, and not needed: slot 7: 0x0-0xfff writable" in done.stdout
    done = run_program("kvm", maps / "rom.json", "--trace", tmp_path / "none")
    assert (done.status, "No such file" in done.stderr) == (2, True)


def test_a_tree_of_too_many_levels_is_refused_and_its_json_is_not(tmp_path: Path) -> None:
    deep = 1000
    form = {
        "format": "guestmap.snapshot",
        "format_version": 1,
        "regions": [
            {"id": i, "name": f"c{i}", "addr": 0, "size": 4096, "children": [i + 1]}
            for i in range(deep)
        ],
        "address_spaces": [{"name": "memory", "root": 0}],
    }
    form["regions"].append({"id": deep, "name": "ram", "addr": 0, "size": 4096})
    path = tmp_path / "deep.json"
    path.write_text(json.dumps(form))
    for words in ((), ("--qemu", "7.2")):
        done = run_program("tree", path, *words)
        assert done.status == 2
        assert "below 'c0' regions lie more than 1000 deep in one another" in done.stderr
    assert len(json.loads(run_program("tree", path, "--json").stdout)["trees"][0]["nodes"]) == 1001


def test_a_question_may_be_about_one_address_space_alone(tmp_path: Path) -> None:
    told = run_program("why-not", "reset", "pc.ram", "--as", "memory").stdout
    assert "memory" in told
    assert "cpu-smm-0" not in told
    findings = json.loads(run_program("lint", "reset", "--as", "I/O", "--json").stdout)["findings"]
    assert {each["space"] for each in findings} <= {"", "I/O"}
    drawn = tmp_path / "io.svg"
    assert run_program("draw", "reset", "--as", "I/O", "-o", drawn).status == 0
    assert "pc.ram" not in drawn.read_text()
    for words in (("why-not", "reset", "pc.ram"), ("lint", "reset"), ("draw", "reset")):
        refused = run_program(*words, "--as", "io")
        assert (refused.status, "did you mean 'I/O'" in refused.stderr) == (2, True)
