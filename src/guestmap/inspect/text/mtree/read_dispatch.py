"""Read the dispatch tree of ``info mtree -f -d``."""

from __future__ import annotations

import re

from guestmap.inspect.map.snapshot import DispatchEntry, DispatchInfo, DispatchSection
from guestmap.inspect.text.mtree.lines import fail

_HEX = "[0-9a-f]{16}"
_SECTION = re.compile(
    rf"      #(?P<number>\d+) @(?P<start>{_HEX})\.\.(?P<end>{_HEX}) (?P<name>.*?)"
    r"(?P<marks>(?: \[(?:unassigned|not dirty|ROM|watch|ROOT|MRU|iommu)\])*)"
    r"(?: alias=(?P<alias>.*))?"
)
_NODES = re.compile(
    r"    Nodes \((?P<bits>\d+) bits per level, (?P<levels>\d+) levels\)"
    r" ptr=\[(?P<pointer>-?\d+)\] skip=(?P<skip>\d+)"
)
_NODE = re.compile(r"      \[(\d+)\]")
_ENTRY = re.compile(
    r"\t *(?P<first>\d+)(?:\.\.(?P<last>\d+))? +skip=(?P<skip>\d+) "
    r" ptr=(?:NIL|#(?P<section>\d+)|\[(?P<node>\d+)\])"
)


def read_dispatch(lines: list[str], index: int) -> tuple[DispatchInfo, int]:
    """Read from the line ``  Dispatch`` at ``index`` on; return the index of the first line after.

    Raises:
        PeerError: a line is not what follows there; says its number and what was expected.
    """
    index += 1
    if _at(lines, index) != "    Physical sections":
        fail(index + 1, "'    Physical sections'", _at(lines, index))
    index += 1
    sections: list[DispatchSection] = []
    while match := _SECTION.fullmatch(_at(lines, index)):
        if int(match["number"]) != len(sections):
            fail(index + 1, f"section #{len(sections)}", lines[index])
        sections.append(_section(match))
        index += 1
    heading = _NODES.fullmatch(_at(lines, index))
    if heading is None:
        fail(
            index + 1,
            "a section '      #N @START..END NAME' or '    Nodes (...)'",
            _at(lines, index),
        )
    index += 1
    nodes: list[tuple[DispatchEntry, ...]] = []
    while match := _NODE.fullmatch(_at(lines, index)):
        if int(match[1]) != len(nodes):
            fail(index + 1, f"node [{len(nodes)}]", lines[index])
        entries, index = _entries(lines, index + 1, fanout=1 << int(heading["bits"]))
        nodes.append(entries)
    info = DispatchInfo(
        sections=tuple(sections),
        nodes=tuple(nodes),
        root_pointer=int(heading["pointer"]),
        root_skip=int(heading["skip"]),
        bits=int(heading["bits"]),
        levels=int(heading["levels"]),
    )
    return info, index


def _at(lines: list[str], index: int) -> str:
    return lines[index] if index < len(lines) else ""


def _section(match: re.Match[str]) -> DispatchSection:
    start, end = int(match["start"], 16), int(match["end"], 16)
    marks = tuple(re.findall(r"\[(.*?)\]", match["marks"]))
    return DispatchSection(start, end - start + 1, match["name"], marks, match["alias"])


def _entries(lines: list[str], index: int, *, fanout: int) -> tuple[tuple[DispatchEntry, ...], int]:
    entries: list[DispatchEntry] = []
    expected = 0
    while expected < fanout:
        match = _ENTRY.fullmatch(_at(lines, index))
        if match is None or int(match["first"]) != expected:
            fail(index + 1, f"an entry of the node from {expected} on", _at(lines, index))
        last = int(match["last"] or match["first"])
        pointer = match["section"] or match["node"]
        entries.append(
            DispatchEntry(
                expected, last, int(match["skip"]), None if pointer is None else int(pointer)
            )
        )
        expected = last + 1
        index += 1
    return tuple(entries), index
