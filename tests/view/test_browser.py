"""The web page in a real Chromium."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from guestmap.view import compare, compose
from guestmap.view.page import html_page
from tests.view.maps import many, pc

if TYPE_CHECKING:
    from pathlib import Path

    from guestmap.view import Picture
    from tests.view.browser import Browser

pytestmark = [pytest.mark.chromium, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def _open(browser: Browser, folder: Path, picture: Picture) -> None:
    file = folder / "map.html"
    file.write_text(html_page(picture), encoding="utf-8")
    browser.open(file.as_uri())


def _answer(browser: Browser) -> str:
    return browser.run(
        "return models.find(m => m.type == 'Div' && m.name == 'answer').text.toString()"
    )


def _search(browser: Browser, words: str) -> str:
    from selenium.webdriver.common.keys import Keys

    browser.element("input[type=text]").send_keys(Keys.CONTROL, "a", Keys.NULL, words)
    browser.until(
        lambda: words == browser.run("return models.find(m => m.type == 'TextInput').value_input")
    )
    return _answer(browser)


def test_the_page_loads_without_a_complaint_and_without_fetching_anything(browser, tmp_path):
    _open(browser, tmp_path, compose(pc()))
    assert browser.complaints() == []
    assert browser.run("return performance.getEntriesByType('resource').map(e => e.name)") == []
    assert "Memory map of a small PC" in browser.driver.title


ALL_STRANGE = {
    "a script in the page", "a script from elsewhere", "a handler", "a script in a frame",
    "a link", "a request",
}  # fmt: skip


def test_scripts_that_the_page_did_not_come_with_are_not_run(browser, tmp_path):
    page, end, rest = html_page(compose(pc())).rpartition("</body>")
    file = tmp_path / "map.html"
    written = "<script>document.title = 'hostile'</script><p onclick='document.title = 1'></p>"
    file.write_text(page + written + end + rest, encoding="utf-8")
    browser.open(file.as_uri())
    assert browser.driver.title.startswith("Memory map of ")
    assert browser.runs_strange_scripts() == []
    assert "of 2: hpet" in _search(browser, "hpet"), "its own still are"


def test_a_page_without_a_policy_would_run_them_all(browser, tmp_path):
    file = tmp_path / "map.html"
    file.write_text("<!DOCTYPE html><title>bare</title><body></body>", encoding="utf-8")
    browser.driver.get(file.as_uri())
    assert set(browser.runs_strange_scripts()) == ALL_STRANGE


def test_words_fit_and_ticks_keep_apart(browser, tmp_path):
    _open(browser, tmp_path, compose(many()))
    tall, ticks, words = browser.run("""
        const plot = plots[0], view = Bokeh.index.find_one(plot)
        const texts = models.find(m => m.type == "ColumnDataSource" && m.data.align).data.text
        return [plot.inner_height / Math.abs(plot.y_range.end - plot.y_range.start),
                plot.left[0].ticker.ticks, texts]
    """)
    assert len(ticks) > 10
    gaps = [(b - a) * tall for a, b in pairwise(ticks)]
    assert min(gaps) >= 12, "labels of the axis would overlap"
    assert 20 < len(words) < 400, "only what is in view is written"


def test_the_pointer_says_what_a_box_is_and_what_hides_it(browser, tmp_path):
    _open(browser, tmp_path, compose(pc()))
    browser.point_at("depth 2", "pc.rom")
    said = browser.until(
        lambda: next((t for t in browser.texts(".bk-tooltip-content") if "pc.rom" in t), None)
    )
    for words in ("hidden by pam-ram: priority 1 beats -1 of pci", "0xc_0000", "16 KiB", "ROM",
                  "system / pci / pc.rom", "pointer at 0xc_"):  # fmt: skip
        assert words in said


def test_a_name_is_found_and_the_next_one_with_enter(browser, tmp_path):
    _open(browser, tmp_path, compose(pc()))
    first = _search(browser, "HPET")
    assert first.startswith("1 of 2: hpet: 0xfed0_0000"), first
    assert "seen by memory" in first
    browser.element("input[type=text]").send_keys("\n")
    second = browser.until(lambda: (now := _answer(browser)) != first and now)
    assert second.startswith("2 of 2"), second
    marked = browser.run("""return models.find(m => m.type == "ColumnDataSource" && m.data.width)
                            .data.left.length""")
    assert marked == 2


def test_an_address_is_found_in_every_lane(browser, tmp_path):
    _open(browser, tmp_path, compose(pc()))
    for spelling in ("0xC2000", "c2000h", "0xc_2000", "c2000"):
        said = _search(browser, spelling)
        assert "0xc_2000: pc.ram, RAM, seen, in lane seen by memory" in said, spelling


def test_what_is_far_away_comes_into_view(browser, tmp_path):
    _open(browser, tmp_path, compose(many()))
    before = browser.run("return plots[0].y_range.start")
    said = _search(browser, "bar999")
    assert "bar999: 0xe0f9_c800" in said
    after = browser.run("return plots[0].y_range.start")
    assert after > before + 100


def test_a_name_in_another_tab_opens_it(browser, tmp_path):
    _open(browser, tmp_path, compose(pc()))
    assert "pit" in _search(browser, "pit")
    assert browser.run("return models.find(m => m.type == 'Tabs').active") == 1


def test_nothing_found_is_said(browser, tmp_path):
    _open(browser, tmp_path, compose(pc()))
    assert _search(browser, "zebra") == "no region has that in its name"


def test_a_screenshot_shows_the_colours_of_ram_and_of_what_changed(browser, tmp_path):
    from PIL import Image

    _open(browser, tmp_path, compare(pc(shadowed=False), pc()))
    file = tmp_path / "map.png"
    assert browser.driver.save_screenshot(str(file))
    with Image.open(file) as image:
        colours = {colour: n for n, colour in image.convert("RGB").getcolors(1 << 24)}
    assert colours.get((0x9B, 0xD3, 0xB4), 0) > 2000, "RAM"
    assert colours.get((0xD1, 0x00, 0x5B), 0) > 200, "changed"


MOVE = """
    const done = arguments[0], models = [...Bokeh.documents[0]._all_models.values()]
    const plot = models.find(m => m.type == "Figure" && m.toolbar_location)
    let frame = 0
    const step = () => {
      if (frame++ == 30) return done(plot.y_range.end)
      plot.y_range.setv({start: 60 + frame, end: frame})
      requestAnimationFrame(step)
    }
    step()
"""


def test_a_thousand_ranges_are_no_more_to_draw_than_a_hundred(browser, tmp_path):
    """A view that moves is fluent where each frame draws a few glyphs, whatever is in them."""
    drawn = {}
    for count in (100, 1000):
        _open(browser, tmp_path, compose(many(count)))
        assert browser.driver.execute_async_script(MOVE) == 30
        drawn[count] = browser.run(
            "return models.filter(m => m.type == 'GlyphRenderer' || m.type == 'LabelSet').length"
        )
    assert browser.complaints() == []
    assert 0 < drawn[1000] == drawn[100] < 50


_SIZE = "Emulation.setDeviceMetricsOverride"


def test_no_words_touch_the_edges_of_their_box(browser, tmp_path):
    """A font of 11 pixels is 13 high, and the ink of a line some 10."""
    size = {"width": 700, "height": 500, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd(_SIZE, size)
    try:
        _open(browser, tmp_path, compose(pc()))
        pitch, lines = browser.run("""
            const plot = plots[0], range = plot.y_range
            const tall = plot.inner_height / Math.abs(range.end - range.start)
            const tables = models.filter(m => m.type == "ColumnDataSource").map(m => m.data)
            const labels = tables.find(m => m.upright), written = tables.find(m => m.align)
            const lines = []
            for (let i = 0; i < written.text.length; i++) {
              const rooms = [...labels.top].map((top, k) => [top, labels.bottom[k]])
                .filter(([top, bottom]) => Math.abs((top + bottom) / 2 - written.y[i]) < 1e-6)
                .map(([top, bottom]) => (bottom - top) * tall)
              if (!written.angle[i] && rooms.length)
                lines.push([written.text[i].split("\\n").length, Math.min(...rooms)])
            }
            return [13 * models.find(m => m.type == "Text").text_line_height.value, lines]
        """)
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert any(count > 1 for count, _ in lines)
    assert all(room >= pitch * count for count, room in lines if count > 1), (pitch, lines)


@pytest.mark.parametrize("width", [1400, 700])
def test_a_map_fits_and_its_words_can_be_read(browser, tmp_path, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd(_SIZE, size)
    try:
        _open(browser, tmp_path, compose(pc()))
        page, edge, words, heads = browser.run("""
            const box = Bokeh.index.find_one(plots[0]).el.getBoundingClientRect()
            const data = models.find(m => m.type == "ColumnDataSource" && m.data.align).data
            return [document.documentElement.scrollWidth, box.right, data.text,
                    [...plots[0].above[0].major_label_overrides.values()]]
        """)
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert page == width, "nothing is out of the window"
    assert edge <= width
    assert any(each.startswith(("pam-ram → pc.ram", "pam-ram →\npc.ram")) for each in words)
    assert heads[0] in {"seen by\nmemory, cpu-memory-0", "seen by\nmemory and 1 more"}
    assert "…" not in "".join(words)


@pytest.mark.parametrize(("width", "beside"), [(1400, True), (700, False)])
def test_a_comparison_fits_and_says_first_what_happened(browser, tmp_path, width, beside):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd(_SIZE, size)
    try:
        picture = compare(pc(shadowed=False), many())
        assert len(picture.panels[0].lanes) > 8
        _open(browser, tmp_path, picture)
        page, causes, words, plot, ends, end = browser.run("""
            const place = model => {
              const box = Bokeh.index.find_one(model).el.getBoundingClientRect()
              return [box.left, box.top, box.right, box.bottom]
            }
            const said = models.find(m => m.type == "Div" && m.name == "causes")
            const heads = models.find(m => m.type == "ColumnDataSource" && m.data.middle)
            return [document.documentElement.scrollWidth, place(said), said.text, place(plots[0]),
                    heads.data.right, plots[0].x_range.end]
        """)
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert page == width, "nothing is out of the window"
    assert picture.causes
    assert all(each in words for each in picture.causes)
    left, top, right, bottom = plot
    assert right <= width
    assert (causes[2] <= left) if beside else (causes[3] <= top)
    assert bottom - top >= 400
    assert any(abs(each + 0.03 - end) < 0.001 for each in ends), "whole lanes are shown"
    assert end >= ends[2], "and never less than what changed"


@pytest.mark.parametrize("width", [1400, 700])
@pytest.mark.parametrize("compared", [False, True])
def test_in_a_low_window_no_words_are_over_the_picture(browser, tmp_path, width, compared):
    size = {"width": width, "height": 480, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd(_SIZE, size)
    try:
        picture = compare(pc(shadowed=False), pc()) if compared else compose(pc())
        _open(browser, tmp_path, picture)
        page, window, between = browser.run("""
            const box = e => e.getBoundingClientRect(), root = document.documentElement
            const notes = [...all(document)].find(e => e.tagName == "SMALL")
            const plot = Bokeh.index.find_one(plots[0]).el
            return [root.scrollWidth, root.clientWidth, box(notes).top - box(plot).bottom]
        """)
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert page == window
    assert between >= 0
