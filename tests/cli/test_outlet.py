"""A reader that goes away decides nothing: what is done, and how a command ends, stays the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import MIB
from tests.domain.machines import ROOM, FakeMachine, dimm, holding
from tests.support.qmp_serving import serving

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")

GUESTMAP = f"{sys.executable} -m guestmap"
AWAY = {
    "a pipe that closes after a line": "| head -n 1 >/dev/null; exit ${PIPESTATUS[0]}",
    "a pipe that nobody reads": "| true; exit ${PIPESTATUS[0]}",
    "a full disk": ">/dev/full",
    "no output at all": ">&-",
    "nothing at all": ">&- 2>&-",
    "a full disk for errors too": ">/dev/full 2>&1",
}
NOT_THERE = "nowhere at all"


def run(command: str, away: str) -> subprocess.CompletedProcess[str]:
    words = ["bash", "-c", f"{GUESTMAP} {command} {AWAY[away]}"]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


def machine() -> FakeMachine:
    """Return one whose guest acknowledges what is plugged."""

    def guest(played: FakeMachine, verb: str, device: str) -> None:
        (slot,) = (d.slot for d in played.devices if d.id == device and d.slot is not None)
        if verb == "plug":
            played.ost(slot, 1, 0)
        else:
            played.eject(device)

    return FakeMachine(guest)


@pytest.mark.parametrize(
    ("away", "form"),
    [*((away, "") for away in AWAY), ("a pipe that nobody reads", "--json"),
     ("a full disk", "--json")],
)  # fmt: skip
def test_a_plug_is_done_whoever_reads(away: str, form: str, tmp_path: Path) -> None:
    played = machine()
    with serving(played, tmp_path / "qmp") as served:
        done = run(f"plug {served.path} 128M {form}", away)
    assert done.returncode == 10, done
    assert [each.size for each in played.devices] == [128 * MIB]
    assert "Traceback" not in done.stderr
    is_told = away in {"a full disk", "no output at all"}
    assert ("cannot write the output" in done.stderr) == is_told


def test_an_unplug_is_done_whoever_reads(tmp_path: Path) -> None:
    played = machine()
    played.devices = list(holding(dimm(0, ROOM.window.start, 128 * MIB)).devices)  # type: ignore[union-attr]
    played.objects["memdimm0"] = 128 * MIB
    with serving(played, tmp_path / "qmp") as served:
        done = run(f"unplug {served.path} dimm0", "a full disk")
    assert (done.returncode, played.devices) == (0, [])


@pytest.mark.parametrize("away", AWAY)
def test_a_plan_that_is_lost_is_an_error_since_nothing_was_done(away: str, tmp_path: Path) -> None:
    played = machine()
    with serving(played, tmp_path / "qmp") as served:
        done = run(f"plug {served.path} 128M --dry-run", away)
    assert played.devices == []
    assert done.returncode == (0 if "pipe" in away else 2), done


@pytest.mark.parametrize("away", AWAY)
def test_a_listing_that_is_lost_is_an_error_and_no_difference(away: str, tmp_path: Path) -> None:
    with serving(machine(), tmp_path / "qmp") as served:
        done = run(f"dimms {served.path}", away)
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if "pipe" in away else 2), done


@pytest.mark.parametrize("away", ["a full disk", "no output at all"])
def test_a_link_that_nobody_can_read_is_not_served(away: str, tmp_path: Path) -> None:
    file = tmp_path / "map.txt"
    region = "  0000000000000000-000000000000ffff (prio 0, ram): pc.ram"
    file.write_text(f"address-space: memory\n{region}\n", encoding="utf-8")
    done = run(f"serve {file} --port 0", away)
    assert done.returncode == 2, done
    assert done.stderr.startswith("guestmap: cannot write the output ("), done


@pytest.mark.parametrize("away", ["a full disk", "nothing at all"])
@pytest.mark.parametrize("words", ["--version", "plug --help"])
def test_help_and_version_end_without_a_traceback(words: str, away: str) -> None:
    done = run(words, away)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_watching_ends_when_nobody_reads(tmp_path: Path) -> None:
    with serving(machine(), tmp_path / "qmp") as served:
        done = run(f"watch {served.path} --interval 0.01", "a full disk")
    assert done.returncode == 2
    assert "cannot write the output" in done.stderr


def test_an_error_is_told_where_there_is_no_output() -> None:
    done = run(f"plug '{NOT_THERE}' 1G", "no output at all")
    assert done.returncode == 2
    assert "needs a running machine" in done.stderr


def test_what_was_standard_output_is_so_again(monkeypatch: Any) -> None:
    from guestmap.cli.streams import standard_streams

    with open(os.devnull, "w", encoding="utf-8") as mine:
        monkeypatch.setattr(sys, "stdout", mine)
        with standard_streams() as streams:
            print("word")
            assert streams.settle(0, changes=False) == 0
        assert sys.stdout is mine
