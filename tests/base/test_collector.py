"""Python's garbage collector in a program of ours: what there is it leaves alone."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from guestmap.base.collector import collect_from_now_on
from guestmap.qmp import Session
from guestmap.monitor.hub import LIMITS

gc.disable()
kept = [[] for _ in range(10_000)]
session = Session({}, {}, limits=LIMITS)
collect_from_now_on()
before = gc.get_stats()[2]["collections"]
lists = b"[" + b"[]," * 120_000 + b"1]"
for _ in session.steps(b'{"execute": "qmp_capabilities", "id": ' + lists + b"}"):
    pass
print(gc.isenabled(), gc.get_freeze_count() > len(kept), gc.get_stats()[2]["collections"] - before)
"""


def test_a_long_message_brings_no_full_collection() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["True", "True", "0"]
