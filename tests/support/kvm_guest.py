"""A /dev/kvm where the host has none that is fit: Linux with kvm-amd in QEMU's TCG, which has SVM.

The guest is Debian's kernel for virtual machines (``tools/linux_guest.sh``) with this very Python,
this project, and what its tests import, in an initramfs.
"""

from __future__ import annotations

import os
import re
import time
import warnings
from typing import TYPE_CHECKING

import pytest

from tests.support import done_before
from tests.support.kvm_initramfs import ROOT, KvmInitramfs, busybox, inner
from tests.support.linux_guest import PARTS
from tests.support.qemu import require_qemu
from tests.support.watched_guest import run_watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_PACKAGES = (
    "msgspec", "sortedcontainers", "unicorn", "pytest", "pluggy", "iniconfig", "packaging",
    "pygments", "hypothesis", "attrs", "pytest-timeout",
)  # fmt: skip
_TREES = (
    "src", "tests/accel", "tests/support", "pyproject.toml", "tests/__init__.py",
    "tests/conftest.py", "tests/memory/host_maps.py",
)  # fmt: skip
_NEWER = ROOT / ".oracle" / "qemu-new" / "starters" / "qemu-system-x86_64"
NEWER_LINUX = PARTS.with_name("linux-new")
"""A newer kernel and its modules (``tools/linux_kernel.sh``)."""

_DONE = re.compile(r"-- done (\d+) --")
_PASSED = re.compile(r"(tests/\S+::.+?) (?:PASSED|SKIPPED)\b")
_BEGUN = re.compile(r"(tests/\S+::.+?) *$")
_LAST_LINES = 40
_SILENCE_S = 300
"""More than any test takes, a boot among busy neighbours, and the import of all tests."""


class StandstillWarning(UserWarning):
    """The emulation stood still, and another one went on in its place."""


class StandstillError(Exception):
    """The emulation prints nothing more: it stands still, or it has ended before its time.

    Args:
        lines: what it has printed.
        where: where its CPUs stand; "" where it has ended.
    """

    def __init__(self, lines: list[str], where: str) -> None:
        last = "\n".join(lines[-_LAST_LINES:])
        super().__init__(
            f"the emulated machine stands still:\n{where}" if where
            else f"the emulated machine has ended before its command:\n{last}"
        )  # fmt: skip
        self.lines = lines


def run_in_kvm_guest(
    folder: Path,
    command: str,
    *,
    timeout_s: float,
    told: Callable[[str], None] = print,
    with_linux: bool = False,
    linux: Path = PARTS,
    done: Iterable[str] = (),
    more: Callable[[KvmInitramfs], object] = lambda _: None,
    silence_s: float = _SILENCE_S,
) -> int:
    """Run a line of shell where there is a /dev/kvm; return its status.

    Skips, with a reason, where the guest's parts are missing.

    Args:
        folder: for the initramfs.
        command: run in the project's folder.
        timeout_s: how long the whole guest may take.
        told: hears each line that it prints.
        with_linux: whether it is to have the parts of other guests, for one inside it.
        linux: where its kernel is, and its modules.
        done: tests that are left out, where the command is a pytest.
        more: adds what else the command needs.
        silence_s: how long it may print nothing.

    Raises:
        StandstillError: it prints nothing for too long, has no time left, or ends too early.
    """
    kernels = sorted((linux / "boot").glob("vmlinuz*"))
    if not kernels or not PARTS.exists():
        pytest.skip("needs a Linux guest's parts (tools/setup.sh peers)")
    image = folder / "kvm.cpio"
    made = KvmInitramfs(command, linux)
    made.add_packages(_PACKAGES)
    for name in _TREES:
        made.add_tree(ROOT / name)
    more(made)
    made.add(inner(done_before.LIST), "\n".join(done).encode())
    if with_linux:
        for each in (kernels[-1], busybox(), *(PARTS / "boot").glob("memtest86+*.bin")):
            made.add_file(inner(each), each)
    image.write_bytes(made.archive())
    words = [
        _program(), "-accel", "tcg,thread=multi", "-M", "q35", "-cpu", "max,+svm", "-smp", "2",
        "-m", "3G", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-kernel", str(kernels[-1]), "-initrd", str(image),
        "-append", "console=ttyS0 quiet panic=-1 no_timer_check",
    ]  # fmt: skip
    run = run_watched(words, timeout_s=timeout_s, silence_s=silence_s, told=told)
    status = next((found[1] for each in run.lines if (found := _DONE.search(each))), None)
    if run.standstill or status is None:
        raise StandstillError(run.lines, run.standstill)
    return int(status)


def run_tests_in_kvm_guest(
    folder: Path,
    command: str,
    *,
    timeout_s: float,
    linux: Path = PARTS,
    with_linux: bool = False,
) -> int:
    """Run a pytest there; where the emulation stands still, or ends, go on with a new one.

    It goes on with the test that stood, and fails where that stands again: then it is the test's
    fault, or ours. (The emulation has lost interrupts of its own, and a newer kernel has met there
    the breakpoint by which it changes its own code.)

    Args:
        folder: for the initramfs.
        command: the pytest, which prints the name of each test (``-v``).
        timeout_s: how long all may take.
        linux: where the guest's kernel is, and its modules.
        with_linux: whether it is to have the parts of other guests, for one inside it.

    Raises:
        StandstillError: a test stood twice, or there is no time left.
    """
    deadline, done, stood = time.monotonic() + timeout_s, [], None
    command += f" -p {done_before.__name__}"
    while True:
        try:
            left_s = deadline - time.monotonic()
            return run_in_kvm_guest(
                folder, command, timeout_s=left_s, linux=linux, done=done, with_linux=with_linux
            )
        except StandstillError as error:
            done += [found[1] for each in error.lines if (found := _PASSED.match(each))]
            begun = _BEGUN.match(error.lines[-1])
            before, stood = stood, begun[1] if begun else ""
            if stood == before or time.monotonic() > deadline:
                raise
            told = f"{error}\nin {stood or 'no test'}; {len(done)} tests are done, another goes on"
            warnings.warn(told, StandstillWarning, stacklevel=2)


def _program() -> str:
    """Return the newest QEMU there is.

    Up to 10.1 a CPU that enters or leaves a guest of its own changes the word of its pending
    interrupts without regard to the timer's thread, which may change it at that moment: so an
    interrupt may be lost, the timer's too; 7.2 has been seen to stand still.
    """
    named = "GUESTMAP_QEMU_ROOT" in os.environ
    return str(_NEWER) if _NEWER.exists() and not named else require_qemu()
