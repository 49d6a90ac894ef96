"""A headless Chromium, and where things are in the pages that it shows."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1500,950",
)  # fmt: skip

_PATIENCE_S = 60
"""Who else is busy may make a page slow; nothing here tells how fast it is."""

_IN_SHADOWS = """
function* all(root) {
  for (const each of root.querySelectorAll("*")) {
    yield each
    if (each.shadowRoot) yield* all(each.shadowRoot)
  }
}
"""

_PLOTS = """
const models = [...Bokeh.documents[0]._all_models.values()]
const plots = models.filter(each => each.type == "Figure" && each.toolbar_location)
"""

_STRANGE = r"""
const done = arguments[0]
window.ran = []
const put = (tag, fill) => {
  const each = document.createElement(tag)
  fill(each)
  document.body.append(each)
}
put("script", each => each.textContent = "window.ran.push('a script in the page')")
put("script", each => each.src = "data:text/javascript,window.ran.push('a script from elsewhere')")
put("div", each => each.innerHTML = `<img src="data:," onerror="window.ran.push('a handler')">`)
put("iframe", each => each.srcdoc = "<script>parent.ran.push('a script in a frame')<\/script>")
const link = document.createElement("a")
link.href = "javascript:window.ran.push('a link'), undefined"
link.click()
fetch("data:text/plain,x").then(() => window.ran.push("a request"), () => {})
setTimeout(() => done(window.ran), 500)
"""
"""Hostile, but for what it does: ways by which a page runs something or sends it elsewhere."""


class Browser:
    """One page at a time."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        """Open a page and wait until its pictures are drawn."""
        self.driver.get(address)
        self.wait("return window.Bokeh && Bokeh.documents.length > 0")
        self.wait(f"{_PLOTS} return plots.length > 0 && plots[0].inner_height > 0")
        self.wait(f"{_PLOTS} return models.some(m => m.type == 'ColumnDataSource' &&"
                  " (m.data.text || []).length > 0)")  # fmt: skip

    def run(self, script: str, *args: Any) -> Any:
        """Run a script in the page; ``plots`` and ``all(root)`` are at hand."""
        return self.driver.execute_script(_IN_SHADOWS + _PLOTS + script, *args)

    def wait(self, script: str) -> Any:
        """Wait until a script returns something true."""
        return WebDriverWait(self.driver, _PATIENCE_S).until(
            lambda driver: driver.execute_script(_IN_SHADOWS + script)
        )

    def until(self, done: Callable[[], Any]) -> Any:
        """Wait until a condition holds."""
        return WebDriverWait(self.driver, _PATIENCE_S).until(lambda _: done())

    def element(self, selector: str) -> WebElement:
        """Return the first element that a selector finds, in shadow trees too."""
        return self.wait(f"for (const e of all(document)) if (e.matches({selector!r})) return e")

    def texts(self, selector: str) -> list[str]:
        """Return what elements say, in shadow trees too."""
        return self.run(
            "return [...all(document)].filter(e => e.matches(arguments[0])).map(e =>"
            " e.innerText || e.textContent)", selector,
        )  # fmt: skip

    def point_at(self, lane: str, title: str) -> None:
        """Move the pointer onto the middle of a box in the first panel."""
        x, y = self.run(
            """
            const source = models.find(m => m.type == "ColumnDataSource" && m.data.title)
            const data = source.data
            const i = data.title.findIndex((each, i) =>
              each == arguments[1] && data.lane[i].startsWith(arguments[0]))
            const plot = plots[0]
            const view = Bokeh.index.find_one(plot), box = view.el.getBoundingClientRect()
            const {x_scale, y_scale} = view.frame
            return [box.left + x_scale.compute((data.left[i] + data.right[i]) / 2),
                    box.top + y_scale.compute((data.top[i] + data.bottom[i]) / 2)]
            """,
            lane,
            title,
        )
        actions = ActionChains(self.driver)
        actions.w3c_actions.pointer_action.move_to_location(int(x) - 9, int(y))
        actions.w3c_actions.pointer_action.move_to_location(int(x), int(y))
        actions.perform()

    def press(self, label: str) -> None:
        """Press a button."""
        self.wait(
            "return [...all(document)].find(e => e.tagName == 'BUTTON' &&"
            f" e.textContent.trim() == {label!r})"
        ).click()

    def runs_strange_scripts(self) -> list[str]:
        """Put scripts into the page that it did not come with; return which of them ran."""
        strange = self.driver.execute_async_script(_STRANGE)
        self.complaints()  # of what was refused
        return strange

    def complaints(self) -> list[str]:
        """Return what the page wrote to the console that is not mere information."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] not in ("INFO", "DEBUG")]  # fmt: skip

    def tidy(self) -> None:
        """Leave nothing to who comes next: one empty window, of the usual size, no complaints."""
        first, *others = self.driver.window_handles
        for each in others:
            self.driver.switch_to.window(each)
            self.driver.close()
        self.driver.switch_to.window(first)
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.driver.get("about:blank")
        self.complaints()


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Run Chromium with a fresh profile."""
    options = webdriver.ChromeOptions()
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.binary_location = _program("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(_program("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def _program(name: str) -> str:
    import shutil

    found = shutil.which(name)
    assert found is not None, name
    return found
