"""The host refuses, at each call: an output is whole or the old one, a machine has all or nothing.

strace makes a program's N-th call of a kind fail. Those by which Python reads its own modules are
left out, and so is memory for the interpreter itself, which it does not always survive.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import guestmap
from tests.domain.machines import FakeMachine
from tests.support.qmp_serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ERRORS = {
    "openat": ("EMFILE", "ENOMEM", "ENOSPC", "EINTR"),
    "read": ("ENOMEM", "EINTR"),
    "write": ("ENOSPC", "EINTR"),
    "fsync": ("ENOSPC", "EINTR"),
    "rename": ("ENOSPC",),
    "mkdir": ("ENOSPC",),
    "socket": ("EMFILE", "ENOMEM"),
    "connect": ("EINTR",),
    "sendto": ("ENOMEM", "EINTR"),
    "recvfrom": ("ENOMEM", "EINTR"),
    "poll": ("ENOMEM", "EINTR"),
}
"""What each call may answer (its manual page), of what a full host does."""
MAP = """address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): pc.ram
"""
_CALL = re.compile(r"(\w+)\((?:(\d+)|AT_FDCWD, \"([^\"]*)\")?")
_MODULE = re.compile(
    "|".join(map(re.escape, (sys.prefix, sys.base_prefix, str(Path(guestmap.__file__).parent))))
    + r"|.*\.so\b"
)
_ANSWER = re.compile(r"\) += (\d+)")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace"),
]


class Failure(NamedTuple):
    """A call that is to fail."""

    call: str
    number: int
    error: str


def _run(words: list[object], *strace: str) -> subprocess.CompletedProcess[str]:
    command = ["strace", *strace, sys.executable, "-m", "guestmap", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
    )  # fmt: skip


def _failures(trace: Path, begin: str) -> Iterator[Failure]:
    """Yield each call that may fail, from the first on that has these words; see ERRORS."""
    numbers: Counter[str] = Counter()
    modules: set[str] = set()
    opened: Counter[str] = Counter()
    begun = False
    for line in trace.read_text(errors="replace").splitlines():
        found = _CALL.match(line)
        if found is None:
            continue
        call, descriptor, path = found.groups()
        numbers[call] += 1
        begun = begun or (begin in line and call != "execve")
        if path is not None and _MODULE.match(path):
            answer = _ANSWER.search(line)
            modules.add(answer[1] if answer else "")
        elif call == "close":
            modules.discard(descriptor)
        elif begun and descriptor not in modules and not (path and opened[path] > 1):
            opened[path or ""] += 1  # some are opened again and again
            yield from (Failure(call, numbers[call], each) for each in ERRORS.get(call, ()))


def _failing(words: list[object], failure: Failure) -> subprocess.CompletedProcess[str]:
    call, number, error = failure
    done = _run(words, "-o", os.devnull, "-e", f"inject={call}:error={error}:when={number}")
    assert "Traceback" not in done.stderr, (failure, done.stderr)
    if done.returncode == 2:
        told = [line for line in done.stderr.splitlines() if line.startswith("guestmap: ")]
        assert len(told) <= 1, (failure, done.stderr)
    return done


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("words", "begin", "name"),
    [
        pytest.param(("snapshot", "map.txt", "-o", "out.json"), "map.txt", "out.json",
                     id="snapshot"),
        pytest.param(("boot", "-q", "--until", "preinit", "--save", "vm.saved"), "vm.saved",
                     "vm.saved", id="boot", marks=[pytest.mark.unicorn, pytest.mark.seabios]),
    ],
)  # fmt: skip
def test_an_output_is_whole_or_the_old_one(
    words: tuple[str, ...], begin: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("map.txt").write_text(MAP, encoding="utf-8")
    whole = Path(name)
    for _ in range(2):  # the first may look at things that are known from then on
        assert _run([*words], "-o", "trace").returncode == 0
    size = whole.stat().st_size
    failures = list(_failures(Path("trace"), begin))
    assert {"openat", "write", "fsync", "rename"} <= {each.call for each in failures}
    for each in failures:
        whole.write_bytes(b"old")
        done = _failing([*words], each)
        assert done.returncode in (0, 2), (each, done)
        # The machine's own time and its saved size differ a little from run to run.
        is_new = abs(whole.stat().st_size - size) <= size // 10
        assert is_new or (done.returncode == 2 and whole.read_bytes() == b"old"), (each, done)
        assert {file.name for file in tmp_path.iterdir()} == {"map.txt", "trace", name}, each


@pytest.mark.timeout(1800)
def test_a_plug_is_whole_or_undone_or_says_what_may_be_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def willing(played: FakeMachine, verb: str, device: str) -> None:
        assert verb == "plug"
        (slot,) = (each.slot for each in played.devices if each.id == device)
        assert slot is not None
        played.ost(slot, 1, 0)

    def plug(number: int, failure: Failure | None) -> None:
        played = FakeMachine(willing)
        with serving(played, tmp_path / f"q{number}") as served:
            words: list[object] = ["plug", served.path, "128M"]
            if failure is None:
                assert _run(words, "-o", str(tmp_path / "trace")).returncode == 10
                return
            done = _failing(words, failure)
        used = {each.backend for each in played.devices}
        left = set(played.objects) - used - {"pc.ram"}
        if done.returncode == 10:
            assert len(played.devices) == 1, (failure, done)
        if left or (played.devices and done.returncode != 10):
            assert any(word in done.stderr + done.stdout for word in ("may have been done", "left",
                       "dimm0")), (failure, done)  # fmt: skip

    plug(0, None)
    failures = list(_failures(tmp_path / "trace", "connect("))
    assert {"connect", "sendto", "recvfrom", "write"} <= {each.call for each in failures}
    for number, each in enumerate(failures, 1):
        plug(number, each)
