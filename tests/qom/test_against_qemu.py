"""The same values, set in a real QEMU and here: what is refused, and with which words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from guestmap.base import ConfigError
from guestmap.qom import NotFoundError, ObjectTree, option_text
from tests.qom.samples import add_dimm, add_object, sample_tree
from tests.support.qemu import MACHINE, Qemu, require_qemu

pytestmark = [pytest.mark.qemu, pytest.mark.qemu_7_2("how it reads values, and its words")]

MM = "/objects/mm"
SETTINGS = settings(max_examples=150, derandomize=True, suppress_health_check=list(HealthCheck))


@dataclass
class Pair:
    """QEMU and a tree of ours with the same objects.

    An answer is ``(class, text)`` of an error, or None.
    """

    qemu: Qemu
    tree: ObjectTree

    def theirs(self, command: str, **arguments: Any) -> Any:
        request = {"execute": command, "arguments": arguments}
        self.qemu._qmp.sendall(json.dumps(request).encode() + b"\n")
        while "event" in (answer := self.qemu._receive()):
            pass
        if "error" in answer:
            return answer["error"]["class"], answer["error"]["desc"]
        return answer["return"]

    @staticmethod
    def ours(do: Callable[[], Any]) -> Any:
        try:
            return do()
        except NotFoundError as error:
            return "DeviceNotFound", str(error)
        except ConfigError as error:
            return "GenericError", str(error)

    def get(self, path: str, name: str) -> Any:
        theirs = self.theirs("qom-get", path=path, property=name)
        ours = self.ours(lambda: self.tree.get(path, name))
        assert ours == theirs
        return ours

    def set(self, path: str, name: str, value: Any) -> Any:
        theirs = self.theirs("qom-set", path=path, property=name, value=value)
        ours = self.ours(lambda: self.tree.set(path, name, value))
        assert ours == (None if theirs == {} else theirs)
        return ours

    def set_line(self, path: str, name: str, line: str) -> None:
        theirs = self.qemu.hmp(f"qom-set {path} {name} {line}").removesuffix("\n")
        kind_and_text = self.ours(lambda: self.tree.named(path).set_line(name, line))
        ours = f"Error: {kind_and_text[1]}" if kind_and_text else ""
        assert ours == theirs


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    objects = [f"memory-backend-ram,id={name},size=1M" for name in ("mm", "m1")]
    objects += ["memory-backend-ram,id=big,size=2M"]
    objects += ["thread-context,id=tc", "thread-context,id=tc2"]
    arguments = [word for each in objects for word in ("-object", each)]
    with Qemu("-m", "128M,slots=4,maxmem=8G", *arguments) as qemu:
        tree = sample_tree()
        for each in objects:
            kind, name, *_ = each.replace("id=", "").split(",")
            add_object(tree, kind, name)
        pair = Pair(qemu, tree)
        assert pair.theirs("device_add", driver="pc-dimm", id="d0", memdev="big") == {}
        dimm = add_dimm(tree, "d0")
        dimm.set("memdev", "big")
        dimm.addr, dimm.slot, dimm.size = 1 << 32, 0, 2 << 20
        dimm.realize()
        yield pair


ODD_VALUES = (
    True, 0, 1, -1, 65536, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64,
    -1 << 31, -1 << 63, (-1 << 63) - 1, 1.0, 1.5, 1e30, "", "1", "x", "1M", "on", "auto", "bind",
    None, [], [1], ["a"], [1.5], [True], [-1], [1, 70000], [[1]], {}, {"a": 1},
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (MM, "merge"),
        (MM, "policy"),
        (MM, "host-nodes"),
        (MM, "prealloc-context"),
        (MM, "size"),
        (MM, "type"),
        (MM, "nosuch"),
        ("/machine", "hpet"),
        ("/machine", "firmware"),
        ("/machine", "phandle-start"),
        ("/machine", "bus-lock-ratelimit"),
        ("/machine", "smm"),
        ("/objects", "mm"),
        ("/machine/peripheral/d0", "slot"),
        ("/machine/peripheral/d0", "addr"),
        ("/machine/peripheral/d0", "memdev"),
        ("/machine/peripheral/d0", "size"),
        ("/machine/peripheral/d0", "parent_bus"),
        ("/machine/peripheral/d0", "hotpluggable"),
        ("/machine/peripheral/d0", "legacy-memdev"),
        ("/nosuch", "type"),
        ("nosuch", "type"),
        ("", "type"),
    ],
)
def test_json_values(pair: Pair, path: str, name: str) -> None:
    for value in ODD_VALUES:
        if not (name == "host-nodes" and value == [1.5]):
            pair.set(path, name, value)
    if name != "phandle-start":
        pair.get(path, name)


def test_a_count_that_must_not_be_zero_is_checked_by_its_owner(pair: Pair) -> None:
    for value in ODD_VALUES:
        if value != 0:
            pair.set(MM, "prealloc-threads", value)
    pair.get(MM, "prealloc-threads")


def test_sizes_from_json(pair: Pair) -> None:
    for value in (True, 1, 1 << 20, 1 << 64, 1.5, "1M", None, []):
        pair.set("/machine", "max-fw-size", value)
        pair.get("/machine", "max-fw-size")


NUMBERS = st.integers(-(1 << 65), 1 << 65) | st.integers(-70000, 70000)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="ascii", categories=("L", "N", "P")), max_size=4)
    | st.sampled_from(["on", "off", "tc", "/objects/tc", "mm", "interleave"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@SETTINGS
@given(
    st.sampled_from(["merge", "policy", "prealloc-context"])
    | st.sampled_from(["hpet", "firmware", "phandle-start", "bus-lock-ratelimit", "smm"]),
    JSON,
)
def test_any_json(pair: Pair, name: str, value: Any) -> None:
    path = MM if name in {"merge", "policy", "prealloc-context"} else "/machine"
    pair.set(path, name, value)
    if name != "phandle-start":  # kept in 32 bits, which nobody checks
        pair.get(path, name)


# -- text ------------------------------------------------------------------------------------------

DIGITS = st.text("0123456789abcdefxX", min_size=1, max_size=8)
C_NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "-", "+", "--"]),
    st.sampled_from(["", "", "0", "0x", "0X", "x"]),
    DIGITS | st.integers(0, 1 << 65).map(str),
    st.sampled_from(["", "", "", "k", ".", "-3"]),
)


@SETTINGS
@given(st.sampled_from(["phandle-start", "bus-lock-ratelimit"]), C_NUMBERS)
@example("bus-lock-ratelimit", "-18446744073709551615")
@example("bus-lock-ratelimit", "-18446744073709551616")
@example("phandle-start", "-9223372036854775808")
@example("phandle-start", "-9223372036854775809")
@example("phandle-start", "010")
@example("phandle-start", "08")
@example("phandle-start", "0x")
def test_integers_from_a_line(pair: Pair, name: str, text: str) -> None:
    pair.set_line("/machine", name, text)
    if name != "phandle-start":
        pair.get("/machine", name)


SIZES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "", "+", "-", "0x"]),
    st.integers(0, 20000).map(str) | st.sampled_from(["", "08", "010", "1e3"]),
    st.sampled_from(["", "", "."]) | st.integers(0, 99999).map(".{}".format),
    st.sampled_from(["", "k", "K", "b", "B", "kb", "KiB", " "]),
)


@SETTINGS
@given(SIZES)
@example("16E")
@example("18446744073709551616")
@example("0.7k")
@example("0.1M")
@example("1.k")
@example("1.")
@example("1..5k")
@example(".5M")
@example("0xg")
def test_sizes_from_a_line(pair: Pair, text: str) -> None:
    theirs = pair.qemu.hmp(f"qom-set /machine max-fw-size {text}").removesuffix("\n")
    if "greater than 16MiB" in theirs or "string expected" in theirs:
        return
    # A suffix after a hexadecimal number is taken, with a warning.
    theirs = theirs[theirs.find("Error") :] if "Error" in theirs else ""
    ours = pair.ours(lambda: pair.tree.named("/machine").set_line("max-fw-size", text))
    assert (f"Error: {ours[1]}" if ours else "") == theirs
    pair.get("/machine", "max-fw-size")


@pytest.mark.parametrize("line", ["on", "yes", "true", "y", "no", "off", "n", "1", "On", "x y"])
def test_booleans_from_a_line(pair: Pair, line: str) -> None:
    pair.set_line(MM, "merge", line)
    pair.get(MM, "merge")


@pytest.mark.parametrize(
    "line",
    ["1", "1-3", "1-2,5-6", "1-2,", "0x1", "01", "x", "1-", "3-1", "-1", "65536", "0-70000", "1,x",
     "1,,2", "1-2-3", "1 - 2", "0-65536", "10-12,20"],
)  # fmt: skip
def test_lists_from_a_line(pair: Pair, line: str) -> None:
    pair.set_line(MM, "host-nodes", line)
    pair.get(MM, "host-nodes")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("policy", "bind"),
        ("policy", "x"),
        ("prealloc-context", "tc2"),
        ("prealloc-context", "mm"),
        ("prealloc-context", "nosuch"),
        ("prealloc-threads", "4294967296"),
        ("prealloc-threads", "-1"),
        ("prealloc-threads", "4x"),
        ("size", "1M"),
        ("type", "1"),
        ("nosuch", "1"),
    ],
)
def test_other_properties_from_a_line(pair: Pair, name: str, line: str) -> None:
    pair.set_line(MM, name, line)
    pair.get(MM, name)


# -- devices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("slot", "node") for value in (True, 1 << 32, 1 << 64, 1.5)),
        *((name, value) for name in ("slot", "node", "addr") for value in ("x", "", "1M", "on")),
        *(("memdev", value) for value in ("x", "/machine", 7, 1.5, True, "peripheral")),
        *((name, 1) for name in ("size", "hotplugged", "hotpluggable", "parent_bus", "nosuch")),
        ("slot", 1 << 31),
        ("slot", "2147483648"),
        ("node", -1),
        ("node", "-1"),
        ("addr", 1 << 64),
        ("addr", "1G"),
        ("realized", "x"),
        ("realized", 1),
    ],
)
def test_device_add_reads_everything_as_text(pair: Pair, name: str, value: Any) -> None:
    arguments = {"driver": "pc-dimm", "id": "new", "memdev": "mm", name: value}
    theirs = pair.theirs("device_add", **arguments)
    text = option_text(value)
    assert text is not None
    dimm = add_dimm(pair.tree, "new")
    try:
        assert pair.ours(lambda: dimm.set_text(name, text)) == theirs
    finally:
        dimm.unparent()


@pytest.mark.parametrize("value", [None, [1], {}])
def test_device_add_passes_over_what_is_no_text(pair: Pair, value: Any) -> None:
    answer = pair.theirs("device_add", driver="pc-dimm", nosuch=value)
    assert answer == ("GenericError", "'memdev' property must be set")
    assert option_text(value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("slot", "node", "addr") for value in (True, "1", 1.5, None)),
        ("slot", 1 << 31),
        ("slot", 1 << 63),
        ("node", -1),
        ("node", 1 << 32),
        ("addr", 1 << 64),
        ("memdev", 1),
        ("memdev", "x"),
        ("memdev", "/machine"),
        ("realized", "on"),
        ("size", 1),
        ("nosuch", 1),
    ],
)
def test_device_in_json_keeps_its_types(pair: Pair, name: str, value: Any) -> None:
    arguments = {"driver": "pc-dimm", "memdev": "mm", name: value}
    ended = subprocess.run(
        [require_qemu(), *MACHINE, "-display", "none", "-S", "-m", "128M,slots=4,maxmem=8G",
         "-object", "memory-backend-ram,id=mm,size=1M", "-device", json.dumps(arguments)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    dimm = add_dimm(pair.tree, "new")
    try:
        _, ours = pair.ours(lambda: dimm.set(name, value))
    finally:
        dimm.unparent()
    assert ended.stderr.strip().endswith(f"}}: {ours}")


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("merge=frob", "merge", "frob"),
        ("merge=", "merge", ""),
        ("merge.a=on", "merge", {"a": "on"}),
        ("policy=x", "policy", "x"),
        ("policy.x=1", "policy", {"x": "1"}),
        ("prealloc-threads=x", "prealloc-threads", "x"),
        ("prealloc-threads=-1", "prealloc-threads", "-1"),
        ("prealloc-threads=4294967296", "prealloc-threads", "4294967296"),
        ("host-nodes=1", "host-nodes", "1"),
        ("host-nodes.0=1,host-nodes.1=x", "host-nodes", ["1", "x"]),
        ("host-nodes.0=70000", "host-nodes", ["70000"]),
        ("host-nodes.0=-1", "host-nodes", ["-1"]),
        ("host-nodes.0=", "host-nodes", [""]),
    ],
)
def test_objects_from_text(pair: Pair, line: str, name: str, value: Any) -> None:
    theirs = pair.qemu.hmp(f"object_add memory-backend-ram,id=q,size=1M,{line}").strip()
    backend = pair.tree.named(MM)
    ours = pair.ours(lambda: backend.set_text(name, value))
    assert f"Error: {ours[1]}" == theirs


@SETTINGS
@given(SIZES)
def test_sizes_from_text(pair: Pair, text: str) -> None:
    if not text.strip():
        return
    there = "memory-backend-file,id=q,mem-path=/nonexistent/x,size=1M"
    theirs = pair.qemu.hmp(f"object_add {there},align={text}").strip()
    theirs = theirs[theirs.find("Error") :]  # a suffix after a hexadecimal number is warned of
    ours = pair.ours(lambda: pair.tree.named("/machine").set_text("max-fw-size", text.strip(" ")))
    if text.endswith(" "):
        return  # a monitor's line loses it
    if ours is None:
        assert "can't open backing store" in theirs
    else:
        assert theirs == f"Error: {ours[1]}".replace("max-fw-size", "align")


# -- links and lives -------------------------------------------------------------------------------


def test_a_link_that_fits_two_objects(pair: Pair) -> None:
    assert pair.set(MM, "prealloc-context", "tc") is None
    assert pair.set("/objects/m1", "prealloc-context", "tc") is None
    assert pair.set(MM, "prealloc-context", "prealloc-context") == (
        "GenericError",
        "Path 'prealloc-context' does not uniquely identify an object",
    )
    assert pair.set(MM, "prealloc-context", "m1/prealloc-context") is None
    pair.set("/objects/m1", "prealloc-context", "")
    pair.set(MM, "prealloc-context", "")


def test_a_link_that_fits_two_objects_of_another_type(pair: Pair) -> None:
    name = "unnamed-gpio-in[0]"  # many of QEMU's devices have one
    for place in ("/a", "/b"):
        pair.tree.container(f"{place}/{name}")
    assert pair.set(MM, "prealloc-context", name) == (
        "GenericError",
        "Invalid parameter type for 'prealloc-context', expected: thread-context",
    )


def test_a_strong_link_outlives_its_target_in_the_tree(pair: Pair) -> None:
    assert pair.theirs("object-add", **{"qom-type": "thread-context", "id": "brief"}) == {}
    brief = add_object(pair.tree, "thread-context", "brief")
    pair.set(MM, "prealloc-context", "brief")
    assert pair.get(MM, "prealloc-context") == "/objects/brief"
    assert pair.theirs("object-del", id="brief") == {}
    brief.unparent()
    assert pair.get(MM, "prealloc-context") == ""
    assert pair.get("/objects", "brief") == (
        "GenericError",
        "Property 'container.brief' not found",
    )
    pair.set(MM, "prealloc-context", "brief")
    pair.set(MM, "prealloc-context", "")


def test_what_there_is(pair: Pair) -> None:
    def theirs(path: str) -> set[tuple[str, str]]:
        return {(prop["name"], prop["type"]) for prop in pair.theirs("qom-list", path=path)}

    for path in ("/machine/peripheral", "/machine/peripheral/d0"):
        ours = {(prop.name, prop.type.name) for prop in pair.tree.resolve(path).properties()}
        assert ours == theirs(path)
    ours = {(prop.name, prop.type.name) for prop in pair.tree.resolve(MM).properties()}
    assert ours <= theirs(MM)
    for name in ("memdev", "parent_bus", "slot", "addr", "size", "realized", "type", "hotplugged"):
        if name != "hotplugged":
            pair.get("/machine/peripheral/d0", name)


def test_setting_realized_again_changes_nothing(pair: Pair) -> None:
    assert pair.set("/machine/peripheral/d0", "realized", value=True) is None
    assert pair.set("/machine/peripheral/d0", "realized", value="no") is not None
