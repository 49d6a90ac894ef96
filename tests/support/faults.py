"""Faults planted on purpose: one line of the product replaced, and the tests that must notice.

A copy of the tree is broken, never the tree itself. A test that passes whatever the code does shows
here; so a fault is added with each line that turned out to be watched by nobody.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
_FIRST_VERSION_S = 1_000_000_000
_SILENCE_S = 300
"""A fault may make a test wait for ever."""


class Fault(NamedTuple):
    """One line that is wrong.

    Attributes:
        file: below ``src/guestmap``.
        right: what stands there now, once in the file.
        wrong: what is put in its place.
        test: the file of the narrow tests that must notice, below ``tests``.
    """

    file: str
    right: str
    wrong: str
    test: str

    def __str__(self) -> str:
        return f"{self.file}: {self.wrong}"


class Copy:
    """A copy of sources and tests, to plant faults in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = count(_FIRST_VERSION_S)
        ignored = shutil.ignore_patterns("__pycache__", "golden")
        for name in ("src", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", folder)

    @contextmanager
    def planted(self, fault: Fault) -> Iterator[None]:
        """Have the fault in the copy for the length of a ``with`` block."""
        path = self._folder / "src" / "guestmap" / fault.file
        text = path.read_text(encoding="utf-8")
        assert text.count(fault.right) == 1, f"{fault.file} has not once: {fault.right}"
        self._write(path, text.replace(fault.right, fault.wrong))
        try:
            yield
        finally:
            self._write(path, text)

    def _write(self, path: Path, text: str) -> None:
        """Write a source, with a time of its own: byte code is told by its second and its size."""
        path.write_text(text, encoding="utf-8")
        version = next(self._versions)
        os.utime(path, (version, version))

    def failures(self, *tests: str) -> str:
        """Return what pytest says of the first test that fails; "" where all pass."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        environment = os.environ | {
            "PYTHONPATH": str(self._folder / "src"),
            "PYTHONPYCACHEPREFIX": str(self._folder / "bytecode"),
        }
        for name in ("PYTHONDONTWRITEBYTECODE", "PYTEST_XDIST_WORKER"):
            environment.pop(name, None)
        try:
            run = subprocess.run(
                [*command, *(f"tests/{test}" for test in tests)],
                cwd=self._folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_SILENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "the tests did not end"
        return run.stdout + run.stderr if run.returncode else ""

    def is_noticed(self, fault: Fault) -> bool:
        """Plant a fault and tell whether a test that ran fails; one that cannot start counts not.

        Raises:
            AssertionError: the line is not there any more, or the tests could not be collected.
        """
        with self.planted(fault):
            said = self.failures(fault.test)
        assert "errors during collection" not in said, said
        return bool(said)
