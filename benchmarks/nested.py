"""What is measured on KVM, where the host has none that executes guests: in a Linux that has one.

That is QEMU's emulation of SVM: all is some twenty times as slow there, ours and what it is beside.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.kvm_guest import PARTS, StandstillError, run_in_kvm_guest
from tests.support.kvm_initramfs import ROOT, KvmInitramfs

from benchmarks import kvm, older
from benchmarks.qemu import PROGRAM

if TYPE_CHECKING:
    from rich.console import Console

_TIMEOUT_S, _SILENCE_S = 3600, 1200
_PACKAGES = ("rich", "markdown-it-py", "mdurl")


def show_all(console: Console) -> None:
    """Print what KVM takes on this host, or in the nested guest, or why neither."""
    why = kvm.refusal()
    if not why:
        kvm.show_all(console)
    elif not PARTS.exists():
        console.print(f"KVM is not measured: {why} (tools/setup.sh peers has another)")
    else:
        console.print(f"KVM inside QEMU's emulation: {why}")
        _nested(console)


def _nested(console: Console) -> None:
    def told(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    command = "python3 -m benchmarks.kvm"
    with tempfile.TemporaryDirectory() as folder:
        try:
            run_in_kvm_guest(
                Path(folder), command, timeout_s=_TIMEOUT_S, told=told, more=_add,
                silence_s=_SILENCE_S,
            )  # fmt: skip
        except StandstillError as error:
            told(str(error))


def _add(made: KvmInitramfs) -> None:
    """Add what the measurements need: the older commit, and QEMU."""
    made.add_packages(_PACKAGES)
    made.add_tree(ROOT / "benchmarks")
    with older.sources() as sources:
        for each in [] if sources is None else sorted(sources.rglob("*.py")):
            made.add_here(older.UNPACKED / "src" / each.relative_to(sources), each)
    if PROGRAM is not None:
        made.add_here(Path(PROGRAM))
