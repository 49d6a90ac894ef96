"""Reading what a machine's ACPI does for memory hot-plug, and how many NUMA nodes there are."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from guestmap.domain.plugged import KNOWN_KINDS
from guestmap.domain.questions import line, machine_text, prop
from guestmap.domain.situation import Situation

if TYPE_CHECKING:
    from guestmap.domain.peer import Peer

_GPE_MEMORY = 1 << 3
_GPE_PORTS = range(0x100, 0x10000)
_PORT = re.compile(r"= 0x([0-9a-f]+)")
_NODES = re.compile(r"(\d+) nodes")


def with_acpi(peer: Peer, situation: Situation, told: dict[str, Any]) -> Situation:
    """Return a situation with what is known of ACPI, and of the NUMA nodes.

    Args:
        peer: the machine.
        situation: what else is known of it.
        told: what was asked first: ``acpi``, ``acpi-device``, ``slots``.
    """
    path = told["acpi-device"] or ""
    questions = {
        "support": prop(path, "memory-hotplug-support", bool),
        "block": prop(path, "gpe0_blk", int),
        "length": prop(path, "gpe0_blk_len", int),
    }
    if not path:
        questions = {}
    if all(each.kind in KNOWN_KINDS for each in situation.devices):
        # No structured command tells of nodes, and this one ends a QEMU 11.1 that has a memory
        # device of a kind that its own human monitor does not know.
        questions["nodes"] = line("info numa")
    more = dict(zip(questions, peer.ask_many(list(questions.values())), strict=True))
    nodes = _NODES.match(machine_text(more.get("nodes")) or "")
    has_acpi = told["acpi"] != "off" and (
        more["support"] is not False if path else told["slots"] is not None
    )
    return replace(
        situation,
        acpi=has_acpi,
        acpi_switch=told["acpi"] or "",
        nodes=None if nodes is None else int(nodes[1]),
        gpe_enabled=_gpe_enabled(peer, more.get("block"), more.get("length")),
    )


def _gpe_enabled(peer: Peer, block: int | None, length: int | None) -> bool | None:
    """Tell whether the guest enabled GPE 3, by which memory is announced; None: not known."""
    if not block or not length:
        return None
    port = block + length // 2
    if port not in _GPE_PORTS:
        return False  # the chip's ports have no place yet: no firmware ran
    (text,) = peer.ask_many([line(f"i /1xb {port:#x}")])
    match = _PORT.search(text) if text else None
    return None if match is None else bool(int(match[1], 16) & _GPE_MEMORY)
