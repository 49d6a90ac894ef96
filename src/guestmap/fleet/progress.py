"""How far a plan came, in a file beside it: a line for each machine that ended.

Each line has its plan's id: whoever plans anew into the same file has a plan that nobody began.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from guestmap.base import ConfigError, HostError, PeerError
from guestmap.base.faults import point
from guestmap.fleet.applied import AppliedMachine
from guestmap.fleet.fleet_plan import FleetPlan, read_plan


class ProgressLine(msgspec.Struct, frozen=True):
    """Whose line it is; without a machine it says that the plan was begun."""

    plan: str
    machine: str = ""


@dataclass(slots=True)
class Progress:
    """The file beside a plan.

    Args:
        path: of it.
        plan: the plan's id.

    Attributes:
        is_begun: whether the plan was ever begun.
        ended: how it ended at last, by machine.
    """

    path: Path
    plan: str
    is_begun: bool = False
    ended: dict[str, AppliedMachine] = field(default_factory=dict)

    @classmethod
    def beside(cls, file: Path, plan: FleetPlan) -> Progress:
        """Return what is known of a plan that is in ``file``; of a line that is half, nothing.

        Raises:
            HostError: it cannot be read.
        """
        progress = cls(file.with_name(file.name + ".progress"), plan.id)
        try:
            lines = progress.path.read_bytes().splitlines()
        except FileNotFoundError:
            return progress
        except OSError as error:
            what = f"cannot read {progress.path} ({error.strerror})"
            raise HostError(what, call="read") from error
        for line in lines:
            progress._read(line)
        return progress

    def _read(self, line: bytes) -> None:
        try:
            told = msgspec.json.decode(line, type=ProgressLine)
            if told.plan != self.plan:
                return
            self.is_begun = True
            if told.machine:
                self.ended[told.machine] = msgspec.json.decode(line, type=AppliedMachine)
        except (ValueError, RecursionError):
            return

    def begin(self) -> None:
        """Say that the plan is begun, before its first machine is."""
        if not self.is_begun:
            self._append({"plan": self.plan})
            self.is_begun = True

    def add(self, told: AppliedMachine) -> None:
        """Note a machine's end; it is on the disk before this returns."""
        self.ended[told.machine] = told
        self._append({"plan": self.plan, **told.to_json()})

    def _append(self, form: dict[str, object]) -> None:
        try:
            point("progress.before-write")
            with self.path.open("a+b") as file:
                file.write(b"\n" * _is_cut(file) + msgspec.json.encode(form) + b"\n")
                file.flush()
                point("progress.before-fsync")
                os.fsync(file.fileno())
            point("progress.after")
        except OSError as error:
            what = f"cannot write {self.path} ({error.strerror})"
            raise HostError(what, call="write") from error


def _is_cut(file: BinaryIO) -> bool:
    """Tell whether the last line has no end: whoever wrote it was killed, or the disk was full."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 1, 0))
    return file.read(1) not in {b"", b"\n"}


def refuse_open(file: Path) -> None:
    """Refuse to write over a plan that was begun and is not at its end: none but it can settle it.

    Raises:
        ConfigError: there is one.
        HostError: what is known of it cannot be read.
    """
    try:
        plan = read_plan(file)
    except (HostError, PeerError):  # none, or something else
        return
    progress = Progress.beside(file, plan)
    left = _left(plan, progress)
    if progress.is_begun and left:
        raise ConfigError(
            f"{file} has plan {plan.id}, which was begun and is open on {len(left)} machines"
            f" ({', '.join(left[:3])}): guestmap fleet apply --resume or undo it first, or write to"
            " another file (-o)"
        )


def _left(plan: FleetPlan, progress: Progress) -> list[str]:
    ended = progress.ended
    names = [each.machine for each in plan.fitting()]
    return [name for name in names if name not in ended or ended[name].ending == "open"]
