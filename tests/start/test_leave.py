"""A program that has nothing left to do ends at once, and nothing that was owed is left out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import guestmap

TAKEN_APART = """
class Kept:
    def __del__(self): print("taken apart", flush=True)
kept = Kept()
"""
LEAVE = "from guestmap.start.leave import leave; leave(3); print('still here'); sys.exit(4)"
THREAD = "import threading; threading.Thread(target=threading.main_thread().join).start()"


def python(*code: str) -> tuple[int, str]:
    """Return how a new Python ends, and what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(("import sys", *code))],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_it_ends_with_the_status_and_takes_nothing_apart() -> None:
    assert python(TAKEN_APART, LEAVE) == (3, "")
    assert python(TAKEN_APART, "sys.exit(3)") == (3, "taken apart\n")


def test_what_was_written_goes_out_and_what_was_registered_is_called() -> None:
    registered = "import atexit; atexit.register(print, 'registered')"

    assert python(registered, "print('written')", LEAVE) == (3, "written\nregistered\n")


@pytest.mark.parametrize(
    ("more", "expected"),
    [(THREAD, 4), ("sys.stdout = open('/dev/full', 'w'); print('lost')", 120)],
    ids=["a thread", "a full disk"],
)
def test_it_ends_in_order_where_more_is_to_be_waited_for(more: str, expected: int) -> None:
    status, _ = python(more, LEAVE)

    assert status == expected  # 120 is Python's word for output that was lost


def test_the_program_leaves_and_who_runs_it_as_a_part_of_his_own_goes_on(tmp_path: Path) -> None:
    program = Path(guestmap.__file__).with_name("__main__.py")
    missing = str(tmp_path / "missing")
    own = f"""
import runpy
sys.argv = ["guestmap", "explain", {missing!r}, "0x1000"]
try:
    runpy.run_path({str(program)!r}, run_name="__main__")
except SystemExit as ended:
    print("ended with", ended.code)
"""

    assert python(own) == (0, "ended with 2\n")
