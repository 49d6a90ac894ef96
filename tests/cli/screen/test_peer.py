"""The screen of a machine that somebody else runs: asked for while a page looks, and checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from guestmap.base import PeerError
from guestmap.cli.screen.codes import CODES
from guestmap.cli.screen.dumped import DumpFile
from guestmap.cli.screen.peer import PeerScreen
from guestmap.qmp.client import Channel, CommandError, GoneError, Keyboard, Monitor, open_channel
from tests.support.qemu import Qemu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_RED = b"P6\n2 1\n255\n" + b"\xff\0\0" * 2


def _writes(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def _refuses(_path: Path) -> None:
    raise CommandError("There is no console to take a screendump from", "GenericError")


def _goes(_path: Path) -> None:
    raise GoneError("unix:x: the connection was closed")


def _links(path: Path) -> None:
    (path.parent / "other").write_bytes(_RED)
    path.unlink()
    path.symlink_to("other")


def _pipes(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


class _Machine(Channel):
    """A machine that takes keys, and does something with the file that it is to write."""

    source = "unix:x"

    def __init__(self, *dumps: Callable[[Path], None]) -> None:
        self._dumps = [*dumps]
        self.dumped = 0
        self.typed: list[list[str]] = []

    def execute(self, command: str, arguments: Mapping[str, object]) -> object:
        if command == "send-key":
            keys = arguments["keys"]
            assert isinstance(keys, list)
            self.typed.append([each["data"] for each in keys])
            return {}
        assert command == "screendump"
        self.dumped += 1
        self._dumps[min(self.dumped, len(self._dumps)) - 1](Path(str(arguments["filename"])))
        return {}

    def close(self) -> None:
        pass

    def events(self) -> list[object]:  # type: ignore[override]
        return []


def _attend(screen: PeerScreen, file: DumpFile, machine: _Machine, dumps: int) -> None:
    """Look until so many pictures have been asked for, however long a busy host takes for that."""
    while machine.dumped < dumps:
        screen.attend(file, None, 0.01)


def _attended(machine: _Machine, dumps: int = 1) -> tuple[PeerScreen, list[str]]:
    """Return a screen that a page has looked at for so many pictures, and what was told."""
    told: list[str] = []
    screen = PeerScreen(told.append, takes_keys=False)
    screen.look()
    with DumpFile(Monitor(machine)) as file:
        _attend(screen, file, machine, dumps)
    return screen, told


def test_a_picture_is_taken_while_a_page_looks_and_not_else() -> None:
    machine = _Machine(_writes(_RED))
    screen = PeerScreen(pytest.fail, takes_keys=False)
    with DumpFile(Monitor(machine)) as file:
        screen.attend(file, None, 0.01)
        assert machine.dumped == 0
        leave = screen.look()
        _attend(screen, file, machine, 1)
        assert machine.dumped == 1
        leave()
        screen.attend(file, None, 0.6)
    assert machine.dumped == 1
    assert screen.frame is not None
    assert (screen.frame.width, screen.frame.height, screen.frame.rgb) == (2, 1, b"\xff\0\0" * 2)
    assert screen.frame.place(1, 0).startswith("dot 1, 0: unix:x does not tell")


def test_a_screen_that_stands_still_is_the_same_picture() -> None:
    machine = _Machine(_writes(_RED), _writes(_RED), _writes(_RED.replace(b"\xff", b"\x80")))
    screen, told = _attended(machine, 3)
    assert screen.frame is not None
    assert (machine.dumped, screen.frame.number, told) == (3, 2, [])


@pytest.mark.parametrize("dump", [
    _links, _pipes, Path.unlink, _refuses, _writes(b""), _writes(b"P6\n0 0\n255\n"),
    _writes(_RED[:-1]), _writes(_RED + b"x"), _writes(b"P6\n99999 99999\n255\nxyz"),
    _writes(b"\x89PNG\r\n\x1a\n" * 9),
])  # fmt: skip
def test_what_is_no_picture_is_one_line(dump: Callable[[Path], None]) -> None:
    screen, told = _attended(_Machine(dump))
    assert screen.frame is None
    assert len(told) == 1
    assert told[0].startswith("no picture of its screen: ")
    assert "\n" not in told[0]


def test_a_machine_that_has_gone_is_no_matter_of_its_screen() -> None:
    with pytest.raises(PeerError, match="closed"):
        _attended(_Machine(_goes))


def test_the_folder_is_ours_alone_and_goes() -> None:
    modes: list[int] = []

    def note(path: Path) -> None:
        modes.extend(each.stat().st_mode & 0o777 for each in (path.parent, path))
        folders.append(path.parent)

    folders: list[Path] = []
    _attended(_Machine(note))
    assert modes == [0o700, 0o600]
    assert not folders[0].exists()


def _typed(*codes: str, takes_keys: bool) -> list[list[str]]:
    """Press keys in a page, release the last, and return what the machine felt of them.

    Another key behind them tells that all were looked at.
    """
    machine = _Machine(_writes(_RED))
    screen = PeerScreen(pytest.fail, takes_keys=takes_keys)
    for code in codes:
        screen.key(code, pressed=True)
    screen.key(codes[-1], pressed=False)
    screen.key("ShiftLeft", pressed=False)
    screen.key("F12", pressed=True)
    with DumpFile(Monitor(machine)) as file:
        screen.attend(file, Keyboard(machine) if takes_keys else None, 0.05)
        while takes_keys and machine.typed[-1:] != [["f12"]]:
            screen.attend(file, Keyboard(machine), 0.01)
    return machine.typed[:-1]


def test_keys_go_with_the_modifiers_that_are_down_where_that_was_asked_for() -> None:
    assert _typed("KeyA", "ShiftLeft", "KeyB", "Nonsense", takes_keys=True) == [
        ["a"],
        ["shift", "b"],
    ]
    assert _typed("KeyA", takes_keys=False) == []


@pytest.fixture(scope="module")
def qemu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Qemu, Channel]]:
    socket = tmp_path_factory.mktemp("qemu") / "qmp"
    monitor = ("-qmp", f"unix:{socket},server=on,wait=off")
    with Qemu("-m", "16M", "-vga", "std", *monitor, stopped=False) as running:
        channel = open_channel(f"unix:{socket}")
        yield running, channel
        channel.close()


@pytest.mark.qemu
def test_the_picture_of_a_real_qemu_is_its_own(qemu: tuple[Qemu, Channel], tmp_path: Path) -> None:
    running, channel = qemu
    running.qmp("stop")
    with DumpFile(Monitor(channel)) as file:
        picture = file.take()
    running.qmp("screendump", filename=str(tmp_path / "own"))
    head = f"P6\n{picture.width} {picture.height}\n255\n".encode()
    assert (tmp_path / "own").read_bytes() == head + picture.rgb
    running.qmp("cont")


@pytest.mark.qemu
def test_a_real_qemu_knows_all_keys(qemu: tuple[Qemu, Channel]) -> None:
    keyboard = Keyboard(qemu[1])
    for name in CODES.values():
        keyboard.stroke(["shift", name])
