"""Maps of any size in one way: so many address spaces, or regions so deep in one another."""

from __future__ import annotations

import json

_DEVICES = 20
"""Regions of an address space."""

_LEVEL = {
    "addr": 0, "size": 1 << 40, "priority": 0, "type": "i/o", "enabled": True, "terminates": False,
    "readonly": False, "nonvolatile": False, "alias": None, "alias_offset": 0, "owner": None,
}  # fmt: skip


def spaces_text(spaces: int) -> str:
    """Return the text of address spaces, each with a tree of its own; the first is the memory."""
    lines: list[str] = []
    for space in range(spaces):
        lines += [
            f"address-space: {f'space{space}' if space else 'memory'}",
            f"  0000000000000000-ffffffffffffffff (prio 0, i/o): root{space}",
        ]
        for i in range(_DEVICES):
            place = f"{i << 12:016x}-{(i << 12) + 0xFFF:016x}"
            lines.append(f"    {place} (prio 0, i/o): device{space * _DEVICES + i}")
        lines.append("")
    return "\n".join([*lines, ""])


def deep_json(levels: int) -> str:
    """Return the JSON of regions in one another, which no text is indented for; RAM is innermost.

    An older commit reads it, too.
    """
    inner = {"type": "ram", "terminates": True}
    regions = [
        _LEVEL | {"id": i, "name": f"device{i}"}
        | ({"children": [i + 1]} if i < levels - 1 else inner | {"children": []})
        for i in range(levels)
    ]  # fmt: skip
    form = {
        "format": "guestmap.snapshot", "format_version": 1, "regions": regions,
        "address_spaces": [{"name": "memory", "root": 0}], "views": [], "ram_blocks": [],
        "source": "deep", "version": "",
    }  # fmt: skip
    return json.dumps(form)
