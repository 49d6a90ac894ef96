"""Which machines there are: a list, and what is chosen of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec

from guestmap.base import ConfigError
from guestmap.fleet.secrets import redacted

_CONDITION = re.compile(r"(?P<key>[\w./-]+)(?P<sign>!?=)(?P<pattern>.*)")


class FleetMachine(msgspec.Struct, frozen=True):
    """One machine of a fleet.

    Attributes:
        name: unique in its inventory.
        source: as the command line names it: ``unix:PATH``, ``libvirt+URI:NAME``, a file ...
        host: where it runs; "" where that is not known.
        labels: what selectors ask for.
        trouble: why it cannot even be named: a host whose domains could not be listed; "" for a
            machine.
    """

    name: str
    source: str
    host: str = ""
    labels: dict[str, str] = {}
    trouble: str = ""

    @property
    def shown(self) -> str:
        """Its source as it may be shown and kept: without a password."""
        return redacted(self.source)


@dataclass(frozen=True, slots=True)
class FleetInventory:
    """The machines of a fleet, in the order in which they were named.

    Raises:
        ConfigError: two have one name.
    """

    machines: tuple[FleetMachine, ...]

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for each in self.machines:
            if each.name in seen:
                raise ConfigError(
                    f"two machines are named {each.name!r}: {seen[each.name]} and {each.shown};"
                    " give each its own name in the inventory"
                )
            seen[each.name] = each.shown

    def __len__(self) -> int:
        return len(self.machines)

    def __iter__(self) -> Iterator[FleetMachine]:
        return iter(self.machines)

    def selected(self, selectors: Iterable[str]) -> FleetInventory:
        """Return the machines for which all conditions hold.

        Args:
            selectors: conditions with commas between: ``name=web*``, ``host!=node3``; any other key
                is a label's. A pattern is a shell's (fnmatch).

        Raises:
            ConfigError: one is no such condition.
        """
        conditions = [each for text in selectors for each in _conditions(text)]
        chosen = (m for m in self.machines if all(each.holds(m) for each in conditions))
        return FleetInventory(tuple(chosen))


@dataclass(frozen=True, slots=True)
class _Condition:
    key: str
    is_equal: bool
    pattern: str

    def holds(self, machine: FleetMachine) -> bool:
        facts: Mapping[str, str] = machine.labels
        if self.key in {"name", "host"}:
            facts = {"name": machine.name, "host": machine.host}
        value = facts.get(self.key)
        return (value is not None and fnmatchcase(value, self.pattern)) == self.is_equal


def _conditions(text: str) -> Iterator[_Condition]:
    parts = [part for each in text.split(",") if (part := each.strip())]
    if not parts:  # of a variable that was not set: all machines are not what is meant
        raise ConfigError("an empty condition selects nothing: leave --select out for all machines")
    for part in parts:
        found = _CONDITION.fullmatch(part)
        if found is None:
            raise ConfigError(
                f"{part!r} selects nothing: write name=PATTERN, host=PATTERN or LABEL=PATTERN, with"
                " != for the others"
            )
        yield _Condition(found["key"], found["sign"] == "=", found["pattern"])
