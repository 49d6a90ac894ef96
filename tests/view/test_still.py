from __future__ import annotations

import io
from xml.etree import ElementTree as ET

import pytest
from PIL import Image, ImageChops

from guestmap.view import compare, compose
from guestmap.view.still import still
from tests.view.maps import many, pc

SVG = "{http://www.w3.org/2000/svg}"


def _words(svg: bytes) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


def test_an_svg_holds_all_words_as_words():
    words = _words(still(compose(pc()), "svg"))
    for wanted in ("Memory map of a small PC", "hpet  1 KiB", "pc.rom", "0xfed0_0000",
                   "hidden behind another", "seen by", "depth 1"):  # fmt: skip
        assert any(wanted in each for each in words), wanted


def test_what_probably_happened_stands_above_what_changed():
    picture = compare(pc(shadowed=False), pc())
    words = _words(still(picture, "svg"))
    places = [words.index(f"Probably: {each}") for each in picture.causes]
    assert places
    assert max(places) < words.index("from A to B")


def test_what_is_hidden_is_hatched():
    assert b'<pattern id="' in still(compose(pc()), "svg")
    assert b"url(#" in still(compose(pc()), "svg")


def test_a_png_is_as_wide_as_its_lanes_and_as_high_as_its_axis():
    small, large = (still(compose(each), "png") for each in (pc(), many(100)))
    for each in (small, large):
        assert each[:8] == b"\x89PNG\r\n\x1a\n"
    height = [int.from_bytes(each[20:24], "big") for each in (small, large)]
    assert height[0] < 1500 < 3000 < height[1] < 6000


@pytest.mark.parametrize("map_", [pc(), many(100)], ids=["pc", "many"])
def test_the_picture_fills_its_sheet_but_for_the_margins(map_):
    drawn = Image.open(io.BytesIO(still(compose(map_), "png"))).convert("RGB")
    left, top, right, bottom = ImageChops.invert(drawn).getbbox()
    assert 0 < left < 40
    assert 0 < top < 40
    assert 2 / 3 < right / drawn.width < 1  # a sheet has a least width
    assert 0 < drawn.height - bottom < 60


@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_same_map_gives_the_same_file(form):
    assert still(compose(pc()), form) == still(compose(pc()), form)


def test_a_name_with_dollars_is_not_mathematics():
    words = _words(still(compose(pc(source="$x_1$")), "svg"))
    assert "Memory map of $x_1$" in words
