"""``guestmap read``: bytes of our own machine, and of one that is asked over QMP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from guestmap.inspect.sources.live.physical import ITEMS
from guestmap.qmp.client import Channel
from tests.domain.machines import RAM, FakeMachine
from tests.support.program import assert_one_clear_line, run_program
from tests.support.qemu import Qemu
from tests.support.qmp_serving import serving


def test_the_reset_vector_jumps_far():
    run = run_program("read", "reset", "ffff:0", "16")
    assert run.status == 0, run
    assert run.stdout.startswith("00000000000ffff0  ea ")
    assert run.stdout.count("\n") == 1


def test_the_file_has_the_bytes_and_json_says_where_from(tmp_path):
    path = tmp_path / "bytes"
    run = run_program("read", "reset", "0xfffffff0", "16", "--out", str(path), "--json")
    told = json.loads(run.stdout)
    assert (told["start"], told["end"], told["hex"], told["file"]) == (
        0xFFFF_FFF0, 1 << 32, None, str(path),
    )  # fmt: skip
    assert [each["type"] for each in told["ranges"]] == ["rom"]
    inline = json.loads(run_program("read", "reset", "0xfffffff0", "16", "--json").stdout)
    assert bytes.fromhex(inline["hex"]) == path.read_bytes()
    assert len(path.read_bytes()) == 16


def test_bytes_in_a_pipe_are_nothing_else():
    command = [sys.executable, "-m", "guestmap", "read", "reset", "0xfffffff0", "16", "--out"]
    piped = subprocess.run([*command, "/dev/stdout"], capture_output=True, timeout=60, check=True)
    assert (len(piped.stdout), piped.stdout[:1]) == (16, b"\xea")
    assert piped.stderr == b"16 bytes in /dev/stdout\n"


@pytest.mark.parametrize(
    ("address", "words"), [("0xfee00000", "--device-reads"), ("0xa0000000", "nobody answers")]
)
def test_what_is_no_memory_is_one_clear_line(address, words):
    assert_one_clear_line(run_program("read", "reset", address, "4"), words)


def test_a_machine_is_asked_in_pieces(tmp_path):
    machine: Channel = FakeMachine()
    size = 8 * ITEMS + 3  # more than one answer's words, and bytes beside them
    with serving(machine, tmp_path / "qmp") as served:
        run = run_program("read", f"unix:{served.path}", "0x1ff8", str(size), "--json")
    told = json.loads(run.stdout)
    assert bytes.fromhex(told["hex"]) == bytes(
        at >> 8 & 0xFF for at in range(0x1FF8, 0x1FF8 + size)
    )


class _Told(FakeMachine):
    """A machine of some architecture; from an address on, it does not answer any more."""

    def __init__(self, arch: str = "x86_64", gone_at: int = RAM) -> None:
        super().__init__()
        self._arch, self._gone_at = arch, gone_at
        self.asked: list[str] = []

    def _query_target(self) -> dict[str, Any]:
        return {"arch": self._arch}

    def _human_monitor_command(self, command_line: str) -> str:
        self.asked.append(command_line)
        if command_line.startswith("xp") and int(command_line.split()[2], 0) >= self._gone_at:
            return "gone\r\n"
        return super()._human_monitor_command(command_line)


@pytest.mark.parametrize(
    ("arch", "options", "widths"),
    [("x86_64", [], {"g", "b"}), ("ppc64", [], {"b"}), ("x86_64", ["--device-reads"], {"b"})],
)
def test_words_are_asked_for_where_their_bytes_are_known(tmp_path, arch, options, widths):
    machine = _Told(arch)
    with serving(machine, tmp_path / "qmp") as served:
        run = run_program("read", f"unix:{served.path}", "0x1ff8", "35", "--json", *options)
    assert bytes.fromhex(json.loads(run.stdout)["hex"]) == b"\x1f" * 8 + b"\x20" * 27
    asked = [line.split()[1][-1] for line in machine.asked if line.startswith("xp")]
    assert set(asked) == widths


def test_what_was_read_is_printed_before_all_is(tmp_path):
    with serving(_Told(gone_at=1 << 20), tmp_path / "qmp") as served:
        run = run_program("read", f"unix:{served.path}", "0", "2M")
        assert run.stderr.count("\n") == 1
        assert "cannot read memory at 0x100000: gone" in run.stderr
        assert (run.status, run.stdout.count("\n")) == (2, (1 << 20) // 16)
        out = tmp_path / "out"
        assert_one_clear_line(
            run_program("read", f"unix:{served.path}", "0", "2M", "--out", out), "gone"
        )
    assert not out.exists()


@pytest.mark.parametrize("kind", ["pipe", "folder", "/dev/zero"])
def test_what_is_no_file_of_ram_is_not_waited_for(beside, kind):
    board, ram = beside
    path = {"pipe": ram.parent / "pipe", "folder": ram.parent}.get(kind, kind)
    if kind == "pipe":
        os.mkfifo(path)
    run = run_program("read", board, "0", "16", "--ram", f"pc.ram={path}")
    assert_one_clear_line(run, f"'{path}'", "a regular file, or a block device")


def test_a_map_alone_has_no_bytes(tmp_path):
    path = tmp_path / "map.json"
    path.write_text("{}")
    assert_one_clear_line(run_program("read", str(path), "0", "4"), "a map alone")


@pytest.fixture
def beside(tmp_path):
    """A map in a file, and a file with its RAM."""
    board, ram = tmp_path / "map.json", tmp_path / "ram"
    assert run_program("snapshot", "reset", "-o", str(board)).status == 0
    ram.write_bytes(bytes(range(256)) * 16)
    return str(board), ram


@pytest.mark.parametrize("name", ["ram", "link", "hard"])
def test_a_file_of_ram_is_never_written_to(beside, name):
    """A guest may live in it: cutting it short would take its memory away."""
    board, ram = beside
    (ram.parent / "link").symlink_to(ram)
    (ram.parent / "hard").hardlink_to(ram)
    out = str(ram.parent / name)
    run = run_program("read", board, "0", "16", "--ram", f"pc.ram={ram}", "--out", out)
    assert_one_clear_line(run, "has the bytes of pc.ram: write to another file")
    assert len(ram.read_bytes()) == 4096


def test_what_files_of_ram_do_not_have_is_told_without_advice_that_does_not_help(beside):
    board, ram = beside
    asked = ("read", board, "0xfee00000", "4", "--ram", f"pc.ram={ram}")
    for more in ((), ("--device-reads",)):
        run = run_program(*asked, *more)
        assert "no file has its bytes" in run.stderr
        assert "or say" not in run.stderr
    run = run_program(*asked, "--ram", f"pc.ram={ram}")
    assert_one_clear_line(run, "pc.ram has a file already")


def test_what_is_no_source_is_told():
    assert_one_clear_line(run_program("read", "nowhere", "0", "4"), "there is no 'nowhere'")


@pytest.mark.qemu
def test_the_firmware_of_a_real_qemu_is_read_and_its_devices_are_not(tmp_path):
    socket = f"unix:{tmp_path / 'qmp'}"
    with Qemu("-qmp", f"{socket},server=on,wait=off") as qemu:
        run = run_program("read", socket, "0xffffe000", "8K", "--json")
        rows = qemu.hmp("xp /2048xw 0xffffe000")  # words here: another way to the same bytes
        assert_one_clear_line(run_program("read", socket, "0xfee00030", "4"), "--device-reads")
    words = [int(each, 16) for row in rows.splitlines() for each in row.split(":")[1].split()]
    expected = b"".join(each.to_bytes(4, "little") for each in words)
    assert bytes.fromhex(json.loads(run.stdout)["hex"]) == expected
