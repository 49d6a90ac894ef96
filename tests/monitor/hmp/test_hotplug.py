"""``object_add``, ``device_add`` and their opposites, and what is told of what they made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import ConfigError
from guestmap.machine.options.keyval import HelpWanted, parse_keyval
from tests.monitor.hmp.beside import Beside
from tests.support.mtree_text import blocks_any_space_order

_LONG = "x" * 127

MISTAKES = (
    "object_add memory-backend-ram", "object_add memory-backend-ram,id=m",
    "object_add memory-backend-ram,id=1m,size=1M", "object_add memory-backend-ram,id=,size=1M",
    "object_add memory-backend-ram,id=m,,7,size=1M", "object_add memory-backend-foo,id=x,size=1M",
    "object_add qom-type=memory-backend-ram,id=m,size=1M,frob=1", "object_add a b",
    "object_add memory-backend-ram,id=m,size=foo", "object_add memory-backend-ram,id=m,size=",
    "object_add memory-backend-ram,id=m,size", "object_add memory-backend-ram,id=m,size=0",
    "object_add memory-backend-ram,id=m,size=-1", "object_add memory-backend-ram,id=m,size=1M ",
    "object_add memory-backend-ram,id=m,size=64k,,x", "object_add memory-backend-ram,,id=m",
    "object_add memory-backend-ram,id=m,size=1M,share", "object_add id=m,size=1M",
    "object_add memory-backend-ram,id=m,size=1M,noshare", "object_add size=x,id=m",
    "object_add memory-backend-ram,id=m,size=1M,share=maybe",
    "object_add memory-backend-ram,id=m,share=maybe", "object_add memory-backend-ram,share=x,id=m",
    "object_add memory-backend-ram,id=m,size=1M,policy=foo",
    "object_add memory-backend-ram,id=m,size=1M,policy=bind",
    "object_add memory-backend-ram,id=m,size=1M,host-nodes=0",
    "object_add memory-backend-ram,id=m,size=1M,host-nodes=0-1,policy=default",
    "object_add memory-backend-ram,id=m,size=1M,host-nodes.0=x",
    "object_add memory-backend-ram,id=m,size=1M,host-nodes.0=70000",
    "object_add memory-backend-ram,id=m,size=1M,host-nodes.0=-1",
    "object_add memory-backend-ram,id=m,size=1M,host-nodes.0=0",
    "object_add memory-backend-ram,id=m,size=1M,host-nodes.1=0",
    "object_add memory-backend-ram,id=m,size=1M,host-nodes.0.0=0",
    "object_add memory-backend-ram,id=m,size=1M,size.foo=1",
    "object_add memory-backend-ram,id=m,size.foo=1", "object_add memory-backend-ram,id.x=1",
    "object_add memory-backend-ram,id=m,size=1M,prealloc-threads=0",
    "object_add memory-backend-ram,id=m,size=1M,prealloc-threads=x",
    "object_add memory-backend-ram,id=m,size=1M,prealloc-threads=5000000000",
    "object_add memory-backend-ram,id=m,size=1M,policy.x=1", "object_add qom-type.x=1",
    "object_add memory-backend-file,id=m,size=1M", "object_add memory-backend-ram,size=x,frob=1",
    "object_add memory-backend-file,id=m,size=1M,mem-path=/nonexistent/x",
    "object_add =", "object_add ,", "object_add a=b", "object_add =b", "object_add a,=,",
    'object_add "memory-backend-ram,id=m,size=1M"', "object_add qom-type=help", "object_add help=1",
    'object_add {"qom-type":}', "object_add {", 'object_add {"qom-type":1}', "object_add {}",
    'object_add {"qom-type":"memory-backend-ram"}', "object_add {} {}", "object_add {'a':1}",
    'object_add {"qom-type":"memory-backend-ram","id":"m","size":"1M"}',
    'object_add {"qom-type":"memory-backend-ram","id":"1m","size":1048576}',
    'object_add {"qom-type":"memory-backend-ram","id":"m","size":1048576,"x":1}',
    "object_del nope", "object_del /objects/c0", "object_del pc.ram",
    "device_add", "device_add =", "device_add foo", "device_add ,addr=7", "device_add driver=foo",
    "device_add addr=7,pc-dimm", "device_add pc-dimm,,x", "device_add pc-dimm,driver=foo",
    "device_add pc-dimm", "device_add pc-dimm,id=d", "device_add pc-dimm,id=1d,memdev=c1",
    "device_add pc-dimm,id=", "device_add pc-dimm,id=d,memdev=nope",
    "device_add pc-dimm,id=d,memdev=c1,frob=1", "device_add pc-dimm,memdev=c1,frob",
    "device_add pc-dimm,memdev=c1,nofrob", "device_add pc-dimm,memdev=c1,slot=x",
    "device_add pc-dimm,memdev=c1,slot=", "device_add pc-dimm,memdev=c1,slot",
    "device_add pc-dimm,memdev=c1,slot=-5", "device_add pc-dimm,memdev=c1,slot=99",
    "device_add pc-dimm,memdev=c1,slot=5000000000", "device_add pc-dimm,memdev=c1,addr=x",
    "device_add pc-dimm,memdev=c1,addr=1", "device_add pc-dimm,memdev=c1,addr=0x1000",
    "device_add pc-dimm,memdev=c1,node=70000000000", "device_add pc-dimm,memdev=c1,node=7",
    "device_add pc-dimm,memdev=pc.ram", "device_add pc-dimm,memdev=/machine",
    "device_add memory-region", "device_add i440FX", "device_add pci-device",
    'device_add {"driver":"pc-dimm"}', "device_del nope", "device_del /nope", "device_del /machine",
    "device_del /objects", "device_del /objects/c1",
)  # fmt: skip


@pytest.fixture(scope="module")
def idle() -> Iterator[Beside]:
    """Both machines with a back-end that nobody uses, and slots."""
    with Beside(
        "-m", "128M,slots=2,maxmem=1G", "-object", "memory-backend-ram,id=c1,size=64M"
    ) as pair:
        yield pair


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_refused_in_qemus_words(idle: Beside, line: str) -> None:
    idle.check(line)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_a_dimm_comes_and_is_shown_as_in_qemu() -> None:
    with Beside(
        "-m", "128M,slots=3,maxmem=2G",
        "-object", "memory-backend-ram,id=c0,size=64M", "-device", "pc-dimm,id=d0,memdev=c0",
    ) as pair:  # fmt: skip
        pair.check(
            "info memory-devices",
            "object_add memory-backend-ram,id=m1,id=m2,size=64M,size=128M",
            "object_add memory-backend-ram,id=m2,size=64M",
            'object_add {"qom-type": "memory-backend-memfd", "id": "j1", "size": 67108864}',
            "object_add  memory-backend-ram,id=m3,size=1.5M,merge=off,dump=on,prealloc=yes",
            "device_add pc-dimm,id=d1,memdev=m2",
            "device_add pc-dimm,id=d1,memdev=j1",
            "device_add pc-dimm,id=d2,memdev=m2",
            "object_del m2",
            "device_add driver=pc-dimm,memdev=j1,id=d2,id=x,slot=2,addr=0x120000000,node=0",
            "device_add pc-dimm,id=d3,memdev=m3",
            "info memory-devices",
            "info memory_size_summary",
            "info qom-tree /machine/peripheral",
            "info qom-tree /objects",
            "info qtree",
            "qom-get d2 addr",
            "qom-set d2 addr 1",
            "qom-set d2 memdev m3",
            "device_del d2",
            "device_del /machine/peripheral/d2",
            "info memory-devices",
            "object_del m3",
            "object_del m3",
            "xp /2xg 0x100000000",
            "xp /2xg 0x104000000",
            "xp /2xg 0x124000000",
        )
        for line in ("info mtree -o", "info mtree -f -o", "info mtree -D"):
            ours, theirs = (blocks_any_space_order(text) for text in pair.ask(line))
            assert ours == theirs, line
        ours, theirs = map(_sizes, pair.ask("info ramblock"))
        assert ours == theirs
        ours, theirs = (text.split("memory backend: ") for text in pair.ask("info memdev"))
        assert sorted(each.strip() for each in ours) == sorted(each.strip() for each in theirs)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_a_dimm_without_a_name_comes_as_in_qemu() -> None:
    with Beside("-m", "128M,slots=2,maxmem=2G", "-device", "pci-testdev") as pair:
        pair.check(
            "object_add memory-backend-ram,id=m,size=64M",
            "device_add pc-dimm,memdev=m",
            "info memory-devices",
            "info qom-tree /machine/peripheral-anon",
            "device_del /machine/peripheral-anon/device[1]",
            "device_del /machine/peripheral-anon/device[7]",
        )


def _sizes(ramblocks: str) -> list[list[str]]:
    """Return name and sizes of each block: QEMU's firmware tables take offsets from the others."""
    rows = [line.split() for line in ramblocks.splitlines() if "/rom@" not in line]
    return [[*row[:-3], *row[-2:]] for row in rows]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", {"first": "a"}),
        ("a,x=1,,2,y=", {"first": "a", "x": "1,2", "y": ""}),
        ("x=1,x=2", {"x": "2"}),
        ("a,l.1=b,l.0=a", {"first": "a", "l": ["a", "b"]}),
        ("s.a.b=1,s.c=2", {"s": {"a": {"b": "1"}, "c": "2"}}),
        ("__com.example_x=1", {"__com": {"example_x": "1"}}),
        (f"{_LONG}=1", {_LONG: "1"}),
        ("", {}),
    ],
)
def test_options_make_a_structure(text: str, tree: dict[str, object]) -> None:
    assert parse_keyval(text, "first") == tree


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize(
    "text",
    ["a,b", "a,,b", "a,x.y=1,x.0=2", "a,x.y=1,x=2", "a,x=1,x.y=2", "a,1=2", "a,x.1y=2", "a,_x=2",
     "a,x..y=1", "a,x.=1", "a,.x=1", "a,__x=1", f"a,{_LONG}x=1", f"a,{_LONG}x.y=1",
     f"a,y.{_LONG}x=1", "a,x.0=1,x.2=3", "a,x.99999999999999999999=1",
     "a,x y=1", "a,=", "a,é=1", "a,x.-1=2", "a,x.0x1=2", "a,.=1", ",a", "a,id"],
)  # fmt: skip
def test_what_is_no_structure_is_refused_in_qemus_words(plain: Beside, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_keyval(text, "qom-type")
    theirs = plain.qemu.hmp(f"object_add {text}")
    assert f"Error: {refused.value}\n" == theirs


_PIECES = st.sampled_from(
    ["memory-backend-ram", "qom-type=", "id=", "m", "size=", "1M", "64k", "0", "x", ",", ",", ",,",
     "=", ".", ".0", "share=", "on", "off", "host-nodes.0=", "host-nodes=", "policy=", "bind",
     "default", "merge", "prealloc-threads=", "1", "-1", "dump=", "frob=", "_", " ", "help", "?"]
)  # fmt: skip
_OPTIONS = st.lists(_PIECES, max_size=14).map("".join)
_MOSTLY_RIGHT = st.lists(
    st.sampled_from(
        ["id=m", "id=n", "id=1", "size=1M", "size=2M", "size=0", "size=x", "size", "share=on",
         "share=maybe", "merge=off", "host-nodes.0=0", "host-nodes.1=0", "host-nodes=0",
         "policy=bind", "policy=default", "policy=x", "prealloc-threads=2",
         "prealloc-threads=x", "dump=no", "x=1"]
    ),
    min_size=1,
    max_size=5,
).map(lambda items: ",".join(["memory-backend-ram", *items]))  # fmt: skip


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@given(_OPTIONS | _MOSTLY_RIGHT)
def test_any_options_make_or_refuse_an_object_as_in_qemu(random: Beside, options: str) -> None:
    answers = random.ask(f"object_add {options}")
    if answers.qemu.startswith("List of user creatable objects"):  # QEMU has more of them
        assert answers.ours.startswith("List of user creatable objects")
        return
    assert answers.ours == answers.qemu
    random.check("object_del m", "object_del n")


_DEVICE_PIECES = st.sampled_from(
    ["pc-dimm", "pc-dimm,", "driver=", "id=", "id", "1x", "d", "slot=", "slot", "x", "5", "addr=",
     "-1", "0x10", ",", ",", ",,", "=", "no", "node=", "size=", "memdev=nope", "memdev=c1x", "frob",
     "hotplugged=", "realized=", "on", '"', "\\", " ", "i440FX", "memory-region", "pci-device"]
)  # fmt: skip


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@given(st.lists(_DEVICE_PIECES, max_size=12).map("".join))
def test_any_options_of_no_device_are_refused_as_in_qemu(random: Beside, options: str) -> None:
    random.check(f"device_add {options}")


@pytest.fixture(scope="module")
def random() -> Iterator[Beside]:
    """Both machines, for objects that come and go."""
    with Beside("-m", "16M") as pair:
        yield pair


def test_help_is_asked_for_in_any_place() -> None:
    with pytest.raises(HelpWanted) as wanted:
        parse_keyval("a,x=1,?,y=2", "first")
    assert wanted.value.options == {"first": "a", "x": "1", "y": "2"}
