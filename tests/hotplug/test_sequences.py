"""The same requests to our QMP server and to a real QEMU 7.2: the same answers, events and maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hotplug.sides import (
    Message,
    OurSide,
    QemuSide,
    events_of,
    guest_view,
    hmp,
    settled,
    tree_of_pluggable,
)

pytestmark = [
    pytest.mark.qemu_7_2("how it plugs, and its words"),
    pytest.mark.qemu,
    pytest.mark.seabios,
]

MIB, GIB = 1 << 20, 1 << 30


def ask(command: str, **arguments: Any) -> Message:
    return {"execute": command, "arguments": arguments} if arguments else {"execute": command}


def backend(name: str, size: int = 128 * MIB, **more: Any) -> Message:
    arguments = {"qom-type": "memory-backend-ram", "id": name, "size": size} | more
    return ask("object-add", **{key: each for key, each in arguments.items() if each is not None})


def dimm(name: str | None = None, **more: Any) -> Message:
    return ask("device_add", driver="pc-dimm", **({"id": name} if name else {}), **more)


def get(path: str, name: str) -> Message:
    return ask("qom-get", path=path, property=name)


def put(path: str, name: str, value: object) -> Message:
    return ask("qom-set", path=path, property=name, value=value)


class Out(tuple[int, int, int]):
    """A port write: port, value, size."""


class In(tuple[int, int]):
    """A port read: port, size."""


QUERIES = [
    ask("query-memory-size-summary"),
    ask("query-memory-devices"),
    ask("query-acpi-ospm-status"),
]
ANONYMOUS = [
    ask("qom-list", path="/machine/peripheral-anon"), ask("query-memory-devices"),
]  # fmt: skip
SMALL = ("-m", "128M,slots=2,maxmem=1G")

SEQUENCES: dict[str, tuple[tuple[str, ...], list[Any]]] = {
    "attach, refuse, detach": (SMALL, [
        *QUERIES,
        dimm("d0"), dimm("d0", memdev="nope"), dimm("d0", memdev="/machine"),
        backend("m0", None), backend("m0", 0), backend("1m"), backend("m0", "128M"),
        ask("object-add", **{"qom-type": "memory-backend-foo", "id": "x"}),
        ask("object-add", **{"qom-type": "memory-backend", "id": "x", "size": 1}),
        ask("object-add", id="x"), ask("object-add"), backend("m0", frob=1),
        backend("m0"), backend("m0"),
        dimm("d0", memdev="m0", slot=7), dimm("d0", memdev="m0", slot=-2),
        dimm("d0", memdev="m0", node=3), dimm("d0", memdev="m0", node=-1),
        dimm("d0", memdev="m0", addr=0x1000), dimm("d0", memdev="m0", addr=0x100000800),
        dimm("d0", memdev="m0", addr=0x80000000), dimm("d0", memdev="m0", addr=1 << 63),
        dimm("d0", memdev="m0", addr="4G"), dimm("d0", memdev="m0", slot=1 << 40),
        dimm("d0", memdev="m0", size=5), dimm("d0", memdev="m0", frob=5),
        dimm("9x", memdev="m0"),
        backend("big", 2 * GIB, reserve=False), dimm("d0", memdev="big"),
        backend("odd", 0x8000001), dimm("d0", memdev="odd"),
        dimm("d0", memdev="m0"), dimm("d0", memdev="m0"), dimm("d1", memdev="m0"),
        backend("m1"), dimm("d1", memdev="m1", slot=0), dimm("d1", memdev="m1", addr=0x100000000),
        dimm("d1", memdev="m1", addr=0x100200000),
        dimm("d1", memdev="m1"), backend("m2"), dimm("d2", memdev="m2"), *QUERIES,
        ask("object-del", id="m0"), ask("object-del", id="zz"), ask("object-del"),
        ask("object-del", id="odd"), ask("object-del", id="odd"),
        ask("device_del", id="zz"), ask("device_del"), ask("device_del", id="/machine"),
        ask("device_del", id="d0"), ask("device_del", id="d0"), *QUERIES,
        ask("qom-list", path="/machine/peripheral/d0"), ask("qom-list", path="/objects/m0/m0[0]"),
        get("/machine/peripheral/d0", "memdev"), ask("qom-list", path="/nope"),
        put("/objects/m0", "size", 1),
        In((0xAFE0, 1)), Out((0xA00, 0, 4)), In((0xA14, 1)), Out((0xA14, 2, 1)), In((0xA14, 1)),
        Out((0xA14, 8, 1)), *QUERIES, ask("qom-list", path="/machine/peripheral"),
        ask("object-del", id="m0"), ask("object-del", id="m0"), *QUERIES,
    ]),
    "an unplug, as a guest goes through it": (SMALL, [
        backend("m0"), Out((0xAFE2, 8, 2)), dimm("d0", memdev="m0", slot=1), In((0xAFE0, 2)),
        Out((0xA00, 1, 4)), *[In((0xA00 + n, 4)) for n in range(0, 24, 4)],
        Out((0xA14, 2, 4)), In((0xA14, 4)), Out((0xAFE0, 8, 2)), In((0xAFE0, 2)),
        Out((0xA04, 1, 4)), Out((0xA08, 0, 4)), ask("query-acpi-ospm-status"),
        ask("device_del", id="/machine/peripheral/d0"), In((0xAFE0, 2)), In((0xA14, 4)),
        Out((0xA04, 0x103, 4)), Out((0xA08, 0x84, 4)), Out((0xA14, 4, 1)), In((0xA14, 4)),
        Out((0xA14, 8, 1)), In((0xA14, 4)), In((0xA00, 4)),
        Out((0xA04, 3, 4)), Out((0xA08, 0, 4)), *QUERIES,
        ask("object-del", id="m0"), ask("qom-list", path="/objects"),
    ]),
    "a guest that refuses": (SMALL, [
        backend("m0"), dimm(memdev="m0"),
        ask("device_del", id="/machine/peripheral-anon/device[0]"),
        Out((0xA00, 0, 4)), Out((0xA04, 3, 4)), Out((0xA08, 0x82, 4)), *QUERIES,
        Out((0xA00, 1, 4)), Out((0xA14, 8, 1)), Out((0xA04, 3, 4)), Out((0xA08, 1, 4)),
        Out((0xA00, 7, 4)), Out((0xA08, 1, 4)), Out((0xA14, 8, 1)), *QUERIES,
    ]),
    "numbers that do not come again": (SMALL, [
        backend("m0"), backend("m1"), ask("qom-list", path="/machine/unattached"),
        dimm(memdev="m0"), dimm(memdev="m0"), dimm(memdev="nope"), dimm(), dimm(frob=1),
        dimm(memdev="m1", slot=9), dimm(memdev="m1", bus="nope"), dimm("9x", memdev="m1"),
        ask("device_add", driver="nosuch"), dimm(memdev="m1"), *ANONYMOUS,
        ask("device_del", id="/machine/peripheral-anon/device[0]"),
        Out((0xA00, 0, 4)), Out((0xA14, 8, 1)), *ANONYMOUS, dimm(memdev="m0"), *ANONYMOUS,
        ask("device_del", id="/machine/peripheral-anon/device[0]"),
        ask("qom-list", path="/machine/unattached"),
    ]),
    "gaps": (("-m", "128M,slots=4,maxmem=1G"), [
        *[backend(f"m{n}", size * MIB) for n, size in enumerate((64, 128, 64, 192, 256))],
        dimm("a", memdev="m0", addr=0x110000000), dimm("b", memdev="m1"),
        dimm("c", memdev="m2", slot=3), dimm("d", memdev="m3"), dimm("e", memdev="m4"),
        *QUERIES, ask("device_del", id="b"), Out((0xA00, 1, 4)), Out((0xA14, 8, 1)),
        dimm("e", memdev="m4"), dimm("f", memdev="m1", addr=0x140000000), *QUERIES,
    ]),
    "no slots": (("-m", "128M"), [
        *QUERIES, backend("m0"), dimm(memdev="m0"), dimm(memdev="m0", slot=3), In((0xA00, 4)),
        get("/machine", "memory"),
    ]),
    "room, and no slots": (("-m", "128M,maxmem=4G"), [
        *QUERIES, backend("m0"), dimm(memdev="m0"), dimm(memdev="m0", slot=3), In((0xA00, 4)),
        get("/machine", "memory"),
    ]),
    "no ACPI": (("-m", "128M,slots=2,maxmem=4G", "-no-acpi"), [
        backend("m0"), dimm(memdev="m0", slot=9), dimm("d", memdev="m0"), *QUERIES[:2],
        ask("object-del", id="m0"),
    ]),
    "power management without memory": (
        ("-m", "128M,slots=2,maxmem=4G", "-global", "PIIX4_PM.memory-hotplug-support=off"),
        [backend("m0"), dimm(memdev="m0", slot=9), *QUERIES[:2]],
    ),
    "nodes": (
        ("-m", "128M,slots=2,maxmem=4G",
         "-object", "memory-backend-ram,id=r0,size=64M", "-numa", "node,memdev=r0",
         "-object", "memory-backend-ram,id=r1,size=64M", "-numa", "node,memdev=r1"),
        [
            backend("m0"), dimm(memdev="m0", node=2), dimm(memdev="r0", node=1),
            dimm("d0", memdev="m0", node=1), Out((0xA00, 0, 4)), In((0xA10, 4)), *QUERIES,
            ask("object-del", id="r0"), get("/machine", "memory-backend"), ask("query-memdev"),
        ],
    ),
    "a back-end for all RAM": (
        ("-m", "128M", "-object", "memory-backend-ram,id=r0,size=128M",
         "-machine", "memory-backend=r0"),
        [ask("query-memdev"), get("/machine", "memory-backend"), ask("object-del", id="r0")],
    ),
    "plugged from the start": (
        ("-m", "128M,slots=3,maxmem=4G",
         "-object", "memory-backend-ram,id=r0,size=64M", "-device", "pc-dimm,memdev=r0,id=d0",
         "-object", '{"qom-type":"memory-backend-ram","id":"r1","size":2097152}',
         "-device", '{"driver":"pc-dimm","id":"d1","memdev":"r1","slot":2,"addr":5368709120}'),
        [
            *QUERIES, In((0xAFE0, 1)), Out((0xA00, 0, 4)), In((0xA14, 4)), Out((0xA00, 2, 4)),
            In((0xA14, 4)), In((0xA00, 4)), ask("device_del", id="d0"), In((0xAFE0, 1)),
            ask("object-del", id="r0"), *QUERIES,
        ],
    ),
    "devices that are no memory": (SMALL, [
        backend("m0"),
        *[dimm(memdev="m0", bus=bus) for bus in ("zz", "pci.0", "isa.0", "", "main-system-bus")],
        *[ask("device_add", driver=driver) for driver in (
            "nosuch", "device", "memory-backend-ram", "isa-pit", "isa-serial", "i8042", "ioapic",
            "PIIX3", "vmmouse", "nosuch,x=y",
        )],
        ask("device_add"), ask("device_add", driver=5),
        *[ask("device_del", id=name) for name in (
            "", "/", "/machine/i440fx", "/machine/unattached/device[0]", "/machine/i440fx/pci.0",
            "/machine/unattached/device[2]", "/objects/m0", "/machine/unattached/device[6]",
        )],
    ]),
    "back-ends": (SMALL, [
        backend("p", policy="bind"), backend("p", **{"host-nodes": [0]}),
        backend("p", policy="bind", **{"host-nodes": [200]}), backend("p", policy="neither"),
        backend("p", policy="bind", **{"host-nodes": [100]}),
        backend("p", prealloc=True, reserve=False), backend("p", **{"prealloc-threads": 0}),
        backend("p", 1 << 62), backend("p", MIB, prealloc=True), backend("q", 1),
        backend("s", -5.5),
        *[backend("f", MIB, **({"qom-type": f"memory-backend-{kind}"} | more))
          for kind, more in (
              ("file", {}), ("file", {"mem-path": "/nonexistent/x"}),
              ("memfd", {"hugetlb": True, "hugetlbsize": 1 << 21}), ("memfd", {"hugetlbsize": 0}),
              ("memfd", {"seal": False}), ("memfd", {"mem-path": "x"}), ("ram", {"seal": True}),
          )],
        *[put("/objects/p", name, value) for name, value in (
            ("size", 1), ("share", True), ("reserve", True), ("merge", False), ("merge", 5),
            ("policy", "bind"), ("policy", True), ("policy", "x"), ("host-nodes", [0]),
            ("host-nodes", [999]), ("host-nodes", 1), ("prealloc-threads", 0),
            ("prealloc-threads", "a"), ("prealloc-context", "zz"), ("dump", False), ("nope", 1),
            ("type", "x"), ("x-use-canonical-path-for-ramblock-id", True),
        )],
        ask("qom-list", path="/objects/p"), ask("qom-list", path="/objects/f"),
        *[get("/objects/f", name) for name in ("share", "seal", "hugetlb", "hugetlbsize", "size")],
        *[get("/objects/p", name) for name in ("share", "merge", "policy", "host-nodes", "p[0]")],
        ask("query-memdev"), ask("object-del", id="f"), ask("object-del", id="q"),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_sequence(name: str, tmp_path: Path) -> None:
    args, steps = SEQUENCES[name]
    with OurSide(tmp_path, *args) as ours, QemuSide(*args) as theirs:
        for step in steps:
            if isinstance(step, Out):
                ours.out(*step)
                theirs.out(*step)
            elif isinstance(step, In):
                assert ours.read(*step) == theirs.read(*step), f"port 0x{step[0]:x}"
            else:
                assert answer(ours, step) == answer(theirs, step), step
            assert events_of(ours) == events_of(theirs), step
        assert guest_view(ours) == guest_view(theirs)
        assert tree_of_pluggable(ours) == tree_of_pluggable(theirs)
        assert hmp(ours, "info memory-devices") == hmp(theirs, "info memory-devices")


def answer(side: OurSide | QemuSide, request: Message) -> Any:
    return settled(side.request(request))
