"""Where memory comes from: every form of a definition gives the command line of libvirt."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from guestmap.domain.process.command_line import command_line
from guestmap.domain.rules import host_rules
from guestmap.domain.rules.assign import assigned
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import parse_definition
from guestmap.domain.xml.edit import with_devices
from tests.domain.documents import domain, memory
from tests.support.domains import LIVE, domains, sent_by_us
from tests.support.libvirtd import DIALECTS, Libvirtd, libvirtd
from tests.support.qemu import require_qemu

pytestmark = [pytest.mark.peers, pytest.mark.qemu]


def backing(content: str) -> str:
    return f"<memoryBacking>{content}</memoryBacking>"


def tuned(content: str) -> str:
    return f"<numatune>{content}</numatune>"


def page(size: int, unit: str = "MiB", words: str = "") -> str:
    return f"<page size='{size}' unit='{unit}'{words}/>"


def pages(*every: str) -> str:
    return f"<hugepages>{''.join(every)}</hugepages>"


NODE = " nodeset='0'"
STRICT = f"<memory mode='strict'{NODE}/>"
BACKINGS = {
    "nothing": "",
    "huge": backing(pages()),
    "huge of a size": backing(pages(page(2))),
    "huge for a node": backing(pages(page(4, "KiB"), page(2, words=NODE))),
    "ordinary pages": backing(pages(page(4, "KiB"))),
    "huge in memfd": backing(pages() + "<source type='memfd'/>"),
    "huge, shared, discarded": backing(pages() + "<access mode='shared'/><discard/>"),
    "file": backing("<source type='file'/>"),
    "memfd": backing("<source type='memfd'/>"),
    "memfd, shared": backing("<source type='memfd'/><access mode='shared'/>"),
    "anonymous": backing("<source type='anonymous'/>"),
    "shared": backing("<access mode='shared'/>"),
    "private": backing("<access mode='private'/>"),
    "at once": backing("<allocation mode='immediate'/>"),
    "at once, by four": backing("<allocation mode='immediate' threads='4'/>"),
    "on demand": backing("<allocation mode='ondemand' threads='2'/>"),
    "discarded": backing("<discard/>"),
    "discarded file": backing("<source type='file'/><discard/>"),
    "merged by none, locked": backing("<nosharepages/><locked/>"),
    "strict": tuned(STRICT),
    "preferred": tuned(f"<memory mode='preferred'{NODE}/>"),
    "interleaved": tuned(f"<memory mode='interleave'{NODE}/>"),
    "restrictive": tuned(f"<memory mode='restrictive'{NODE}/>"),
    "everything": backing("<nosharepages/><locked/><source type='file'/><access mode='shared'/>"
                          "<allocation mode='immediate'/><discard/>") + tuned(STRICT),
}  # fmt: skip
CELLS = {"shared": "memAccess='shared'", "private": "memAccess='private'",
         "discarded": "discard='yes'", "kept": "discard='no'"}  # fmt: skip
MASK = "<source><nodemask>0</nodemask></source>"
DEVICES = {
    "dimm": memory("128"),
    "shared": memory("128", words=" access='shared'"),
    "private": memory("128", words=" access='private'"),
    "discarded": memory("128", words=" discard='yes'"),
    "shared and kept": memory("128", words=" access='shared' discard='no'"),
    "of a node": memory("128", more=MASK),
    "of ordinary pages": memory("128", more="<source><pagesize>4</pagesize></source>"),
    "of huge pages": memory("128", more="<source><pagesize>2048</pagesize></source>"),
    "virtio-mem": memory("128", model="virtio-mem", target="<block>2048</block>"),
    "nvdimm": memory("128", model="nvdimm", more="<source><path>/tmp/nv</path></source>"),
    "read-only nvdimm": memory("128", model="nvdimm", more="<source><path>/tmp/nv</path></source>",
                               target="<label><size>128</size></label><readonly/>"),
    "pmem": memory("128", model="virtio-pmem", node="",
                   more="<source><path>/tmp/nv</path></source>"),
}  # fmt: skip
BAD = {
    "source": backing("<source type='x'/>"),
    "access": backing("<access mode='x'/>"),
    "allocation": backing("<allocation mode='x'/>"),
    "pages of nobody": backing(pages(page(2, words=" nodeset='7'"))),
    "two pages": backing(pages(page(4, "KiB"), page(2))),
    "pages that are anonymous": backing(pages() + "<source type='anonymous'/>"),
    "page without size": backing("<hugepages><page/></hugepages>"),
    "page of a unit": backing(pages(page(2, "parsec"))),
    "mode": tuned(f"<memory mode='x'{NODE}/>"),
    "nodes": tuned("<memory mode='strict' nodeset='x'/>"),
    "no such cell": tuned(f"<memnode cellid='9' mode='strict'{NODE}/>"),
    "no such node": tuned("<memory mode='strict' nodeset='63'/>"),
    "pages that are not mounted": backing(pages(page(1, "GiB"))),
    "placement": tuned("<memory mode='strict' placement='auto'/>"),
}


class Pair:
    """Our command line, and libvirt's."""

    def __init__(self, theirs: Libvirtd, dialect: LibvirtDialect, huge: Path) -> None:
        self.theirs = theirs
        self.dialect = dialect
        self.huge = huge

    def libvirt(self, document: bytes) -> list[Any]:
        text = self.theirs.connection.domainXMLToNative("qemu-argv", document.decode(), 0)
        words = shlex.split(text.replace("\\\n", " "))
        folder = r"/var/lib/libvirt/qemu/ram/-1-vm"
        return _of_memory([re.sub(rf"/libvirt/qemu/-1-vm|{folder}", lambda m: "" if "qemu/-1" in
                                  m[0] else "/f", each) for each in words])  # fmt: skip

    def ours(self, document: bytes) -> list[Any]:
        found = parse_definition(document, self.dialect)
        for index, device in enumerate(found.devices):
            given = assigned(found, device, live=True)
            found = with_devices(found, {index: given}, live=True)
        return _of_memory(command_line(found, {}, "/f", "/f"))


def _of_memory(words: list[str]) -> list[Any]:
    """Return what decides about memory, without the threads' contexts, which we have not."""
    found: list[Any] = []
    for option, value in pairwise(words):
        if option in {"-machine", "-overcommit", "-numa"}:
            found.append((option, value))
        elif option in {"-object", "-device"} and value.startswith("{"):
            told = json.loads(value)
            told.pop("prealloc-context", None)
            if "memory-backend" in told.get("qom-type", "") or "memdev" in told:
                found.append((option, list(told.items())))
    return sorted(found, key=lambda each: str(each[0]))


@pytest.fixture(
    scope="module",
    params=DIALECTS,
)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    work = tmp_path_factory.mktemp("libvirt")
    dialect, root = request.param
    with libvirtd(work, require_qemu(), root=root, huge=True) as theirs:
        yield Pair(theirs, dialect, work / "huge")


@pytest.fixture(autouse=True)
def mounted(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have us find what libvirt does."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"none {pair.huge} hugetlbfs rw,relatime,pagesize=2M 0 0\n")
    monkeypatch.setattr(host_rules, "_MOUNTS", mounts)


def document(more: str = "", *, cell: str = "", device: bytes = b"", numa: bool = True) -> bytes:
    text = domain(
        emulator=require_qemu(),
        limit="<maxMemory slots='16' unit='GiB'>8</maxMemory>" if numa else "",
        devices=device.decode(),
        **({} if numa else {"numa": ""}),
    ).decode()
    text = re.sub(r"    <odd.*\n", "    <controller type='usb' model='none'/>\n", text)
    text = text.replace("<vcpu", more + "<vcpu", 1).replace("<cell ", f"<cell {cell} ")
    return text.encode()


@pytest.mark.parametrize("what", BACKINGS)
def test_the_memory_of_a_guest_with_nodes(pair, what):
    whole = document(BACKINGS[what])
    assert pair.ours(whole) == pair.libvirt(whole)


WITH_NODES = {"nothing", "merged by none, locked", "ordinary pages", "anonymous", "huge for a node"}
"""Where no backend is needed without nodes, libvirt makes one all the same; or it is refused."""


@pytest.mark.parametrize("what", [each for each in BACKINGS if each not in WITH_NODES])
def test_the_memory_of_a_guest_without_nodes(pair, what):
    whole = document(BACKINGS[what], numa=False)
    assert pair.ours(whole) == pair.libvirt(whole)


@pytest.mark.parametrize("what", CELLS)
def test_what_a_node_says_goes_first(pair, what):
    for content in ("", backing("<source type='file'/><access mode='shared'/><discard/>")):
        whole = document(content, cell=CELLS[what])
        assert pair.ours(whole) == pair.libvirt(whole)


@pytest.mark.parametrize("what", DEVICES)
def test_a_device_has_what_all_memory_has_unless_it_says_otherwise(pair, what):
    for content in BACKINGS.values():
        whole = document(content, device=DEVICES[what])
        assert pair.ours(whole) == pair.libvirt(whole), content


def test_the_nodes_of_one_cell_go_before_those_of_all(pair):
    content = tuned(f"<memory mode='preferred'{NODE}/><memnode cellid='0' mode='strict'{NODE}/>")
    for device in (b"", DEVICES["dimm"], DEVICES["of a node"]):
        whole = document(content, device=device)
        assert pair.ours(whole) == pair.libvirt(whole)


REFUSED = {what: (content, True) for what, content in BAD.items()}
REFUSED["pages of a node where there is none"] = (BACKINGS["huge for a node"], False)


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_meaning_is_refused_in_libvirts_words(pair, what):
    content, numa = REFUSED[what]
    whole = document(content, numa=numa)
    with pytest.raises(pair.theirs.module.libvirtError) as its:
        pair.libvirt(whole)
    with pytest.raises(DomainError) as mine:
        pair.ours(whole)
    theirs = its.value
    assert (mine.value.text, mine.value.code, mine.value.domain) == (
        theirs.get_error_message(), theirs.get_error_code(), theirs.get_error_domain()
    )  # fmt: skip


STARTED = ("file", "memfd, shared", "shared", "at once", "discarded file", "strict", "interleaved")
"""Of what a machine can be started with where there are no huge pages, and none can be locked."""


@pytest.mark.parametrize("what", STARTED)
def test_what_is_plugged_later_is_of_the_same_memory(pair, what, tmp_path):
    whole = document(BACKINGS[what])
    theirs = pair.theirs.connection.defineXML(whole.decode())
    try:
        theirs.createWithFlags(pair.theirs.module.VIR_DOMAIN_START_PAUSED)
        with domains(tmp_path, Path(require_qemu()), pair.dialect) as ours:
            ours.define(whole)
            ours.changes.start("vm", paused=True)
            for name in ("dimm", "shared", "private", "of a node", "virtio-mem"):
                pair.theirs.sent()
                theirs.attachDeviceFlags(DEVICES[name].decode(), 1)
                with sent_by_us() as sent:
                    ours.changes.attach("vm", DEVICES[name], LIVE)
                assert _made(sent) == _made(pair.theirs.sent()), name
    finally:
        if theirs.isActive():
            theirs.destroy()
        theirs.undefine()


def _made(sent: list[dict[str, Any]]) -> list[Any]:
    """Return backends and devices, members in their order; a file by its name alone."""
    found = []
    for each in sent:
        told = each.get("arguments", {})
        if each["execute"] not in {"object-add", "device_add"}:
            continue
        if told.get("qom-type") == "thread-context":
            continue
        found.append((each["execute"], [
            (name, Path(value).name if name == "mem-path" else value)
            for name, value in told.items() if name != "prealloc-context"
        ]))  # fmt: skip
    return found
