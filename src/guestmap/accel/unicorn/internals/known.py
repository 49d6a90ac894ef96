"""What is known of the library in this process: found once for each build, in a process of its own.

A wrong guess about the inside of a library ends the process. So a build that was never seen before
is explored, and its parts are tried, in a child process; what came of it is kept in the user's
cache folder under the build's identity.
"""

from __future__ import annotations

import os
import sys
from binascii import crc32  # zlib has the same, and loads a library for it
from contextlib import suppress
from pathlib import Path

from guestmap.accel.unicorn.internals.findings import VERSION, Findings, from_text, nothing
from guestmap.accel.unicorn.internals.library import Library, Refused
from guestmap.base import HostError, write_whole

_CHILD = "guestmap.accel.unicorn.internals"
_LONGEST_S = 120


def known(library: Library) -> Findings:
    """Return what is known of a library, after having found it out where need be.

    Raises:
        Refused: nothing of it can be used; why.
    """
    folder = _folder()
    file = folder / f"unicorn-{VERSION}-{library.identity}" if folder is not None else None
    if file is not None:
        with suppress(OSError, ValueError):
            return from_text(_checked(file.read_text()))
    text, lasting = _explored(library)
    if lasting and file is not None:
        with suppress(OSError, HostError):
            _keep(file, text)
    return from_text(text)


def _folder() -> Path | None:
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        with suppress(RuntimeError):  # nobody's home
            cache = str(Path.home() / ".cache")
    return Path(cache) / "guestmap" if cache else None


def _explored(library: Library) -> tuple[str, bool]:
    """Return what a child process found, and whether it would find the same again."""
    if getattr(sys, "frozen", False) or not sys.executable:
        return nothing("there is no Python interpreter to explore the library in"), False
    import signal
    import subprocess

    path = os.pathsep.join(filter(None, sys.path))
    try:
        child = subprocess.run(
            [sys.executable, "-m", _CHILD, library.identity], check=False, capture_output=True,
            text=True, timeout=_LONGEST_S, stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return nothing(f"the process that was to explore the library: {error}"), False
    if child.returncode < 0:
        name = signal.strsignal(-child.returncode)
        return nothing(f"the library's inside ended the process that explored it: {name}"), True
    try:
        from_text(child.stdout)
    except Refused:
        pass
    except ValueError:
        last = child.stderr.strip().splitlines()[-1:]
        return nothing("the process that explored the library failed: " + "".join(last)), False
    return child.stdout, True


def _checked(content: str) -> str:
    check, _, text = content.partition("\n")
    if check != _check(text):
        raise ValueError("damaged")
    return text


def _keep(file: Path, text: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(file, f"{_check(text)}\n{text}".encode(), "cache")


def _check(text: str) -> str:
    return f"{crc32(text.encode()):08x}"
