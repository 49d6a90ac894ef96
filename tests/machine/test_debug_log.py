"""What becomes of the bytes that firmware writes to its debug console."""

from __future__ import annotations

from itertools import count

import pytest

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


def test_the_newest_lines_are_kept() -> None:
    log = DebugLog(count(1).__next__, lambda _line: None)
    _write(log, b"\n" * MOST_LINES)
    assert [line.time_ns for line in log.lines] == [*range(1, MOST_LINES + 1)]
    _write(log, b"\n")
    assert log.lines[0].time_ns == MOST_LINES // 2 + 1
    assert log.lines[-1].time_ns == MOST_LINES + 1


def test_a_line_is_cut_where_it_is_longest() -> None:
    log = DebugLog(lambda: 0, lambda _line: None)
    _write(log, b"x" * (LONGEST_LINE - 1))
    assert (log.lines, len(log.unfinished)) == ([], LONGEST_LINE - 1)
    _write(log, b"y")
    assert ([line.text[-2:] for line in log.lines], log.unfinished) == (["xy"], b"")


def test_it_goes_on_from_what_was_saved() -> None:
    log = DebugLog(lambda: 9, lambda _line: None)
    many = [LogLine(n, "") for n in range(MOST_LINES + 1)]
    log.restore(many, b"half of ")
    assert log.lines == many[1:]
    _write(log, b"a line\n")
    assert log.lines[-1] == LogLine(9, "half of a line")
    log.restore([], b"x" * LONGEST_LINE)
    assert len(log.unfinished) == LONGEST_LINE - 1
    _write(log, b"y")
    assert len(log.lines) == 1


@pytest.mark.parametrize("size", [1, 3, 100, LONGEST_LINE - 1, LONGEST_LINE, 2 * LONGEST_LINE + 1])
def test_several_bytes_at_a_time_are_what_one_at_a_time_is(size: int) -> None:
    whole = b"one\r\n" + b"x" * (2 * LONGEST_LINE) + b"\n\n\xe9 and so on" + b"y" * LONGEST_LINE
    single, several = (DebugLog(lambda: 0, lambda _line: None) for _ in range(2))
    _write(single, whole)

    for at in range(0, len(whole), size):
        several.text(whole[at : at + size])

    assert several.lines == single.lines
    assert several.unfinished == single.unfinished
