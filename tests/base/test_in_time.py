"""Work that is given up: who waits goes on, and no program stays behind."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from guestmap.base.in_time import Overdue, within
from tests.support.interrupts import INTERRUPTS

FOR_EVER = [sys.executable, "-SIc", "import time; time.sleep(60)"]


@pytest.mark.parametrize("interrupts", INTERRUPTS)
def test_ctrl_c_is_no_call_into_c_s_to_hold_up(interrupts):
    goes_on = threading.Event()
    interrupt = threading.Timer(0.1, interrupts)
    interrupt.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            within(600.0, goes_on.wait)
    finally:
        interrupt.join()
        goes_on.set()


def test_what_work_returns_or_raises_is_who_waits_for_its():
    assert within(10.0, lambda: 7) == 7
    with pytest.raises(KeyError, match="seven"):
        within(10.0, lambda: {}["seven"])


@pytest.mark.parametrize("part", [lambda work: work(), lambda work: within(30.0, work)])
def test_a_program_that_it_waits_for_ends_with_the_time(part):
    ended = threading.Event()
    statuses: list[int] = []

    def work() -> None:
        statuses.append(subprocess.run(FOR_EVER, check=False).returncode)
        ended.set()

    mine = subprocess.Popen(FOR_EVER)
    try:
        with pytest.raises(Overdue):
            within(3.0, lambda: part(work))  # by then it has started, on a busy host, too
        assert ended.wait(10.0)
        assert statuses == [-15]
        assert mine.poll() is None  # another thread's is none of its
    finally:
        mine.kill()
        mine.wait(10)
