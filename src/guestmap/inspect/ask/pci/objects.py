"""The devices of a machine's object tree, with the memory regions that they own."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from guestmap.base import PeerError
from guestmap.inspect.map.pci_functions import DeviceRegion, QomDevice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from guestmap.qmp.client.monitor import Monitor

ROOT = "/machine"
_MOST_OBJECTS = 20_000
_CHILD = re.compile(r"child<(.*)>")
_BACKEND = re.compile(r"link<memory-backend.*>")
_REGION, _LEAVES = "memory-region", {"irq", "memory-region"}
_NUMBERED = re.compile(r"\[\d+\]$")
_OF_FUNCTIONS = {"addr", "multifunction", "parent_bus"}
"""Properties that every PCI function has, and no other device has all of."""


class _Property(msgspec.Struct):
    name: str
    type: str


def devices_of(monitor: Monitor) -> list[QomDevice]:
    """Return the objects below /machine that own memory regions, or are PCI functions.

    A function has the regions of the devices that it is made of, too: the registers of an xHCI
    controller are those of its core, an object below it, say.

    Raises:
        PeerError: the answers are not what QMP promises, or the machine has gone.
    """
    devices = list(_devices(monitor))
    functions = {each.path for each in devices if each.devfn is not None}
    parts: dict[str, list[DeviceRegion]] = {}
    whole: list[QomDevice] = []
    for each in devices:
        above = "" if each.path in functions else _first_above(each.path, functions)
        parts.setdefault(above or each.path, []).extend(each.regions)
        if not above:
            whole.append(each)
    return [replace(each, regions=tuple(parts[each.path])) for each in whole]


def shaped(monitor: Monitor, command: str, shape: Any, many: Sequence[Mapping[str, object]]) -> Any:
    """Return the answers to a command with each of several arguments.

    Raises:
        PeerError: an answer has another shape, or the machine has gone.
    """
    try:
        return msgspec.convert(list(monitor.query_each(command, many)), list[shape])
    except msgspec.ValidationError as error:
        raise PeerError(
            f"{monitor.source}: what {command} returned is not what QMP promises: {error}"
        ) from error


def _properties(monitor: Monitor, shape: Any, paths: Sequence[str], name: str) -> Any:
    return shaped(monitor, "qom-get", shape, [{"path": p, "property": name} for p in paths])


def _first_above(path: str, functions: Collection[str]) -> str:
    while path and path not in functions:
        path = path.rpartition("/")[0]
    return path


def _devices(monitor: Monitor) -> Iterator[QomDevice]:
    """Yield them as they are told, part by part."""
    level, seen = [(ROOT, "")], 0
    while level:
        seen += len(level)
        if seen > _MOST_OBJECTS:
            raise PeerError(f"{monitor.source}: more than {_MOST_OBJECTS} objects below {ROOT}")
        answers = shaped(monitor, "qom-list", list[_Property], [{"path": p} for p, _ in level])
        below = []
        for (path, kind), properties in zip(level, answers, strict=True):
            kinds = {each.name: each.type for each in properties}
            children = {n: m[1] for n, told in kinds.items() if (m := _CHILD.fullmatch(told))}
            below += [(f"{path}/{n}", k) for n, k in children.items() if k not in _LEAVES]
            regions = sorted(f"{path}/{n}" for n, k in children.items() if k == _REGION)
            is_function = kinds.keys() >= _OF_FUNCTIONS
            if is_function:
                links = [name for name, told in kinds.items() if _BACKEND.fullmatch(told)]
                regions += _of_backends(monitor, path, links)
            if is_function or (regions and "realized" in kinds):
                yield _device(monitor, path, kind, regions, is_function=is_function)
        level = below


def _of_backends(monitor: Monitor, path: str, links: Sequence[str]) -> list[str]:
    """Return the regions of the back-ends that a function shows behind a BAR (ivshmem does)."""
    asked = [{"path": path, "property": each} for each in links]
    backends = [each for each in shaped(monitor, "qom-get", str, asked) if each]
    answers = shaped(monitor, "qom-list", list[_Property], [{"path": p} for p in backends])
    return [
        f"{backend}/{each.name}"
        for backend, properties in zip(backends, answers, strict=True)
        for each in properties
        if each.type == f"child<{_REGION}>"
    ]


def _device(
    monitor: Monitor, path: str, kind: str, regions: list[str], *, is_function: bool
) -> QomDevice:
    told = zip(
        regions, _properties(monitor, int, regions, "size"),
        _properties(monitor, int, regions, "addr"),
        _properties(monitor, str, regions, "container"), strict=True,
    )  # fmt: skip
    found = tuple(
        DeviceRegion(_NUMBERED.sub("", name.rsplit("/", 1)[-1]), name, size, addr, container)
        for name, size, addr, container in told
    )
    if not is_function:
        return QomDevice(path, kind, found)
    (devfn,) = _properties(monitor, int, [path], "addr")
    (bus,) = _properties(monitor, str, [path], "parent_bus")
    return QomDevice(path, kind, found, devfn, bus)
