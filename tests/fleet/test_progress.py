"""How far a fleet's work is, on a terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from guestmap.cli import fleet_setting
from guestmap.cli.fleet_setting import progress


def test_done_failed_left_rate_and_time_left_are_told(monkeypatch: pytest.MonkeyPatch):
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=120)
    monkeypatch.setattr("guestmap.cli.console.console", lambda **_: terminal)
    monkeypatch.setattr(fleet_setting.sys.stderr, "isatty", lambda: True, raising=False)
    with progress(5) as shown:
        for failed in (False, True, False):
            shown.add(failed=failed)
        shown._shown.refresh()
    told = out.getvalue()
    assert "3 done, 1 failed," in told
    assert "2 left" in told
    assert "a second" in told
    assert re.search(r"0:00:0\d", told)


def test_nothing_goes_into_a_pipe(capsys):
    with progress(5) as shown:
        shown.add(failed=False)
    assert capsys.readouterr() == ("", "")
