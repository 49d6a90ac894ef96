"""The guest's screen beside its map in ``guestmap serve``, in a real Chromium."""

from __future__ import annotations

import re
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.serving import served
from tests.guests.disk import disk
from tests.support.qemu import Qemu

if TYPE_CHECKING:
    from pathlib import Path

    from tests.view.browser import Browser

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.nasm,
    pytest.mark.seabios,
    pytest.mark.unicorn,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

_SIZE = "Emulation.setDeviceMetricsOverride"
_BOX = """
    const box = Bokeh.index.find_one(models.find(each => each.name == "screen"))
      .el.getBoundingClientRect()
    return [box.left, box.top, box.width, box.height]
"""


def _shown(browser: Browser) -> list[int]:
    """Return how large the picture is; nothing before the first."""
    return browser.run("""
        const data = models.find(m => m.type == "ColumnDataSource" && m.data.wide).data
        return [...data.wide, ...data.tall]
    """)


def _dot(browser: Browser) -> str:
    return browser.run("return models.find(each => each.name == 'dot').text.toString()")


def _click(browser: Browser, across: float, down: float) -> str:
    """Click on the screen, somewhere between its edges; return what is said then.

    A page that is not laid out yet moves away from below the pointer: then once more.
    """
    from selenium.webdriver.common.action_chains import ActionChains

    before = _dot(browser)

    def clicked() -> bool:
        left, top, width, height = browser.run(_BOX)
        actions = ActionChains(browser.driver)
        place = int(left + across * width), int(top + down * height)
        actions.w3c_actions.pointer_action.move_to_location(*place)
        actions.w3c_actions.pointer_action.click()
        actions.perform()
        return _dot(browser) != before

    browser.until(clicked)
    return _dot(browser)


def _type(browser: Browser, keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser.driver).send_keys(keys).perform()


def _image(browser: Browser, script: str) -> Any:
    """Run a script that knows the picture as ``image``."""
    return browser.run(f"""
        const {{image}} = models.find(m => m.type == "ColumnDataSource" && m.data.wide).data
        {script}
    """)


def _stands_still(browser: Browser, down: float) -> bool:
    """Tell whether the picture is the same while somebody clicks, and is answered."""
    _image(browser, "window.before = image")
    _click(browser, 0.25, down)
    return bool(_image(browser, "return window.before === image"))


def _is_told_of_text(said: str) -> bool:
    """Tell whether it is where a dot of text is: its cell's two bytes, and two ways to them."""
    dot = re.match(r"dot (\d+), (\d+): its character, 2 bytes at (\w+) of RAM block (\S+);", said)
    if dot is None or dot[4] != "0000:00:02.0/vga.vram":
        return False
    cell = int(dot[2]) // 16 * 80 + int(dot[1]) // 9
    assert int(dot[3], 16) == 4 * cell
    ways = f"{0xB8000 + 2 * cell:#_x} (vga-lowmem) and {0xFD000000 + 4 * cell:#_x} (vga.vram)"
    return said.endswith(f"guest address {ways}")


def _is_told_of_mode_13h(said: str) -> bool:
    """Tell whether it is where a dot of 320x200 is, shown twice in both directions."""
    dot = re.match(r"dot (\d+), (\d+): its bytes, 1 byte at (\w+) of RAM block ", said)
    if dot is None:
        return False  # the picture is of a moment of the change of modes
    offset = int(dot[2]) // 2 * 320 + int(dot[1]) // 2
    ways = f"{0xA0000 + offset:#_x} (vga.vram) and {0xFD000000 + offset:#_x} (vga.vram)"
    return int(dot[3], 16) == offset and said.endswith(f"guest address {ways}")


def test_the_screen_is_beside_the_map_typed_into_and_asked_where_a_dot_is(
    browser: Browser, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.write_bytes(disk("typist"))
    with served("boot", "-m", "32M", "--vga", "std", "--disk", image) as url:
        browser.open(url)
        browser.until(lambda: browser.run("""
            const list = models.find(m => m.type == "MultiSelect" && m.name == "happened")
            return list.options.some(each => each[1].includes("== runtime"))
        """))  # fmt: skip
        browser.until(lambda: _shown(browser) == [720, 400])
        places = cycle((0.25, 0.75))
        browser.until(lambda: _is_told_of_text(_click(browser, 0.5, next(places))))
        _image(browser, "window.before = image")
        browser.until(
            lambda: _type(browser, "a") or _image(browser, "return window.before !== image")
        )
        browser.until(lambda: _type(browser, "g") or _shown(browser) == [640, 400])
        browser.until(lambda: _is_told_of_mode_13h(_click(browser, 0.5, next(places))))
        browser.until(lambda: _stands_still(browser, next(places)))
        fetched = browser.run("return performance.getEntriesByType('resource').map(e => e.name)")
        assert all(each.startswith((url, url.replace("http", "ws"))) for each in fetched)
        assert browser.runs_strange_scripts() == []
        assert browser.complaints() == []


@pytest.mark.qemu
def test_the_screen_of_a_running_qemu_is_looked_at_and_with_leave_typed_into(
    browser: Browser, tmp_path: Path
) -> None:
    image, socket = tmp_path / "image", tmp_path / "qmp"
    image.write_bytes(disk("typist"))
    words = ("-drive", f"file={image},format=raw,if=none,id=d", "-device", "ide-hd,drive=d")
    monitor = ("-qmp", f"unix:{socket},server=on,wait=off")
    with (
        Qemu("-m", "32M", "-vga", "std", *words, *monitor, stopped=False),
        served(f"unix:{socket}", "--keys") as url,
    ):
        browser.open(url)
        browser.until(lambda: _shown(browser) == [720, 400])
        assert "does not tell where it is" in _click(browser, 0.5, 0.25)
        browser.until(lambda: _type(browser, "g") or _shown(browser) == [640, 400])


def test_the_screen_and_the_map_fit_a_narrow_window(browser: Browser, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(disk("typist"))
    size = {"width": 700, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    with served("boot", "-m", "32M", "--vga", "cirrus", "--disk", image) as url:
        browser.driver.execute_cdp_cmd(_SIZE, size)
        try:
            browser.open(url)
            browser.until(lambda: _shown(browser) == [720, 400])
            browser.until(lambda: _is_below(browser, 700))
        finally:
            browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def _is_below(browser: Browser, wide: int) -> bool:
    """Tell whether the screen is below the map, whole, and as wide as there is room."""
    left, top, width, height = browser.run(_BOX)
    page, low = browser.run("""
        return [document.documentElement.scrollWidth,
                Bokeh.index.find_one(plots[0]).el.getBoundingClientRect().bottom]
    """)
    is_whole = 0 <= left <= left + width <= page <= wide
    return is_whole and top >= low and width > 600 and 1.7 < width / height < 1.9
