"""What becomes of the bytes that firmware writes to its debug console."""

from __future__ import annotations

from guestmap.machine.debug_log import LONGEST_LINE, MOST_LINES, DebugLog
from guestmap.machine.observed import LogLine
from guestmap.machine.phases import PhaseTracker


def _write(log: DebugLog, data: bytes) -> None:
    for byte in data:
        log.byte(byte)


def test_lines_are_stamped_and_told() -> None:
    told: list[LogLine] = []
    log = DebugLog(iter((5, 7)).__next__, told.append)
    _write(log, b"one\r\n\xe9\n rest")
    assert log.lines == told == [LogLine(5, "one"), LogLine(7, "\xe9")]


def test_a_guest_cannot_fill_the_host() -> None:
    log = DebugLog(lambda: 0, lambda _line: None)
    _write(log, b"x" * (3 * LONGEST_LINE + 1))
    assert [len(line.text) for line in log.lines] == [LONGEST_LINE] * 3
    _write(log, b"\n" * (3 * MOST_LINES) + b"last\n")
    assert len(log.lines) <= MOST_LINES
    assert log.lines[-1].text == "last"


def test_phases_of_a_guest_that_resets_for_ever() -> None:
    phases = PhaseTracker(lambda: 0)
    for _ in range(30_000):
        phases.reset("again")
    assert len(phases.changes) <= 10_000
