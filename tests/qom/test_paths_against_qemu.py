"""QEMU's own tree, copied: every path leads to the same place in both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guestmap.qom import (
    AmbiguousPathError,
    NotFoundError,
    Object,
    ObjectTree,
    ObjectType,
    TypeTable,
)
from tests.support.qemu import Qemu

pytestmark = pytest.mark.qemu

CHILD = re.compile(r"child<(.+)>")
LINK = re.compile(r"link<(.+)>")


class Copied:
    """A running QEMU, and a tree with the same children and links."""

    def __init__(self, qemu: Qemu) -> None:
        self.qemu = qemu
        self.types = TypeTable()
        self.tree = ObjectTree(self.types)
        self._links: list[tuple[Object, str, str]] = []
        self._copy("/", self.tree.root)
        for holder, name, path in self._links:
            target = self.tree.resolve(path) if path else None
            holder.add_link(name, "object", target=target, strong=False)
        self.paths = [place.path for place in self.tree.root.walk()]

    def _copy(self, path: str, place: Object) -> None:
        for prop in self.qemu.qmp("qom-list", path=path):
            below = f"{path.rstrip('/')}/{prop['name']}"
            if match := CHILD.fullmatch(prop["type"]):
                if match[1] not in self.types:
                    self.types.add(ObjectType(match[1]))
                self._copy(below, place.add_child(prop["name"], self.types.new(match[1])))
            elif LINK.fullmatch(prop["type"]):
                target = self.qemu.qmp("qom-get", path=path, property=prop["name"])
                self._links.append((place, prop["name"], target))

    def theirs(self, path: str) -> Any:
        """Return ``(type, children)`` of what QEMU finds, or the error's class and text."""
        request = {"execute": "qom-list", "arguments": {"path": path}}
        self.qemu._qmp.sendall(json.dumps(request).encode() + b"\n")
        answer = self.qemu._receive()
        if "error" in answer:
            return answer["error"]["class"], answer["error"]["desc"]
        children = {prop["name"] for prop in answer["return"] if CHILD.fullmatch(prop["type"])}
        return self.qemu.qmp("qom-get", path=path, property="type"), children

    def ours(self, path: str) -> Any:
        try:
            found = self.tree.resolve(path)
        except NotFoundError as error:
            return "DeviceNotFound", str(error)
        except AmbiguousPathError as error:
            return "GenericError", str(error)
        return found.get("type"), set(found.children)


@pytest.fixture(scope="module")
def copied() -> Iterator[Copied]:
    with Qemu(
        "-m", "128M,slots=4,maxmem=8G", "-object", "memory-backend-ram,id=mm,size=2M",
        "-device", "pc-dimm,id=d0,memdev=mm", "-device", "pci-bridge,id=b0,chassis_nr=1",
        "-device", "e1000,id=n0,bus=b0,addr=3",
    ) as qemu:  # fmt: skip
        yield Copied(qemu)


def test_the_tree_is_the_same(copied: Copied) -> None:
    lines = []

    def show(place: Object, depth: int) -> None:
        for name, below in sorted(place.children.items()):
            lines.append(f"{'  ' * depth}/{name} ({below.type.name})")
            show(below, depth + 1)

    show(copied.tree.resolve("/machine"), 1)
    text = copied.qemu.hmp("info qom-tree").splitlines()
    assert lines == text[1:]


def test_canonical_paths(copied: Copied) -> None:
    for path in copied.paths:
        assert copied.tree.resolve(path).path == path
    assert len(copied.paths) > 250


def test_names_alone(copied: Copied) -> None:
    for name in sorted({path.rpartition("/")[2] for path in copied.paths}):
        assert copied.ours(name) == copied.theirs(name), name


@pytest.mark.parametrize(
    "path",
    ["", "/", "//", "/machine/", "//machine", "/machine//peripheral", "machine/", "x/", "x//y",
     "d0/memdev", "d0/memdev/mm[0]", "memdev", "/machine/peripheral/d0/memdev", "parent_bus",
     "n0/parent_bus", "b0/b0", "bus/child[0]", "/machine/nosuch", "nosuch", "type", "d0/type",
     "child[0]", "pci.0/child[0]", "peripheral/d0/", "mm/mm[0]/container"],
)  # fmt: skip
def test_odd_paths(copied: Copied, path: str) -> None:
    assert copied.ours(path) == copied.theirs(path)


@settings(max_examples=200, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_pieces_of_paths(copied: Copied, data: st.DataObject) -> None:
    parts = data.draw(st.sampled_from(copied.paths)).strip("/").split("/")
    first = data.draw(st.integers(0, len(parts)))
    last = data.draw(st.integers(first, len(parts)))
    ending = data.draw(st.sampled_from(["", "", "/", "/type", "/container", "/parent_bus", "/x"]))
    path = data.draw(st.sampled_from(["", "", "/"])) + "/".join(parts[first:last]) + ending
    assert copied.ours(path) == copied.theirs(path)
