"""A module that is put off is there, and is loaded when something of it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEFORE = """
import sys
from guestmap.start.put_off import put_off
put_off("colorsys", "hls_to_rgb")
from colorsys import hls_to_rgb
assert "ONE_THIRD" not in vars(sys.modules["colorsys"]), "it is loaded already"
"""


def run(program: str) -> str:
    """Return what a program prints."""
    command = [sys.executable, "-c", BEFORE + program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "program",
    ["print(hls_to_rgb(0, 0.5, 0))",
     "import colorsys; print(colorsys.hls_to_rgb(0, 0.5, 0))",
     "import colorsys; colorsys.ONE_THIRD; print(colorsys.hls_to_rgb(0, 0.5, 0))"],
)  # fmt: skip
def test_a_function_that_was_taken_out_loads_it_when_it_is_called(program: str) -> None:
    assert run(program) == "(0.5, 0.5, 0.5)\n"


def test_it_is_an_attribute_of_its_package() -> None:
    program = """
put_off("xml.sax.saxutils")
import xml.sax
print(xml.sax.saxutils.escape("<"))
"""
    assert run(program) == "&lt;\n"
