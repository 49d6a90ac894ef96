"""ACPICA's tools, a second opinion on tables: ``iasl`` (dis)assembles, ``acpiexec`` runs.

A test that calls these is skipped, with a reason, where they are missing; ``GUESTMAP_REQUIRE`` with
``acpica`` (or ``all``) makes it fail instead.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.needs import skip_without

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HEADER_BYTES = 36
_CREATOR = slice(28, 36)  # whose compiler made a table: iasl puts itself in
_CHECKSUM = 9
_COMPLAINT = re.compile(r"(?im)^.*\b(?:error|warning|exception|could not|invalid)\b.*$")
_LATE = re.compile(r"\[State-Notify\] *\n.*Outstanding cache allocations")
_TRIES = 5
_CLEAN = re.compile(r"0 Errors, 0 Warnings")


def require_acpica() -> None:
    """Skip the test, or fail it, where there is no acpica-tools."""
    missing = [program for program in ("iasl", "acpiexec") if shutil.which(program) is None]
    if missing:
        skip_without("acpica", f"needs {' and '.join(missing)} (package acpica-tools)")


def with_checksum(table: bytes) -> bytes:
    """Return a table with its header's checksum completed."""
    data = bytearray(table)
    data[_CHECKSUM] = 0
    data[_CHECKSUM] = -sum(data) & 0xFF
    return bytes(data)


def same_but_for_compiler(table: bytes) -> bytes:
    """Return a table without what differs when another compiler makes it."""
    data = bytearray(table)
    data[_CREATOR] = bytes(8)
    data[_CHECKSUM] = 0
    return bytes(data)


def disassemble(table: bytes, folder: Path) -> str:
    """Return ASL, or the fields of a data table; complaints fail the test."""
    require_acpica()
    source = folder / "table.aml"
    source.write_bytes(table)
    said = _run(["iasl", "-p", str(folder / "table"), "-d", str(source)])
    assert not _COMPLAINT.findall(said), said
    text = (folder / "table.dsl").read_text()
    assert "Incorrect checksum" not in text
    return text


def compile_asl(text: str, folder: Path) -> bytes:
    """Return what iasl makes of ASL, or of a data table's fields, without optimizing."""
    require_acpica()
    source = folder / "source.dsl"
    source.write_text(text)
    said = _run(["iasl", "-oa", "-p", str(folder / "compiled"), str(source)])
    assert _CLEAN.search(said), said
    return (folder / "compiled.aml").read_bytes()


@dataclass
class Evaluation:
    """The value that an object had, or that a method returned.

    Attributes:
        integers, buffers: in the order in which they are part of the value.
        names: of objects that the value refers to.
    """

    integers: list[int]
    buffers: list[bytes]
    names: list[str]

    @classmethod
    def parse(cls, text: str) -> Evaluation:
        integers = [int(each, 16) for each in re.findall(r"\[Integer\] = ([0-9A-F]+)", text)]
        names = re.findall(r"\[Object Reference\].*Name (\w+)", text)
        buffers = []
        for part in re.split(r"\[Buffer\] Length [0-9A-F]+ =", text)[1:]:
            lines = re.findall(r"^\s*[0-9A-F]{4}: ((?:[0-9A-F]{2} )+)", part, re.MULTILINE)
            buffers.append(bytes.fromhex("".join(lines)))
        return cls(integers, buffers, names)

    @property
    def integer(self) -> int:
        (value,) = self.integers
        return value

    @property
    def buffer(self) -> bytes:
        (value,) = self.buffers
        return value


class Acpiexec:
    """ACPICA's interpreter with some tables loaded, afresh for each call.

    Memory stands in for the hardware: a field reads back what was last written there.

    Args:
        folder: for temporary files.
        tables: complete tables, the DSDT first.
        fields: what fields hold at the start, by path.
    """

    def __init__(
        self, folder: Path, *tables: bytes, fields: Mapping[str, int] | None = None
    ) -> None:
        require_acpica()
        self._command = ["acpiexec"]
        if fields:
            setup = folder / "fields.txt"
            setup.write_text("".join(f"{path} {value:#x}\n" for path, value in fields.items()))
            self._command += ["-fi", str(setup)]
        for number, table in enumerate(tables):
            path = folder / f"loaded{number}.aml"
            path.write_bytes(table)
            self._command.append(str(path))

    def evaluate(self, *objects: str, notifies: bool = False) -> list[Evaluation]:
        """Evaluate one after the other; arguments stand behind a path, buffers in parentheses.

        ``notifies`` tells that a ``Notify`` may be among what happens.
        """
        parts = re.split(r"^Evaluating .*$", self._session(objects, notifies), flags=re.MULTILINE)
        assert len(parts) == 1 + len(objects)
        return [Evaluation.parse(part) for part in parts[1:]]

    def notifications(self, method: str) -> list[tuple[str, int]]:
        """Run a method; return (device, value) of each ``Notify``, sorted: threads report them."""
        found = re.findall(
            r"Received a System Notify on \[(\w+)\].*Value 0x([0-9A-F]+)",
            self._session((method,), notifies=True),
        )
        return sorted((name, int(value, 16)) for name, value in found)

    def _session(self, objects: Sequence[str], notifies: bool) -> str:
        """Run the commands and return all that was said.

        In batch mode acpiexec stays for a second at the end, in which the threads that ``Notify``
        starts come to their end; on a busy host one may not, and it is tried again. Otherwise
        commands are typed in, which takes no time.
        """
        lines = [f"evaluate {each}" for each in objects]
        if notifies:
            for _ in range(_TRIES):
                said = _run([self._command[0], "-b", ";".join(lines), *self._command[1:]])
                if not _LATE.search(said):
                    break
        else:
            said = _run(self._command, "\n".join([*lines, "quit", ""]))
        assert not _COMPLAINT.findall(said), said
        return said


def _run(command: list[str], typed: str = "") -> str:
    done = subprocess.run(
        command, input=typed, capture_output=True, text=True, check=False, timeout=60
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
