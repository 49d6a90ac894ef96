"""The parts of a plan: what is sent, what comes and goes in documents, and what it was made on."""

from __future__ import annotations

import difflib
import hashlib
import json
from typing import TYPE_CHECKING, Any

from guestmap.base import KIB, exact_size
from guestmap.domain.change.link import PERIPHERAL
from guestmap.domain.rules.assign import backend_name

if TYPE_CHECKING:
    from guestmap.domain.change.attach_plan import AttachPlan
    from guestmap.domain.change.detach import Detachment
    from guestmap.domain.store.status import Status
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef


def attach_commands(todo: AttachPlan) -> tuple[dict[str, Any], ...]:
    """Return the commands that attaching sends, in order."""
    if not todo.arguments:
        return ()
    names = ("object-add", "device_add")
    made: list[dict[str, Any]] = [
        {"execute": name, "arguments": given}
        for name, given in zip(names, todo.arguments, strict=True)
    ]
    looks: list[dict[str, Any]] = [{"execute": "query-memory-devices"},
             {"execute": "qom-list", "arguments": {"path": PERIPHERAL}}]  # fmt: skip
    return (*made, *looks)


def detach_commands(todo: Detachment) -> tuple[dict[str, Any], ...]:
    """Return the commands that detaching sends, in order."""
    if todo.live is None:
        return ()
    return (
        {"execute": "device_del", "arguments": {"id": todo.live.alias}},
        {"execute": "object-del", "arguments": {"id": backend_name(todo.live)}},
        {"execute": "qom-list", "arguments": {"path": PERIPHERAL}},
    )


def changes(
    stored: Definition | None,
    config: Definition | None,
    running: Status | None,
    live: Definition | None,
) -> dict[str, tuple[str, ...]]:
    """Return the lines that come and go, of the definition in force and of the stored one."""
    found = {}
    if running is not None and live is not None:
        found["live"] = _lines(running.definition.data, live.data)
    if stored is not None and config is not None:
        found["config"] = _lines(stored.data, config.data)
    return found


def _lines(before: bytes, after: bytes) -> tuple[str, ...]:
    told = difflib.unified_diff(
        before.decode().splitlines(), after.decode().splitlines(), lineterm="", n=0
    )
    return tuple(line for line in told if not line.startswith(("---", "+++", "@@")))


def made_on(stored: Definition | None, running: Status | None) -> dict[str, str]:
    """Return what a plan is made on: digests of both definitions, and which process runs."""
    found = {}
    if stored is not None:
        found["config"] = hashlib.sha256(stored.data).hexdigest()
    if running is not None:
        found["live"] = hashlib.sha256(running.definition.data).hexdigest()
        found["process"] = json.dumps([running.process.number, running.process.start])
    return found


def devices_in(stored: Definition | None, running: Status | None) -> dict[str, tuple[str, ...]]:
    """Return the memory devices of both definitions, in words."""
    live = None if running is None else running.definition
    both = {"config": stored, "live": live}
    return {
        what: tuple(map(_in_words, found.devices))
        for what, found in both.items()
        if found is not None
    }


def _in_words(device: MemoryDef) -> str:
    slot = "" if device.slot is None else f" in slot {device.slot}"
    place = "" if device.place is None else f" at {device.place:#x}"
    name = "" if device.alias is None else f"{device.alias}, "
    return f"{name}{device.model} of {exact_size(device.size * KIB)}{slot}{place}"
