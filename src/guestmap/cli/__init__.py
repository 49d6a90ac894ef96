"""The command line: one module for each sub-command."""

from __future__ import annotations

import sys

from guestmap import __version__

_MISSING = (
    "guestmap: the command line needs {name}, which is not installed: pip install 'guestmap[cli]'"
)


def main() -> None:
    """Run ``guestmap``; what goes wrong for a reason is one line on stderr and exit status 2."""
    from guestmap.cli.outlet import CHANGING, run_to_the_end

    sys.exit(run_to_the_end(_main, changes_something=bool(CHANGING & set(sys.argv[1:2]))))


def _main() -> None:
    if sys.argv[1:2] == ["--version"]:  # before anything is imported: scripts ask it often
        print(f"guestmap {__version__}")
        return
    try:
        from guestmap.cli.app import run
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit(_MISSING.format(name=error.name))
    run()
