"""A plan for a fleet: which machines take a DIMM, which do not, and by whose limit."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, Literal

import msgspec

from guestmap.base import ConfigError, HostError, PeerError, write_whole
from guestmap.fleet.inventory import FleetInventory, FleetMachine
from guestmap.fleet.secrets import has_secret

FORMAT: Literal["guestmap.fleet-plan"] = "guestmap.fleet-plan"

Verdict = Literal["fits", "blocked", "useless", "not-chosen", "failed"]
"""What a plan says of a machine.

- ``fits``: nothing stands in the way;
- ``blocked``: it would be refused; ``useless``: QEMU takes it, and the guest gets nothing of it;
- ``not-chosen``: the condition does not hold; ``failed``: it could not be asked.
"""


class Reason(msgspec.Struct, frozen=True):
    """Why a machine does not fit: a blocker's code and text, and what to do about it."""

    code: str
    text: str
    remedy: str = ""


class PlannedMachine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a plan says of a machine.

    Attributes:
        source: without passwords. is_secret: it had one, and an inventory must tell it again.
        run: what tells this run of the machine from others.
        addr, slot: where the DIMM is to go; None where it does not.
        reasons: why it does not fit.
    """

    machine: str
    source: str
    verdict: Verdict
    host: str = ""
    labels: dict[str, str] = {}
    is_secret: bool = False
    run: str = ""
    addr: int | None = None
    slot: int | None = None
    reasons: tuple[Reason, ...] = ()


class FleetPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be plugged, and where it fits.

    Attributes:
        id: eight hexadecimal digits, of this plan alone; the DIMM's id has them, so QEMU itself
            takes none twice.
        size: bytes. node: the guests' NUMA node. where: the condition.
        at: when it was made, seconds since 1970.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}$")]
    size: Annotated[int, msgspec.Meta(ge=0)]
    machines: tuple[PlannedMachine, ...]
    node: Annotated[int, msgspec.Meta(ge=0)] = 0
    where: str = ""
    at: int = 0
    format: Literal["guestmap.fleet-plan"] = FORMAT
    format_version: Literal[1] = 1

    @property
    def device(self) -> str:
        """The id of the DIMM on every machine: ``dimm`` and a number, as guestmap names its own."""
        return f"dimm{int(self.id, 16)}"

    def fitting(self) -> tuple[PlannedMachine, ...]:
        """Return the machines that take it, in the plan's order."""
        return tuple(each for each in self.machines if each.verdict == "fits")

    def inventory(self, told: FleetInventory | None = None) -> FleetInventory:
        """Return the machines that take it.

        Args:
            told: an inventory, which tells sources anew: passwords are in no plan.

        Raises:
            ConfigError: a source had a password, and nobody tells it; or an inventory is told that
                has none of these machines.
        """
        anew = {each.name: each.source for each in told or ()}
        names = {each.machine for each in self.machines}
        if anew and names.isdisjoint(anew):
            raise ConfigError(
                f"--inventory names no machine of the plan: it has {next(iter(anew))!r}, and the"
                f" plan {min(names, default='')!r}"
            )
        found = []
        for each in self.fitting():
            if each.is_secret and each.machine not in anew:
                raise ConfigError(
                    f"the source of {each.machine} had a password, which is in no plan: give"
                    " --inventory"
                )
            source = anew.get(each.machine, each.source)
            found.append(FleetMachine(each.machine, source, each.host, each.labels))
        return FleetInventory(tuple(found))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        form: dict[str, Any] = msgspec.to_builtins(self)
        return form

    def save(self, path: Path) -> None:
        """Write it.

        Raises:
            HostError: the host refuses.
        """
        write_whole(path, msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


def new_plan(size: int, machines: Iterable[PlannedMachine], *, node: int, where: str) -> FleetPlan:
    """Return a plan with an id of its own."""
    return FleetPlan(token_hex(4), size, tuple(machines), node, where, int(time.time()))


def read_plan(path: Path) -> FleetPlan:
    """Return the plan in a file.

    Raises:
        PeerError: it is none.
        HostError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HostError(f"cannot read {str(path)!r} ({error.strerror})", call="read") from error
    try:
        return msgspec.json.decode(content, type=FleetPlan)
    except (ValueError, RecursionError) as error:
        raise PeerError(f"{path} is no plan for a fleet: {error}") from error


def planned(
    machine: FleetMachine, verdict: Verdict, *reasons: Reason, **more: Any
) -> PlannedMachine:
    """Return what a plan says of a machine."""
    return PlannedMachine(
        machine.name,
        machine.shown,
        verdict,
        machine.host,
        machine.labels,
        has_secret(machine.source),
        reasons=reasons,
        **more,
    )
