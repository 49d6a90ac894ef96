"""memtest86+, 32 and 64 bits wide, runs on our own engine and finds the memory it finds in QEMU."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.linux_guest import PARTS
from tests.support.processes import popen
from tests.support.qemu import require_qemu

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(300)
]  # fmt: skip

GUEST = ("-m", "64M")
CONSOLE = "console=ttyS0,115200"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LAST_OF_INTEREST = re.compile(r"\[59\.\d+MB of ")
"""A test is above the lowest memory (only what changes on the screen is sent: no number of it)."""


@pytest.fixture(params=["ia32", "x64"])
def image(request: pytest.FixtureRequest) -> Path:
    """Return memtest86+, which is a Linux kernel by its header."""
    path = PARTS / "boot" / f"memtest86+{request.param}.bin"
    if not path.is_file():
        pytest.skip("no memtest86+: tools/linux_guest.sh unpacks it")
    return path


def shown(*command: str | Path) -> str:
    """Return what a machine's serial port says until that test is under way."""
    with popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as run:
        text = ""
        try:
            while not _LAST_OF_INTEREST.search(text):
                piece = run.stdout.read1(4096)
                assert piece, text[-500:]
                text = _ESCAPE.sub(" ", text + piece.decode("latin-1"))
        finally:
            run.kill()
    return text


def findings(text: str) -> tuple[set[str], set[str]]:
    """Return how much memory the tests said there is, and the errors they counted."""
    return set(re.findall(r"of (\S+?B)\]", text)), set(re.findall(r"Errors: *(\d+)", text))


@pytest.mark.parametrize("entry", ["16", "32"])
def test_it_finds_what_it_finds_in_qemu(image: Path, entry: str) -> None:
    ours = shown(
        sys.executable, "-m", "guestmap", "boot", *GUEST, "--kernel", image, "--append", CONSOLE,
        "--kernel-entry", entry, "--serial", "stdio", "-q",
    )  # fmt: skip
    theirs = shown(
        require_qemu(), "-M", "pc", "-nodefaults", "-display", "none", *GUEST,
        "-kernel", image, "-append", CONSOLE, "-serial", "stdio",
    )  # fmt: skip

    memory, errors = findings(ours)
    assert (memory, errors) == findings(theirs)
    assert errors == {"0"}
    assert len(memory) == 1
