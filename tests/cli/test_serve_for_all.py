"""``guestmap serve`` without a mouse, without eyes, and in small windows, in a real Chromium."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.view.browser import Browser

pytestmark = [pytest.mark.chromium, pytest.mark.unicorn, pytest.mark.seabios]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served("boot", "-m", "64M") as address:
        yield address


def _open(browser: Browser, url: str) -> None:
    browser.open(url)
    browser.until(lambda: "the machine is" in _told(browser))


def _told(browser: Browser) -> str:
    return browser.run("return models.find(m => m.type == 'Div' && m.name == 'told').text")


def _focusable(browser: Browser) -> dict[str, str]:
    """Return what can have the focus, by its name, as a screen reader is told: its role."""
    tree = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return {
        each["name"]["value"]: each["role"]["value"]
        for each in tree
        if not each["ignored"]
        and each["role"]["value"] not in {"RootWebArea", "option", "menuListPopup"}
        and any(told["name"] == "focusable" for told in each.get("properties", ()))
    }


_FOCUSED = """
let at = document.activeElement
while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
const said = at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent
return (said || at.textContent).trim()
"""


def _keys(browser: Browser, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser.driver).send_keys(*keys).perform()


def _go_to(browser: Browser, name: str) -> None:
    """Give something the focus with the Tab key alone."""
    from selenium.webdriver.common.keys import Keys

    met = []
    for _ in range(40):
        _keys(browser, Keys.TAB)
        met.append(browser.run(_FOCUSED))
        if met[-1].startswith(name):
            return
    raise AssertionError(met)


def _span(browser: Browser) -> list[float]:
    return browser.run("return [plots[0].y_range.end, plots[0].y_range.start]")


def test_all_that_can_be_used_has_a_name(browser: Browser, url: str) -> None:
    _open(browser, url)
    browser.until(lambda: "slider" in _focusable(browser).values())
    found = _focusable(browser)
    assert found.get("") is None
    assert {"frame": "slider", "speed": "combobox", "go to a moment": "textbox", "I/O": "tab",
            "▶ play": "button", "follow": "button"}.items() <= found.items()  # fmt: skip
    assert list(found.values()).count("application") == 1
    toggles = browser.run("""
        const toggles = [...all(document)].filter(e => e.ariaPressed)
        return toggles.map(e => [e.textContent, e.ariaPressed])
    """)
    assert dict(toggles) == {"▶ play": "false", "follow": "false"}


def test_all_can_be_done_with_the_keyboard(browser: Browser, url: str) -> None:
    from selenium.webdriver.common.keys import Keys

    _open(browser, url)

    def told_anew(name: str, *keys: str) -> str:
        before = _told(browser)
        _go_to(browser, name)
        _keys(browser, *keys)
        return browser.until(lambda: (now := _told(browser)) != before and now)

    assert "2 of" in told_anew("next", Keys.ENTER)
    assert "1 of" in told_anew("◀ back", Keys.ENTER)
    assert "setup" in told_anew("go to a moment", "setup", Keys.ENTER) or "PAM" in _told(browser)
    assert "at reset" not in told_anew("frame", Keys.RIGHT)
    told_anew("what happened", Keys.DOWN)
    _go_to(browser, "memory")
    _keys(browser, Keys.RIGHT)
    browser.until(lambda: browser.run("return models.find(m => m.type == 'Tabs').active") == 1)
    assert browser.run(_FOCUSED) == "I/O"
    _keys(browser, Keys.LEFT)
    browser.until(lambda: browser.run("return models.find(m => m.type == 'Tabs').active") == 0)
    _go_to(browser, "what is seen by memory")
    whole = _span(browser)
    _keys(browser, "+", "+", "+")
    near = browser.until(lambda: (now := _span(browser)) != whole and now)
    _keys(browser, Keys.HOME, Keys.ARROW_DOWN)
    first = browser.until(lambda: (now := _span(browser)) != near and now)
    assert first[1] - first[0] == pytest.approx((whole[1] - whole[0]) * (3 / 4) ** 3)
    _keys(browser, Keys.END)
    assert _span(browser)[1] >= first[1]
    _keys(browser, "0")
    browser.until(lambda: _span(browser)[1] - _span(browser)[0] >= whole[1] - whole[0])
    _go_to(browser, "find a name")
    _keys(browser, "hpet")
    answer = "return models.find(m => m.type == 'Div' && m.name == 'answer').text"
    browser.until(lambda: "hpet: 0xfed0_0000" in browser.run(answer))
    _go_to(browser, "▶ play")
    _keys(browser, Keys.SPACE)
    browser.until(lambda: browser.run("return models.find(m => m.label == '▶ play').active"))
    assert browser.complaints() == []


@contextmanager
def _window(browser: Browser, width: int, height: int) -> Iterator[None]:
    size: dict[str, Any] = {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False,
    }  # fmt: skip
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        yield
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("height", [900, 480])
@pytest.mark.parametrize("width", [1400, 1000, 700])
def test_a_window_cuts_nothing_and_columns_stay_where_they_are(
    browser: Browser, url: str, width: int, height: int
) -> None:
    with _window(browser, width, height):
        _open(browser, url)
        browser.until(lambda: browser.run("return models.find(m => m.name == 'times').inner_width"))
        page, window, beyond, below, words = browser.run("""
            const place = e => e.getBoundingClientRect()
            const plot = Bokeh.index.find_one(plots[0]).el
            const notes = [...all(document)].find(e => e.tagName == "SMALL")
            const used = [...all(document)].filter(e =>
              e.tabIndex >= 0 && place(e).width && getComputedStyle(e).visibility != "hidden")
            return [document.documentElement.scrollWidth, document.documentElement.clientWidth,
              used.filter(e => place(e).left < 0 || place(e).right > innerWidth)
                .map(e => e.outerHTML.slice(0, 80)),
              place(notes).top - place(plot).bottom,
              models.filter(m => m.type == "ColumnDataSource" && m.data.align)
                .flatMap(m => [...m.data.text])]
        """)
        assert page == window, "nothing is out of the window"
        assert beyond == []
        assert below >= 0, "no words over the picture"
        whole = [each for each in words if "\n" in each or "→" in each]
        assert whole
        assert "…" not in "".join(whole)
        if height < 900:  # where columns stand does not depend on it
            return
        places = set()
        count = int(_told(browser).split(" of ")[1].split("<")[0])
        for number in range(2, count + 1):
            browser.press("next ▶▏")
            browser.until(lambda number=number: f"{number} of {count}" in _told(browser))
            places.add(str(browser.run("""
                const heads = models.find(m => m.type == "ColumnDataSource" && m.data.middle).data
                return [heads.middle, heads.words, plots[0].x_range.start, plots[0].x_range.end]
            """)))  # fmt: skip
        assert len(places) == 1
