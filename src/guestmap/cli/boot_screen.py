"""``--screenshot``: what the screen shows, in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from guestmap.cli.boot_options import BootOptions
    from guestmap.machine.vm import VirtualMachine

_FORMS = (".png", ".ppm")


def check_screenshot(options: BootOptions) -> None:
    """Refuse a screenshot of which nothing comes, before anything is done.

    Raises:
        ConfigError: the file's name says no form, or the machine has no screen.
        HostError: there is no place for the file.
    """
    path = options.screenshot
    if path is None:
        return
    from guestmap.base.whole_file import refuse_unwritable

    if path.suffix not in _FORMS:
        raise ConfigError(f"--screenshot {path}: give a name that ends in {' or '.join(_FORMS)}")
    if options.restore is None and options.vga in ("", "none"):
        raise ConfigError("--screenshot: the machine has no screen: add --vga std")
    refuse_unwritable(path)


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

    picture = vm.board.picture()
    if picture is None:
        raise ConfigError("--screenshot: the machine that was saved has no screen")
    write_whole(path, encoded(picture, path.suffix[1:]))
