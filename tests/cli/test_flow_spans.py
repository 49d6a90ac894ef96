"""The firmware's flow as spans over time: hand-made events, and those of a boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from guestmap.cli import films
from guestmap.cli.films import BootWishes
from guestmap.cli.flow_spans import FlowSpans
from guestmap.machine import MachineConfig, Phase
from guestmap.machine.flow.records import (
    Decided,
    Decision,
    FirmwareEntry,
    FlowEvent,
    InterruptsOpen,
    ModeChange,
    Stack,
    StackHop,
    StackKind,
)
from guestmap.view.film import MOST_NOTES, Film, FilmSpan
from tests.cli.serving import served

if TYPE_CHECKING:
    from tests.view.browser import Browser

_MAIN, _THREAD, _EXTRA = (
    Stack(number, kind, f"pc.ram @{at:x}", at, at, 0)
    for number, (kind, at) in enumerate(
        ((StackKind.MAIN, 0x7000), (StackKind.THREAD, 0x2FE8FFC), (StackKind.EXTRA, 0xE94B0))
    )
)
_M, _T, _E = (
    "stack 0 main: pc.ram @7000", "stack 1 thread: pc.ram @2fe8ffc", "stack 2 extra: pc.ram @e94b0"
)  # fmt: skip


def _told(*events: FlowEvent) -> dict[str, list[tuple[str, int, int | None]]]:
    """Return what is in each lane: kind, and from when until when in seconds."""
    film = Film("a boot")
    spans = FlowSpans(film)
    for event in events:
        spans.hear(event)
    lanes: dict[str, list[tuple[str, int, int | None]]] = {}
    for each in sorted(film.spans, key=lambda span: span.rank):
        end = None if each.end_s is None else round(each.end_s)
        lanes.setdefault(each.lane, []).append((each.kind, round(each.start_s), end))
    return lanes


def _s(seconds: int) -> int:
    return seconds * 10**9


def _hop(
    second: int, before: Stack | None, after: Stack, cause: str = "",
    *, begins: bool = False, ends: bool = False,
) -> StackHop:  # fmt: skip
    return StackHop(_s(second), before, after, cause, begins, ends)


def test_a_stack_that_is_left_lives_on_and_one_that_ends_does_not() -> None:
    assert _told(
        FirmwareEntry(_s(1), "power on"),
        _hop(2, None, _MAIN, begins=True),
        _hop(3, _MAIN, _THREAD, begins=True),
        _hop(5, _THREAD, _MAIN),
        _hop(6, _MAIN, _THREAD),
        _hop(8, _THREAD, _MAIN, ends=True),
        _hop(9, _MAIN, _THREAD, begins=True),
    ) == {
        _M: [("life", 2, None), ("use", 2, 3), ("use", 5, 6), ("use", 8, 9)],
        _T: [("life", 3, 8), ("use", 3, 5), ("use", 6, 8), ("life", 9, None), ("use", 9, None)],
    }


def test_modes_stand_above_windows_and_these_above_stacks() -> None:
    lanes = _told(
        FirmwareEntry(_s(1), "power on"),
        _hop(2, None, _MAIN, begins=True),
        InterruptsOpen(_s(3), _s(4), 0xF8777, ()),
        InterruptsOpen(_s(5), _s(7), 0xF8777, (8,)),
        ModeChange(_s(6), "16-bit", "32-bit"),
        ModeChange(_s(8), "32-bit", "16-bit"),
    )
    assert [*lanes] == ["16-bit", "32-bit", "interrupts open", _M]
    assert lanes["16-bit"] == [("use", 1, 6), ("use", 8, None)]
    assert lanes["32-bit"] == [("use", 6, 8)]
    assert lanes["interrupts open"] == [("use", 3, 4), ("mark", 5, 7)]


def test_nothing_goes_on_over_a_boot_and_a_reset_begins_anew() -> None:
    entry = FirmwareEntry(_s(1), "power on", Decision.START)
    assert _told(
        entry,
        _hop(2, None, _MAIN, begins=True),
        ModeChange(_s(3), "16-bit", "32-bit"),
        Decided(_s(5), entry),
        FirmwareEntry(_s(9), "reset"),
        _hop(10, None, _MAIN),
        ModeChange(_s(11), "16-bit", "32-bit"),
    ) == {
        "16-bit": [("use", 1, 3), ("use", 9, 11)],
        "32-bit": [("use", 3, 5), ("use", 11, None)],
        _M: [("life", 2, 5), ("use", 2, 5), ("life", 10, None), ("use", 10, None)],
    }


def test_what_made_a_hop_is_said() -> None:
    film = Film("a boot")
    spans = FlowSpans(film)
    spans.hear(_hop(2, _MAIN, _EXTRA, "INT 13h", begins=True))
    assert [each.lane for each in film.spans] == [_E, _E]
    assert [each.said for each in film.spans] == [
        "its life, come to as INT or an interrupt enters the firmware", "come to by INT 13h",
    ]  # fmt: skip


def test_spans_that_are_too_many_are_counted() -> None:
    film = Film("talkative")
    for number in range(MOST_NOTES + 2):
        film.add_span(FilmSpan("a lane", number))
    assert (len(film.spans), film.unlisted) == (MOST_NOTES, 2)


@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_boot_has_the_stacks_and_modes_of_its_firmware() -> None:
    film = Film("a boot")
    config = MachineConfig(ram_size=64 << 20, debugcon=True)
    films.of_boot(film, config, BootWishes(until=Phase.BOOT, flow=True))()
    lanes = {each.lane for each in film.spans}
    assert {"16-bit", "32-bit", "interrupts open", "stack 0 main: pc.ram @7000"} <= lanes
    assert any(" thread: pc.ram @" in lane for lane in lanes)
    lives = [each for each in film.spans if each.kind == "life"]
    assert all(each.end_s is not None and each.end_s >= each.start_s for each in lives)


_EDGES = """
const inner = plot => {
  const view = Bokeh.index.find_one(plot), box = view.el.getBoundingClientRect()
  const {left, right} = view.frame.bbox
  return [box.left + left, box.left + right]
}
const [times, spans] = ["times", "spans"].map(name => models.find(each => each.name == name))
return [...inner(times), ...inner(spans), spans.inner_height]
"""


@pytest.mark.chromium
@pytest.mark.unicorn
@pytest.mark.seabios
def test_the_bars_stand_below_the_time_that_they_are_of(browser: Browser) -> None:
    with served("boot", "-m", "64M", "--flow", "--until", "boot") as url:
        browser.open(url)
        browser.wait("""
            const [page] = Bokeh.documents
            return page.get_model_by_name("told").text.toString().includes("the machine is")
        """)
        for width in (700, 1400):
            browser.driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": 950, "deviceScaleFactor": 1, "mobile": False},
            )
            browser.until(lambda width=width: width - 60 < browser.run(_EDGES)[1] < width)
            left, right, *below, tall = browser.run(_EDGES)
            assert below == pytest.approx([left, right], abs=1)
            assert right - left > 400
            assert tall > 40
        lanes = browser.run("return models.find(m => m.type == 'FactorRange').factors")
        assert lanes[-1] == "16-bit", "the first is the uppermost"
        assert "stack 0 main: pc.ram @7000" in lanes
        told = browser.run("return models.find(m => m.name == 'told').text.toString()")
        browser.run("""
            const bars = models.find(m => m.type == "ColumnDataSource" && m.data.tall)
            bars.selected.indices = [bars.data.frame.findIndex(each => each > 0)]
        """)
        browser.until(
            lambda: told != browser.run("return models.find(m => m.name == 'told').text.toString()")
        )
        assert browser.complaints() == []
