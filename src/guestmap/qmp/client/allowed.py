"""The one list of what may be sent to somebody's machine.

Every command that looks at a machine, or changes it, goes through :func:`check`, which refuses what
is not in :data:`COMMANDS`: a mistake above cannot reach further than memory devices and their
backends, and whoever only looks is refused what changes anything. QEMU's human monitor can do
anything; of its lines only :data:`HMP_LINES` pass.

No command whose name begins with ``x-`` is here: QEMU calls those experimental and promises nothing
of them (QEMU QMP Reference Manual, "Experimental features"), not even that the machine survives the
question. Names and meanings of the others: QEMU QMP Reference Manual.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from guestmap.base import ConfigError

HMP = "human-monitor-command"

HMP_LINES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "info mtree": re.compile(r"info mtree(?: -f)?(?: -d)?(?: -o)?(?: -D)?"),
        "info ramblock": re.compile(r"info ramblock"),
        "info roms": re.compile(r"info roms"),
        "info numa": re.compile(r"info numa"),
        "xp": re.compile(r"xp /[1-9][0-9]{0,3}x[bg] 0x[0-9a-f]{1,16}"),
        "i": re.compile(r"i /1xb 0x[0-9a-f]{1,4}"),
    }
)
"""Human monitor commands, and the lines that are one: the map, the RAM blocks, the loader's
images, the NUMA nodes, bytes of memory, one read of a byte from an I/O port. QEMU takes the flags
of ``info mtree`` in this order only."""

_HMP_LINE = re.compile("|".join(form.pattern for form in HMP_LINES.values()))
_ANY = re.compile(r".*")


@dataclass(frozen=True, slots=True)
class AllowedCommand:
    """One command that may be sent.

    Attributes:
        purpose: what it is asked, or done, for.
        changes: it changes the machine, and is no question.
        arguments: those that must be given, and the form of their text.
        more: whether others may be given beside them.
        owner: it is sent only to a machine that was started here: it decides whether that runs.
        types: it presses keys: it is sent only where somebody asked to type into the machine.
    """

    purpose: str
    changes: bool = False
    arguments: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    more: bool = False
    owner: bool = False
    types: bool = False


def _own(purpose: str, *, more: bool = False) -> AllowedCommand:
    return replace(_change(purpose, more=more), owner=True)


def _change(purpose: str, *, more: bool = False, **arguments: str) -> AllowedCommand:
    forms = {name.replace("_", "-"): re.compile(form) for name, form in arguments.items()}
    return AllowedCommand(purpose, changes=True, arguments=forms, more=more)


COMMANDS: Mapping[str, AllowedCommand] = MappingProxyType(
    {
        HMP: AllowedCommand(
            "what no structured command tells: see HMP_LINES", arguments={"command-line": _HMP_LINE}
        ),
        "qom-get": AllowedCommand(
            "sizes, slots, whether there is ACPI", arguments={"path": _ANY, "property": _ANY}
        ),
        "qom-list": AllowedCommand(
            "the names that devices and objects have", arguments={"path": _ANY}
        ),
        "query-acpi-ospm-status": AllowedCommand("what the guest last said about each slot"),
        "query-cpus-fast": AllowedCommand(
            "the host's threads that are its CPUs: whether it is the same run"
        ),
        "query-kvm": AllowedCommand("whether KVM runs it, which has a number of memory slots"),
        "query-memdev": AllowedCommand("the memory backends"),
        "query-memory-devices": AllowedCommand("what is plugged, and where"),
        "query-memory-size-summary": AllowedCommand("how much memory the guest has"),
        "query-migrate": AllowedCommand("whether it is being migrated"),
        "query-name": AllowedCommand("the guest's name"),
        "query-pci": AllowedCommand("the PCI functions and their BARs"),
        "query-status": AllowedCommand("whether the guest runs"),
        "query-target": AllowedCommand("which architecture its guest has"),
        "query-uuid": AllowedCommand("whether it is the same machine"),
        "query-version": AllowedCommand("which QEMU it is"),
        "screendump": AllowedCommand(
            "what its screen shows, into a file of ours",
            arguments={"filename": re.compile(r"/.*/guestmap-screen-[^/]+/screen\.ppm")},
        ),
        "object-add": _change(
            "make a memory backend", more=True, qom_type=r"memory-backend-[a-z]+"
        ),
        "object-del": _change("drop a memory backend", id=r".*"),
        "device_add": _change(
            "plug a memory device",
            more=True,
            driver=r"pc-dimm|nvdimm|virtio-mem-(?:pci|ccw)|virtio-pmem-pci",
        ),
        "device_del": _change("ask the guest to let go of a memory device", id=r".*"),
        "qom-set": _change(
            "request another size of a virtio-mem device",
            more=True,
            path=r"/machine/peripheral(?:-anon)?/[^/]+",
            property=r"requested-size",
        ),
        "cont": _own("let the guest run"),
        "system_reset": _own("reset the guest"),
        "system_powerdown": _own("ask the guest to shut down"),
        "send-key": replace(_change("type into the guest", more=True), types=True),
        "balloon": _own("ask the guest to give memory back", more=True),
    }
)
"""Every command that may be sent, what it is for, and whether it only looks."""


AGENT_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "guest-sync-delimited": "begin anew: what is left of an earlier answer is dropped",
        "guest-get-memory-block-info": "in which blocks the guest switches memory on",
        "guest-get-memory-blocks": "which of them are online",
    }
)
"""Commands that a guest agent is sent, and what for (QEMU Guest Agent Protocol Reference): none
changes the guest."""


def check(
    command: str,
    arguments: Mapping[str, object],
    *,
    may_change: bool = False,
    is_owner: bool = False,
    may_type: bool = False,
) -> None:
    """Refuse what is not on the list.

    Args:
        command: as it would go over the wire.
        arguments: the same.
        may_change: whether commands that change a machine pass as well.
        is_owner: whether the machine was started here.
        may_type: whether somebody asked to type into it, which is all that may be changed then.

    Raises:
        ConfigError: not a command of the list, not with such arguments, or one that changes
            something where it is only being looked.
    """

    def passes(each: AllowedCommand) -> bool:
        if each.types:
            return may_type
        return (may_change or not each.changes) and (is_owner or not each.owner)

    known = COMMANDS.get(command)
    if known is None or not passes(known):
        passing = (name for name, each in COMMANDS.items() if passes(each))
        raise ConfigError(f"{command} is not sent: it is not one of {', '.join(passing)}")
    for name, form in known.arguments.items():
        value = arguments.get(name)
        if not isinstance(value, str) or not form.fullmatch(value):
            raise ConfigError(f"{command} is not sent with {name} {value!r}")
    others = set(arguments) - set(known.arguments)
    if others and not known.more:
        raise ConfigError(f"{command} is not sent with arguments like {', '.join(sorted(others))}")
