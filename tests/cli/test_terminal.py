"""``guestmap boot --serial stdio``: a terminal that one can type in."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from tests.support.linux_image import bootable
from tests.support.processes import popen

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios]

_LONGEST_S = 60

# Says "> ", and then each byte that comes, incremented, for ever.
_ECHO = (
    b"\xba\xf8\x03\xb0\x3e\xee\xb0\x20\xee"  # mov dx, 3f8h; out '>'; out ' '
    b"\xba\xfd\x03\xec\xa8\x01\x74\xf8"  # again: mov dx, 3fdh; in al, dx; test al, 1; jz again
    b"\xba\xf8\x03\xec\xfe\xc0\xee\xeb\xef"  # mov dx, 3f8h; in; inc al; out; jmp again
)


def until(terminal: int, wanted: bytes) -> bytes:
    text = b""
    while wanted not in text:
        ready, _, _ = select.select([terminal], [], [], _LONGEST_S)
        assert ready, text
        text += os.read(terminal, 4096)
    return text


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "kernel"
    path.write_bytes(bootable(_ECHO))
    return path


def command(kernel: Path) -> list[str]:
    words = ["boot", "-m", "32M", "--kernel", str(kernel), "--serial", "stdio"]
    return [sys.executable, "-m", "guestmap", *words]


def test_what_is_typed_gets_to_the_guest_and_ctrl_a_x_ends_it(kernel: Path) -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    process = _at_terminal(command(kernel), theirs)
    try:
        # How to end it, and no story.
        (line, prompt) = until(ours, b"> ").split(b"\r\n")
        assert b"Ctrl-A X" in line
        assert prompt == b"> "
        os.write(ours, b"HAL\x03\x01\x01")  # Ctrl-C is the guest's, as one of two Ctrl-A is
        assert until(ours, b"\x02") == b"IBM\x04\x02"
        os.write(ours, b"\x01x")
        assert process.wait(_LONGEST_S) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait()
        for each in (ours, theirs):
            os.close(each)


def test_a_guest_that_halts_for_good_ends_with_a_word_on_it(tmp_path: Path) -> None:
    path = tmp_path / "kernel"
    path.write_bytes(bootable(b"\xfa\xf4"))  # cli; hlt
    ours, theirs = pty.openpty()
    process = _at_terminal(command(path), theirs)
    try:
        told = until(ours, b"interrupts off\r\n").splitlines()
        assert [b"Ctrl-A X" in told[0], b"halted for good" in told[-1]] == [True, True]
        assert process.wait(_LONGEST_S) == 0
    finally:
        process.kill()
        process.wait()
        for each in (ours, theirs):
            os.close(each)


def _at_terminal(words: list[str], terminal: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        preexec_fn=_own_terminal,  # noqa: PLW1509
    )  # fmt: skip


def _own_terminal() -> None:
    """Make stdin the controlling terminal: we are then in its foreground."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_pipe_is_read_to_its_end(kernel: Path) -> None:
    with popen([*command(kernel), "-q"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"HAL")
        process.stdin.close()
        assert until(process.stdout.fileno(), b"M").endswith(b"> IBM")
        process.kill()
