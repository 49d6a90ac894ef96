"""``guestmap boot --screen``, in a terminal that is played here."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guests.disk import disk
from tests.support.program import assert_one_clear_line, run_program

pytest.importorskip("PIL.Image")

_LONGEST_S = 60
_ASKED = b"\x1b[c"
_VT340, _PLAIN = b"\x1b[?63;1;2;4c", b"\x1b[?62;22c"
_KITTY = b"\x1b_Gi=31;OK\x1b\\" + _PLAIN


class PlayedTerminal:
    """One side of a pseudo-terminal, 80 by 24; the program is at the other."""

    def __init__(self, image: Path, answer: bytes) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        words = ["boot", "--vga", "std", "--disk", str(image), "--screen"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "guestmap", *words], stdin=self.theirs, stdout=self.theirs,
            stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=self._take,  # noqa: PLW1509
        )  # fmt: skip
        self.until(_ASKED)
        self.type(answer)

    def _take(self) -> None:
        """Make stdin the controlling terminal: we are then in its foreground."""
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def type(self, data: bytes) -> None:
        os.write(self.ours, data)

    def until(self, wanted: bytes) -> bytes:
        text, end = b"", time.monotonic() + _LONGEST_S
        while wanted not in text:
            ready, _, _ = select.select([self.ours], [], [], max(end - time.monotonic(), 0))
            assert ready, text[-500:]
            text += os.read(self.ours, 65536)
        return text

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlayedTerminal]:
    image = tmp_path / "image"
    image.write_bytes(disk("typist"))
    made = PlayedTerminal(image, request.param)
    yield made
    made.close()


@pytest.mark.long
@pytest.mark.unicorn
@pytest.mark.seabios
@pytest.mark.nasm
@pytest.mark.parametrize(
    ("terminal", "picture"),
    [(_PLAIN, "▀".encode()), (_VT340, b"\x1bPq"), (_KITTY, b"\x1b_Ga=T")],
    indirect=["terminal"],
    ids=["half blocks", "sixel", "kitty"],
)
def test_the_screen_is_shown_typed_into_and_left_as_it_was(
    terminal: PlayedTerminal, picture: bytes
) -> None:
    terminal.until(b"Booting from Hard Disk")
    terminal.type(b"a")
    terminal.type(b"B")
    terminal.until(b"aB")
    terminal.type(b"g")
    terminal.until(picture)
    terminal.type(b"\x01x")
    terminal.until(b"\x1b[?25h")
    assert terminal.process.wait(_LONGEST_S) == 0
    assert termios.tcgetattr(terminal.theirs) == terminal.before


def test_what_cannot_be_shown_is_refused() -> None:
    for words, why in (
        (("--vga", "std"), "--screen is for a terminal"),
        ((), "the machine has no screen: add --vga std"),
        (("--vga", "std", "--serial", "stdio"), "both want the terminal"),
    ):
        assert_one_clear_line(run_program("boot", "--screen", *words), why)
