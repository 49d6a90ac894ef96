"""What goes on from an audit: a page with a cell for each machine, and rows for a notebook."""

from __future__ import annotations

import importlib.util
import os
from contextlib import suppress
from pathlib import Path

import pytest

from guestmap.base import AddrRange
from guestmap.domain.overview import overview
from guestmap.fleet.page import cell_of, fleet_page
from guestmap.fleet.parquet import parquet_file, row_of
from guestmap.fleet.record import MachineAudit
from guestmap.inspect.ask.findings import Finding
from tests.domain.machines import BASE, ROOM, dimm, holding
from tests.support.program import assert_one_clear_line, run_program

MAP = """address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): pc.ram
"""
FINDING = Finding("hidden-region", "warning", "memory", (1 << 64) - 4096, 1 << 64, (), "m", "r")
PLUGGED = MachineAudit(
    "a", "unix:/a", "h", findings=(FINDING,), memory=overview(holding(dimm(0, BASE, 1 << 30)))
)


def test_a_cell_has_what_is_used_plugged_free_and_the_largest_gap():
    cell = cell_of(PLUGGED)
    assert cell["plugged"] == "1 GiB"
    assert cell["used"] == "1 GiB of 3.8 GiB"
    assert cell["slots"] == "3 of 4"
    assert PLUGGED.memory is not None
    assert ROOM.window is not None
    assert PLUGGED.memory.gaps[-1] == AddrRange(BASE + (1 << 30), ROOM.window.size - (1 << 30))
    assert cell["largest"] == "6.8 GiB"
    assert cell["findings"] == "hidden-region"


def test_what_is_full_what_is_wrong_and_what_failed_look_different():
    empty = MachineAudit("b", "unix:/b", memory=overview(holding()))
    failed = MachineAudit("c", "unix:/c", state="slow")
    looks = [(cell["colour"], cell["edge"]) for cell in map(cell_of, (PLUGGED, empty, failed))]
    assert len(set(looks)) == 3


def test_a_page_needs_nothing_else_and_a_name_is_data():
    hostile = "</script><script>alert(1)</script>"
    page = fleet_page([MachineAudit(hostile, "unix:/x"), PLUGGED], "fleet")
    assert hostile not in page
    assert "src=" not in page.split("</head>")[1]


def test_a_click_opens_the_map_that_draw_makes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt"):
        Path(name).write_text(MAP)
    done = run_program("fleet", "audit", "a.txt", "b.txt", "--page", "fleet.html")
    assert done.status == 0, done
    (only,) = Path("fleet-maps").iterdir()
    assert f"{only.stem}" in Path("fleet.html").read_text()
    assert "fleet-maps/@digest.html" in Path("fleet.html").read_text()
    run_program("draw", "a.txt", "-o", "map.html")
    assert only.read_text().count("pc.ram") == Path("map.html").read_text().count("pc.ram")


@pytest.mark.chromium
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_browsers_click_on_a_cell_opens_its_map(browser, tmp_path, monkeypatch):
    from selenium.webdriver.common.action_chains import ActionChains

    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(MAP)
    Path("b.txt").write_text(MAP.replace("7ffffff", "fffffff"))
    assert run_program("fleet", "audit", "a.txt", "b.txt", "--page", "fleet.html").status == 0
    browser.driver.get((tmp_path / "fleet.html").as_uri())
    browser.wait("return window.Bokeh && Bokeh.documents.length > 0")
    browser.until(lambda: browser.run("return plots.length > 0 && plots[0].inner_height > 0"))
    x, y, digest = browser.run(_CELL, "b.txt")
    actions = ActionChains(browser.driver)
    actions.w3c_actions.pointer_action.move_to_location(int(x), int(y))
    actions.click().perform()
    browser.until(lambda: len(browser.driver.window_handles) == 2)
    browser.driver.switch_to.window(browser.driver.window_handles[1])
    browser.until(lambda: browser.driver.current_url.endswith(f"fleet-maps/{digest}.html"))
    browser.open(browser.driver.current_url)
    texts = browser.run("return models.flatMap(m => (m.data && m.data.text) || [])")
    assert any("pc.ram" in str(each) for each in texts)
    assert browser.complaints() == []


_CELL = """
const source = models.find(m => m.type == "ColumnDataSource" && m.data.machine), data = source.data
const i = [...data.machine].indexOf(arguments[0])
const view = Bokeh.index.find_one(plots[0]), box = view.el.getBoundingClientRect()
const {x_scale, y_scale} = view.frame
return [box.left + x_scale.compute(data.x[i]), box.top + y_scale.compute(data.y[i]), data.digest[i]]
"""


def test_a_page_has_the_name_of_one(tmp_path):
    (tmp_path / "a.txt").write_text(MAP)
    done = run_program("fleet", "audit", tmp_path / "a.txt", "--page", tmp_path / "x.svg")
    assert_one_clear_line(done, "must end in .html")


def test_a_row_holds_the_last_address_of_all():
    (finding,) = row_of(PLUGGED)["findings"]
    assert (finding["start"], finding["last"]) == ((1 << 64) - 4096, (1 << 64) - 1)


def test_rows_come_back_from_a_file(tmp_path):
    if importlib.util.find_spec("pyarrow") is None:
        if "pyarrow" in set(os.environ.get("GUESTMAP_REQUIRE", "").split(",")):
            pytest.fail("GUESTMAP_REQUIRE asks for pyarrow, which is not installed")
        with pytest.raises(Exception, match=r"guestmap\[parquet\]"), parquet_file(tmp_path / "x"):
            pass
        pytest.skip("needs the Python package pyarrow (extra parquet)")
    from pyarrow import parquet

    with parquet_file(tmp_path / "x") as rows:
        for number in range(1500):
            rows.add(MachineAudit(f"m{number}", "s", state="slow"))
        rows.add(PLUGGED)
    table = parquet.read_table(tmp_path / "x").to_pylist()
    assert len(table) == 1501
    assert table[-1] == row_of(PLUGGED)
    with suppress(KeyError), parquet_file(tmp_path / "x") as rows:
        rows.add(PLUGGED)
        raise KeyError
    assert parquet.read_table(tmp_path / "x").to_pylist() == table
