"""``--screenshot`` and ``--screen``: what the screen shows, in a file and in the terminal."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.cli.streams import is_terminal
from guestmap.machine.boards import board_type, read_machine

if TYPE_CHECKING:
    from pathlib import Path

    from guestmap.cli.boot_options import BootOptions
    from guestmap.hw.vga.screen import ScreenPicture
    from guestmap.machine.vm import VirtualMachine

_FORMS = (".png", ".ppm")


def check_screen(options: BootOptions) -> None:
    """Refuse a screen or a screenshot of which nothing comes, before anything is done.

    Raises:
        ConfigError: the file's name says no form, the machine has no screen, or no terminal is here
            to show it.
        HostError: there is no place for the file.
    """
    path = options.screenshot
    if options.screen:
        _check_terminal(options)
    if path is None:
        return
    from guestmap.base.whole_file import refuse_unwritable

    if path.suffix not in _FORMS:
        raise ConfigError(f"--screenshot {path}: give a name that ends in {' or '.join(_FORMS)}")
    _check_adapter(options, "--screenshot")
    refuse_unwritable(path)


def _check_terminal(options: BootOptions) -> None:
    if options.serial == "stdio":
        raise ConfigError("--screen and --serial stdio both want the terminal: leave one out")
    told = {"--trace": options.trace, "--stop-at": options.stop_at, "--flow": options.flow}
    for option in (option for option, given in told.items() if given and not options.verbose):
        raise ConfigError(
            f"--screen takes the terminal, where {option} would print: leave one of them out"
        )
    _check_adapter(options, "--screen")
    if not is_terminal() or not sys.stdout.isatty():
        raise ConfigError(
            "--screen is for a terminal: leave it out, or have stdin and stdout be one;"
            " --screenshot FILE.png writes the end of it"
        )
    from guestmap.machine.picture import pillow

    pillow("--screen needs Pillow: pip install 'guestmap[view]'")


def _check_adapter(options: BootOptions, option: str) -> None:
    if options.restore is not None:
        return  # what it has is in the file
    board = board_type(read_machine(options.machine or "pc")["machine"])
    if not board.display_adapters:
        raise ConfigError(f"{option}: no screen is modelled for -M {board.name}: leave it out")
    default = board.defaults.get("vga") if options.defaults else None
    if (options.vga or default or "none") == "none":
        raise ConfigError(f"{option}: the machine has no screen: add --vga std")


def shown_screen(vm: VirtualMachine, *, wanted: bool) -> AbstractContextManager[None]:
    """Return a context in which the screen is shown in the terminal, where that is wanted.

    Raises:
        ConfigError: the machine has no screen.
    """
    if not wanted:
        return nullcontext()
    _picture(vm, "--screen")
    from guestmap.cli.screen.window import ScreenWindow

    return ScreenWindow(vm)


def take_screenshot(vm: VirtualMachine, path: Path | None) -> None:
    """Write what the screen shows, where somebody wants it.

    Raises:
        ConfigError: the machine has no screen, or Pillow is not there for a PNG.
        HostError: the file cannot be written.
    """
    if path is None:
        return
    from guestmap.base.whole_file import write_whole
    from guestmap.machine.picture import encoded

    write_whole(path, encoded(_picture(vm, "--screenshot"), path.suffix[1:]))


def _picture(vm: VirtualMachine, option: str) -> ScreenPicture:
    picture = vm.board.picture()
    if picture is None:
        raise ConfigError(f"{option}: the machine that was saved has no screen")
    return picture
