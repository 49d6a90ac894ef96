"""Run recordings, whatever their kind, and tell of each what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, PeerError, UnsupportedError
from guestmap.conform.captures import check_capture, read_capture
from guestmap.conform.cases import QtestCase, VectorCase, read_case
from guestmap.conform.replay import ReplayMachine, replay
from guestmap.conform.results import Differs, Equal, Result, Unreadable, Unsupported
from guestmap.conform.sources import Found, FoundCapture, find_files
from guestmap.conform.vectors import check_vector

if TYPE_CHECKING:
    from pathlib import Path

    from guestmap.conform.results import Difference

MachineFactory = Callable[[list[str]], ReplayMachine]
"""Makes the machine that a QEMU command line describes (its first word is the program).

Raises :class:`UnsupportedError` naming what of it guestmap lacks.
"""


_FOLDERS = ("vectors", "qtest")
"""Where recordings lie; any JSON there must be one."""


def conform(
    paths: Iterable[Path], machine_factory: MachineFactory | None = None, *, seabios: str = ""
) -> Iterator[Result]:
    """Yield a result for each recording in files, folders and archives; two for each capture.

    JSON files of another kind are passed over where a folder or archive holds them.

    Args:
        paths: what to look at.
        machine_factory: for qtest recordings; without it they are unsupported.
        seabios: version of the firmware that those machines have; "": not known. A recording that
            was made with another and differs is not held against us: it may have read its bytes.

    Raises:
        HostError: a path is not there or cannot be read.
        PeerError: an archive is damaged.
    """
    for found in find_files(paths):
        if isinstance(found, FoundCapture):
            yield from _judge_capture(found)
        elif (result := _judge(found, machine_factory, seabios)) is not None:
            yield result


def _judge_capture(found: FoundCapture) -> Iterator[Result]:
    try:
        yield from check_capture(read_capture(found.path, found.read()))
    except UnsupportedError as error:
        yield Unsupported(found.path, str(error))
    except (PeerError, ConfigError) as error:
        yield Unreadable(found.path, str(error))


def _judge(found: Found, machine_factory: MachineFactory | None, seabios: str) -> Result | None:
    try:
        data = found.read()
        if not found.named and not _may_be_recording(found.path, data):
            return None
        case = read_case(data)
        if case is None:
            return Unsupported(found.path, "not a recording that is known") if found.named else None
        difference = _run(case, machine_factory)
    except UnsupportedError as error:
        return Unsupported(found.path, str(error))
    except (PeerError, ConfigError) as error:
        return Unreadable(found.path, str(error))
    if difference is None:
        return Equal(found.path)
    if isinstance(case, QtestCase) and seabios not in ("", case.seabios):
        made = f"made with SeaBIOS {case.seabios}, installed is {seabios}: not compared"
        return Unsupported(found.path, f"{made} (first difference: {difference})")
    return Differs(found.path, difference)


def _may_be_recording(path: str, data: bytes) -> bool:
    """Tell a recording, damaged or not, from other JSON that lies beside it."""
    folder = PurePath(path).parent.name
    return folder in _FOLDERS or any(mark in data for mark in (b'"flatviews"', b'"steps"'))


def _run(case: VectorCase | QtestCase, machine_factory: MachineFactory | None) -> Difference | None:
    if isinstance(case, VectorCase):
        return check_vector(case)
    if machine_factory is None:
        raise UnsupportedError("no machine to replay it on")
    machine = machine_factory(list(case.cmdline))
    return next(iter(replay(case, machine, limit=1)), None)
