"""``boot --vga`` and ``--screenshot``; ``--screen`` of a machine that has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from guestmap.base import ConfigError
from guestmap.cli.boot_options import BootOptions
from guestmap.cli.boot_screen import check_screen, shown_screen
from guestmap.machine import MachineConfig, VirtualMachine
from tests.support.program import assert_one_clear_line, run_program

_WIDTH, _HEIGHT = 720, 400


@pytest.mark.seabios
@pytest.mark.unicorn
def test_a_screenshot_shows_what_the_firmware_wrote(tmp_path: Path) -> None:
    for form in ("png", "ppm"):
        file = tmp_path / f"screen.{form}"
        assert not run_program("boot", "-q", "--vga", "std", "--screenshot", str(file)).status
        with Image.open(file) as image:
            assert image.size == (_WIDTH, _HEIGHT)
            assert image.getbbox() is not None, "something is not black"


@pytest.mark.parametrize(("words", "said"), [
    (["--screenshot", "x.png"], "--screenshot: the machine has no screen: add --vga std"),
    (["--defaults", "--vga", "none", "--screenshot", "x.png"], "the machine has no screen"),
    (["-M", "microvm", "--defaults", "--screenshot", "x.png"],
     "--screenshot: no screen is modelled for -M microvm: leave it out"),
    (["--vga", "std", "--screenshot", "x.gif"], "--screenshot x.gif: give a name that ends in"),
    (["--screen", "--vga", "std", "--trace", "c0000"], "where --trace would print: leave one"),
    (["--screen", "--vga", "std", "--stop-at", "c0000"], "where --stop-at would print"),
    (["--screen", "--vga", "std", "--flow"], "where --flow would print"),
    (["--vga", "std", "--screenshot", "no/x.png"], "cannot write no/x.png (No such file"),
])  # fmt: skip
def test_screenshots_of_which_nothing_comes_are_refused(words: list[str], said: str) -> None:
    assert_one_clear_line(run_program("boot", "-q", *words), said)


def test_the_default_adapter_is_a_screen(tmp_path: Path) -> None:
    options = BootOptions(screenshot=tmp_path / "x.png")
    check_screen(replace(options, defaults=True))
    with pytest.raises(ConfigError, match="the machine has no screen"):
        check_screen(options)


def test_a_saved_machine_without_a_screen_is_not_shown() -> None:
    config = MachineConfig(machine="none")
    with (
        VirtualMachine(config, engine="none") as vm,
        pytest.raises(ConfigError, match="--screen: the machine that was saved has no screen"),
        shown_screen(vm, wanted=True),
    ):
        pass
