"""The web page, without a browser: what is in it."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from guestmap.view import compose
from guestmap.view.columns import box_columns, fold_columns, label_columns, lane_extents
from guestmap.view.figure import PanelFigure
from guestmap.view.page import html_page
from guestmap.view.words import whose
from tests.inspect.snapshots import Builder
from tests.view.maps import many, pc


def test_the_page_needs_no_network():
    page = html_page(compose(pc()))
    assert not re.findall(r"<script[^>]+src=|<link[^>]+href=", page)
    assert "Memory map of a small PC" in page


def test_a_map_in_which_there_is_nothing_is_said_to_be_one():
    assert "nothing to draw" in html_page(compose(Builder().snapshot()))
    assert "nothing to draw" not in html_page(compose(pc()))


def test_words_of_the_source_are_not_taken_for_markup():
    page = html_page(compose(pc(source="<b>&</b>")))
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in page or "\\u0026lt;b" in page
    assert "<b>&</b>" not in page.split("<script")[0]


def test_columns_hold_one_row_for_each_box_in_its_lane_and_at_its_address():
    panel = compose(pc()).panels[0]
    columns = box_columns(panel)
    extents = lane_extents(panel.lanes)
    assert {len(column) for column in columns.values()} == {len(panel.boxes)}
    for row, box in enumerate(panel.boxes):
        assert columns["left"][row] == extents[box.lane].left
        assert columns["top"][row] == panel.axis.position(box.start) < columns["bottom"][row]
        assert int(columns["start"][row], 16) == box.start
        assert int(columns["end"][row], 16) == box.end
        assert columns["hatched"][row] == (box.state == "hidden")


def test_lanes_do_not_overlap():
    for panel in compose(pc()).panels:
        extents = lane_extents(panel.lanes)
        for one, other in pairwise(extents):
            assert one.left < one.right < other.left


def test_folded_addresses_are_marked_across_all_lanes():
    panel = compose(pc()).panels[0]
    folds = fold_columns(panel)
    assert len(folds["top"]) == 2
    assert folds["right"][0] == lane_extents(panel.lanes)[-1].right


def test_the_figure_says_in_words_what_a_box_is():
    figure = PanelFigure(compose(pc()).panels[0])
    data = figure.sources.boxes.data
    row = next(i for i, state in enumerate(data["state"]) if state == "hidden")
    assert "hidden by" in data["tip"][row]
    assert "priority" in data["tip"][row]


def test_another_panel_can_be_shown_in_the_same_figure():
    figure = PanelFigure(compose(pc(shadowed=False)).panels[0])
    figure.show(compose(pc()).panels[0])
    assert "pam-ram → pc.ram" in figure.sources.boxes.data["title"]
    assert "pam-pci → pci" not in figure.sources.boxes.data["title"]


def test_a_long_map_has_an_overview():
    assert PanelFigure(compose(many()).panels[0]).is_long
    assert not PanelFigure(compose(pc()).panels[0]).is_long


def test_labels_name_what_they_stand_on():
    columns = label_columns(compose(pc()).panels[0])
    assert "hpet" in columns["text"]
    assert "nobody" in columns["text"]


@pytest.mark.parametrize(
    ("owner", "said"),
    [("owner:{dev id=nic0}", "belongs to device nic0"), ("orphan", ""), (None, "")],
)
def test_whose_a_region_is_is_said_in_words(owner: str | None, said: str):
    assert whose(owner) == said
