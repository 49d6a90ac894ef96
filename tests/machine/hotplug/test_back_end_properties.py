"""Each property of a memory back-end: what it is at first, and what may change when.

Texts are QEMU 7.2's (backends/hostmem*.c).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import MIB, ConfigError, ManualClock, StateError
from guestmap.machine import Pc, config_of

pytestmark = pytest.mark.seabios

COMMON = {
    "share": False, "dump": True, "prealloc-threads": 3, "policy": "default", "prealloc": False,
    "reserve": True, "host-nodes": [], "merge": True, "size": 2 * MIB,
    "x-use-canonical-path-for-ramblock-id": False, "prealloc-context": "",
}  # fmt: skip
FIRST: dict[str, dict[str, Any]] = {
    "ram": COMMON,
    "file": COMMON | {"readonly": False, "align": 0, "pmem": False, "discard-data": False},
    "memfd": COMMON | {"share": True, "hugetlb": False, "hugetlbsize": 0, "seal": True},
}


@pytest.fixture
def pc() -> Iterator[Pc]:
    made = Pc(config_of(["-nodefaults", "-vga", "none", "-smp", "3"]), ManualClock())
    yield made
    made.system.close()


def add(pc: Pc, kind: str, folder: Path, **more: Any) -> None:
    properties = {"size": 2 * MIB} | {name.replace("_", "-"): value for name, value in more.items()}
    if kind == "file":
        properties["mem-path"] = str(folder / "f")
    pc.manage.object_add(f"memory-backend-{kind}", "m", properties)


@pytest.mark.parametrize("kind", FIRST)
def test_what_is_not_said(pc: Pc, kind: str, tmp_path: Path) -> None:
    add(pc, kind, tmp_path)
    assert {name: pc.tree.get("/objects/m", name) for name in FIRST[kind]} == FIRST[kind]
    (told,) = (each for each in pc.manage.memory_backends() if each["id"] == "m")  # type: ignore[index,call-overload]
    assert told == {
        "id": "m", "share": FIRST[kind]["share"], "reserve": True, "prealloc": False,
        "host-nodes": [], "size": 2 * MIB, "merge": True, "dump": True, "policy": "default",
    }  # fmt: skip


LATE = "cannot change property value"
FIXED = (
    ("ram", "share", True, LATE), ("ram", "reserve", False, LATE),
    ("ram", "size", MIB, "cannot change property size of memory-backend-ram "),
    ("memfd", "hugetlbsize", 2 * MIB, LATE), ("memfd", "share", False, LATE),
    *(("file", name, value, f"cannot change property '{name}' of memory-backend-file{dot}")
      for name, value, dot in (
          ("readonly", True, "."), ("pmem", True, "."), ("align", MIB, ""), ("mem-path", "/x", ""),
      )),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "value", "refusal"), FIXED)
def test_what_is_fixed_once_there_is_memory(
    pc: Pc, tmp_path: Path, kind: str, name: str, value: object, refusal: str
) -> None:
    add(pc, kind, tmp_path)
    before = pc.tree.get("/objects/m", name)
    with pytest.raises(ConfigError) as told:
        pc.tree.set("/objects/m", name, value)  # type: ignore[arg-type]
    assert str(told.value) == refusal
    assert pc.tree.get("/objects/m", name) == before


@pytest.mark.parametrize(("kind", "name", "value"), [
    ("ram", "dump", False), ("ram", "merge", False), ("ram", "prealloc", True),
    ("ram", "prealloc-threads", 1), ("ram", "prealloc-threads", 7), ("ram", "policy", "bind"),
    ("ram", "host-nodes", [0, 127]), ("file", "discard-data", True),
    ("memfd", "hugetlb", True), ("memfd", "seal", False),
])  # fmt: skip
def test_what_may_change_later(pc: Pc, tmp_path: Path, kind: str, name: str, value: object) -> None:
    add(pc, kind, tmp_path)
    assert pc.tree.get("/objects/m", name) != value
    pc.tree.set("/objects/m", name, value)  # type: ignore[arg-type]
    assert pc.tree.get("/objects/m", name) == value


@pytest.mark.parametrize(("kind", "name", "value", "refusal"), [
    ("ram", "size", 0, "property 'size' of memory-backend-ram doesn't take value '0'"),
    ("memfd", "size", 0, "property 'size' of memory-backend-memfd doesn't take value '0'"),
    ("ram", "prealloc-threads", 0,
     "property 'prealloc-threads' of memory-backend-ram doesn't take value '0'"),
    ("memfd", "hugetlbsize", 0,
     "Property 'memory-backend-memfd.hugetlbsize' doesn't take value '0'"),
    ("ram", "host-nodes", [0, 128], "Invalid host-nodes value: 128"),
    ("ram", "host-nodes", [65535], "Invalid host-nodes value: 65535"),
])  # fmt: skip
def test_what_is_no_value(
    pc: Pc, tmp_path: Path, kind: str, name: str, value: object, refusal: str
) -> None:
    with pytest.raises(ConfigError) as told:
        add(pc, kind, tmp_path, **{name: value})
    assert str(told.value) == refusal


@pytest.mark.parametrize("first", ["prealloc", "reserve"])
def test_what_is_filled_in_is_reserved(pc: Pc, tmp_path: Path, first: str) -> None:
    both = {"prealloc": True, "reserve": False}
    ordered = {first: both[first]} | both
    with pytest.raises(ConfigError, match=r"^'prealloc=on' and 'reserve=off' are incompatible$"):
        add(pc, "ram", tmp_path, **ordered)
    add(pc, "ram", tmp_path, reserve=False, prealloc=False)
    with pytest.raises(ConfigError, match=r"^'prealloc=on' and 'reserve=off' are incompatible$"):
        pc.tree.set("/objects/m", "prealloc", True)


def test_nodes_of_the_host_are_collected(pc: Pc, tmp_path: Path) -> None:
    add(pc, "ram", tmp_path)
    for nodes, after in (([5], [5]), ([3, 3], [3, 5]), ([], [3, 5])):
        pc.tree.set("/objects/m", "host-nodes", nodes)  # type: ignore[arg-type]
        assert pc.tree.get("/objects/m", "host-nodes") == after


def test_an_object_that_the_machine_uses_stays(pc: Pc, tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"^object 'pc.ram' is in use, can not be deleted$"):
        pc.manage.object_del("pc.ram")
    with pytest.raises(ConfigError, match=r"^object 'm' not found$"):
        pc.manage.object_del("m")
    add(pc, "ram", tmp_path)
    pc.manage.object_del("m")
    with pytest.raises(ConfigError, match=r"^object 'm' not found$"):
        pc.manage.object_del("m")
