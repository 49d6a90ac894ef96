"""The commands that managing a machine's memory may send: a short list of questions and changes.

Whatever is not in these tables is refused before it is sent, so that a mistake above cannot reach
further than memory devices and their backends. Names and meanings: QEMU QMP Reference Manual.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from guestmap.base import ConfigError
from guestmap.inspect.attach.commands import HMP

QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        HMP: "what no structured command tells: see HMP_LINES",
        "qom-get": "sizes, slots, whether there is ACPI",
        "qom-list": "the names that devices and objects have",
        "query-acpi-ospm-status": "what the guest last said about each slot",
        "query-kvm": "whether KVM runs it, which has a number of memory slots",
        "query-memdev": "the backends",
        "query-memory-devices": "what is plugged, and where",
        "query-memory-size-summary": "how much memory the guest has",
        "query-migrate": "whether it is being migrated",
        "query-status": "whether the guest runs",
        "query-version": "which QEMU it is",
        "x-query-virtio": "the virtio devices",
        "x-query-virtio-status": "whether vhost carries one of them",
    }
)
"""Commands that only look, and what they are asked for."""

CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "object-add": "make a memory backend",
        "object-del": "drop a memory backend",
        "device_add": "plug a DIMM",
        "device_del": "ask the guest to let go of a DIMM",
    }
)
"""Commands that change a machine, and what they do here."""

HMP_LINES = (re.compile(r"info numa"), re.compile(r"i /1xb 0x[0-9a-f]{1,4}"))
"""Lines of the human monitor: the NUMA nodes, and one read of a byte from an I/O port."""

_BACKEND = re.compile(r"memory-backend-[a-z]+")
_DRIVER = "pc-dimm"


def check(command: str, arguments: Mapping[str, object]) -> None:
    """Refuse what is not part of managing memory.

    Raises:
        ConfigError: not a command of the tables, or not with such arguments.
    """
    if command not in QUESTIONS and command not in CHANGES:
        raise ConfigError(f"{command} is not sent: it is not one that managing memory needs")
    if command == HMP:
        line = arguments.get("command-line")
        if not isinstance(line, str) or not any(form.fullmatch(line) for form in HMP_LINES):
            raise ConfigError(f"{line!r} is not sent to the human monitor")
    if command == "device_add" and arguments.get("driver") != _DRIVER:
        raise ConfigError(f"device_add is sent for {_DRIVER} only, not {arguments.get('driver')!r}")
    if command == "object-add" and not _BACKEND.fullmatch(str(arguments.get("qom-type"))):
        raise ConfigError(
            f"object-add is sent for memory backends only, not {arguments.get('qom-type')!r}"
        )
