"""The commands on a machine of our own: ``boot`` and ``reset`` as sources."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from guestmap.base import ConfigError
from guestmap.cli.source import load_snapshot, own_machine
from tests.support.processes import popen

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios]

SEGMENT_F = 0xF0000


def _answers_at(source: str, address: int) -> str:
    snapshot = load_snapshot(source)
    view = next(v for v in snapshot.views if any(u.name == "memory" for u in v.users))
    return next(r.name for r in view.ranges if r.start <= address < r.start + r.size)


def test_at_reset_the_bios_answers_and_after_the_boot_its_copy_in_ram():
    assert _answers_at("reset:64M", SEGMENT_F) == "pc.bios"
    assert _answers_at("boot:64M", SEGMENT_F) == "pc.ram"


def test_other_names_are_no_machine_of_ours():
    assert own_machine("boot.json") is None
    with pytest.raises(ConfigError, match="-m nonsense: Parameter 'size' expects"):
        own_machine("boot:nonsense")


def test_watching_a_boot_tells_true_causes_and_ends_with_a_summary():
    command = [sys.executable, "-m", "guestmap", "watch", "boot:64M"]
    with popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        told = []
        for line in run.stdout:
            told.append(line)
            if "== halt" in line:
                break
        run.send_signal(signal.SIGINT)
        rest, errors = run.communicate(timeout=30)
    assert any("PAM 59h <- 30h" in line for line in told)
    assert "map: " in rest
    assert errors == ""
