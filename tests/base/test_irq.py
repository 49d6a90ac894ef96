from __future__ import annotations

from guestmap.base import IrqLine


def test_the_receiver_hears_of_edges_only() -> None:
    heard: list[bool] = []
    line = IrqLine(heard.append, name="IRQ 4")
    line.set(False)
    line.set(True)
    line.set(True)
    line.set(1)  # type: ignore[arg-type]
    assert repr(line) == "<IrqLine IRQ 4 high>"
    line.set(False)
    assert heard == [True, False]
    line.pulse()
    assert heard == [True, False, True, False]
    assert repr(line) == "<IrqLine IRQ 4 low>"


def test_a_pulse_on_a_high_line_ends_it() -> None:
    heard: list[bool] = []
    line = IrqLine(heard.append)
    line.set(True)
    line.pulse()
    assert heard == [True, False]
    assert not line.level


def test_an_open_wire_takes_levels() -> None:
    line = IrqLine()
    line.set(True)
    assert line.level


def test_a_receiver_that_comes_late_hears_of_a_high_level() -> None:
    heard: list[bool] = []
    line = IrqLine()
    line.connect(heard.append)
    assert heard == []
    line.set(True)
    other: list[bool] = []
    line.connect(other.append)
    line.set(False)
    assert (heard, other) == ([True], [True, False])
