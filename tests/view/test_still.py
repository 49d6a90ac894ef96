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


@pytest.mark.parametrize(
    ("map_", "least", "most"), [(pc(), 100, 1500), (many(100), 3000, 6000)], ids=["pc", "many"]
)
def test_a_png_is_as_high_as_its_axis_and_filled_but_for_the_margins(map_, least, most):
    png = still(compose(map_), "png")
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    drawn = Image.open(io.BytesIO(png)).convert("RGB")
    assert least < drawn.height < most
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
