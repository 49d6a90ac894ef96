"""How far a fleet's work is, on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from guestmap.cli import fleet_progress
from guestmap.cli.fleet_progress import progress


def test_done_failed_left_rate_and_time_left_are_told(monkeypatch: pytest.MonkeyPatch):
    out, now = io.StringIO(), [100.0]
    terminal = Console(file=out, force_terminal=True, width=120, get_time=lambda: now[0])
    monkeypatch.setattr(fleet_progress, "console", lambda **_: terminal)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress(5) as shown:
        now[0] += 6
        for failed in (False, True, False):
            shown.add(failed=failed)
        shown._shown.refresh()
        assert "2 done, 1 failed, 2 left, 0.5 a second, 0:00:04 to go" in out.getvalue()
        now[0] += 24  # and nobody answers
        shown._shown.refresh()
        assert "2 done, 1 failed, 2 left, 0.1 a second, 0:00:20 to go" in out.getvalue()


def test_nothing_goes_into_a_pipe(capsys):
    with progress(5) as shown:
        shown.add(failed=False)
    assert capsys.readouterr() == ("", "")
