"""The commands that may be sent to somebody's machine: those that only look.

Attaching must never change a machine, so every command goes through :func:`check`, which refuses
what is not in these tables. QEMU's human monitor can do anything; of its commands only the lines
of :data:`HMP_LINES` pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from guestmap.base import ConfigError

HMP = "human-monitor-command"

READ_ONLY: Mapping[str, str] = MappingProxyType(
    {
        HMP: "the map, as text: QEMU has no structured command for it",
        "query-version": "which QEMU it is",
        "query-name": "the guest's name",
        "query-status": "whether the guest runs",
        "query-kvm": "whether KVM runs it",
        "query-memory-devices": "what is plugged, and where",
        "query-memory-size-summary": "how much memory the guest has",
        "query-pci": "the PCI functions and their BARs",
    }
)
"""QMP commands and what they are asked for (QEMU QMP Reference Manual)."""

HMP_LINES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "info mtree": re.compile(r"info mtree(?: -f)?(?: -d)?(?: -o)?(?: -D)?"),
        "info ramblock": re.compile(r"info ramblock"),
    }
)
"""Human monitor commands, and the lines that are one. QEMU takes flags in this order only."""


def check(command: str, arguments: Mapping[str, object]) -> None:
    """Refuse whatever could change a machine.

    Raises:
        ConfigError: not a command, or not a line of the human monitor, that only looks.
    """
    if command not in READ_ONLY:
        raise ConfigError(f"{command} is not sent: it is not one of {', '.join(READ_ONLY)}")
    if command != HMP:
        if arguments:
            raise ConfigError(f"{command} is not sent with arguments ({', '.join(arguments)})")
        return
    line = arguments.get("command-line")
    if set(arguments) != {"command-line"} or not isinstance(line, str):
        raise ConfigError(f"{HMP} is sent with a command-line and nothing else")
    if not any(form.fullmatch(line) for form in HMP_LINES.values()):
        raise ConfigError(f"{line!r} is not sent: it is not one of {', '.join(HMP_LINES)}")
