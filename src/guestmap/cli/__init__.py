"""The command line: one module for each sub-command."""

from __future__ import annotations

import sys

from guestmap import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MISSING = "the command line needs {name}, which is not installed: pip install 'guestmap[cli]'"


def main() -> None:
    """Run ``guestmap``; what goes wrong for a reason is one line on stderr and exit status 2."""
    if sys.argv[1:2] == ["--version"] and _is_told(f"guestmap {__version__}"):
        return  # before anything is imported: scripts ask it often
    import gc

    gc.disable()  # what is made until a command runs stays: guestmap.cli.app goes on from here
    from guestmap.start.finder import find_in_one_look

    find_in_one_look()
    try:
        if sys.argv[1:2] in (["boot"], ["explain"]) and _is_plainly_done(*sys.argv[1:]):
            return
        from guestmap.cli.app import run
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        from guestmap.cli.ending import refused

        what = _MISSING.format(name=error.name)
        sys.exit(refused(what, "ConfigError", as_json="--json" in sys.argv))
    run()


def _is_plainly_done(command: str, *words: str) -> bool:
    """Do it, where the words ask for it in a way that needs no library of the command line."""
    from importlib import import_module

    from guestmap.start.put_off import put_off

    put_off("inspect")  # which dataclasses imports for what is not used here
    put_off("urllib.parse", "quote_from_bytes")  # pathlib, for what it seldom does
    run: Callable[[tuple[str, ...]], bool] = import_module(f"guestmap.cli.{command}_plainly").run
    return run(words)


def _is_told(words: str) -> bool:
    """Print a line; False where it cannot be written, and more must be told."""
    try:
        print(words, flush=True)
    except OSError:
        return False
    return bool(sys.stdout)
