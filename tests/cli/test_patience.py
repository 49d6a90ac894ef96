"""What is said on a terminal while a machine says nothing, and by which commands."""

from __future__ import annotations

import io
import sys
import time

import pytest

import guestmap.qmp.client.dial
from guestmap.base import PeerError
from guestmap.cli import main, patience
from tests.cli.test_limits import ASKING

SILENT = "unix:/nobody"
MORE = {
    "explain": ("0x10",), "why-not": ("pc.ram",), "plug": ("1G",), "unplug": ("dimm0",),
    "resize": ("vm0", "1G"), "read": ("0x10", "4"), "draw": ("-o", "map.svg"),
    "diff": (SILENT,), "dma": ("pci",),
}  # fmt: skip
SAYS_IT_ELSEWHERE = {"serve"}
"""On its page, which is there at once."""


class Screen(io.TextIOWrapper):
    """A terminal that keeps what is written."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, "utf-8", write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        return self.bytes.getvalue().decode()


def at_a_screen(patch: pytest.MonkeyPatch) -> Screen:
    """Sit at a terminal, without patience."""
    made = Screen()
    patch.setenv("COLUMNS", "200")
    patch.setattr(sys, "stderr", made)
    patch.setattr(patience, "_SOON_S", 0.01)
    return made


def wait_for(screen: Screen, words: str) -> None:
    end = time.monotonic() + 30
    while words not in screen.shown and time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize("command", sorted(ASKING - SAYS_IT_ELSEWHERE))
def test_a_command_says_whom_it_waits_for(command, monkeypatch, tmp_path):
    screen = at_a_screen(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["guestmap", command, SILENT, *MORE.get(command, ())])

    def says_nothing(*_: object) -> None:
        wait_for(screen, f"waiting for {SILENT}")
        raise PeerError("it is as silent as before")

    monkeypatch.setattr(guestmap.qmp.client.dial, "dial", says_nothing)
    with pytest.raises(SystemExit):
        main()
    said = screen.shown
    assert f"waiting for {SILENT} (given up after 3 s without a greeting, 30 s" in said
    assert said.rstrip().endswith("it is as silent as before")


def test_what_was_said_is_taken_back(monkeypatch):
    screen = at_a_screen(monkeypatch)
    with patience.patience(SILENT):
        wait_for(screen, "waiting for")
    assert screen.shown.endswith("\x1b[2K"), "ECMA-48, EL: the line is blank again"


@pytest.mark.parametrize("source", ["-", "boot", "a-file", "tcp:no-port"])
def test_nothing_is_said_of_what_is_no_machine(source, monkeypatch):
    screen = at_a_screen(monkeypatch)
    with patience.patience(source):
        time.sleep(0.05)
    assert screen.shown == ""


def test_nothing_is_said_into_a_pipe(monkeypatch):
    monkeypatch.setattr(sys, "stderr", shown := io.StringIO())
    monkeypatch.setattr(patience, "_SOON_S", 0.0)
    with patience.patience(SILENT):
        time.sleep(0.05)
    assert shown.getvalue() == ""
