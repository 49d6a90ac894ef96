"""The same operations through libvirt and through our manager, on the same QEMU: 9.0, and 12.9.

What is refused has the same text and the same codes, what is sent is the same to the byte, and both
definitions are the same afterwards; what we do better on purpose is listed with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from guestmap.domain.change.targets import Targets
from guestmap.domain.change.which import Which
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import parse_definition
from tests.domain.documents import domain, memory
from tests.support.domains import Domains, domains, sent_by_us
from tests.support.libvirtd import DIALECTS, Libvirtd, libvirtd
from tests.support.qemu import require_qemu

pytestmark = [pytest.mark.peers, pytest.mark.qemu]

LIVE, CONFIG, BOTH = 1, 2, 3


def at(slot: object, base: object = None, kind: str = "dimm") -> str:
    told = "" if base is None else f" base='{base}'"
    return f"<address type='{kind}' slot='{slot}'{told}/>"


def dimm(size: str = "128", **words: Any) -> bytes:
    return memory(size, **words)


def virtio(size: str = "256", more: str = "", **words: Any) -> bytes:
    return memory(size, model="virtio-mem", target=f"<block>2048</block>{more}", **words)


class Case(NamedTuple):
    """One operation: on what, with which flags, and why the answer may differ."""

    document: bytes
    flags: int = LIVE
    verb: str = "attach"
    better: str = ""


XML: dict[str, Case] = {
    "unclosed": Case(b"<memory model='dimm'><target>\n"),
    "nothing": Case(b"\n", better="libxml2's own words"),
    "no model": Case(b"<memory/>"),
    "model": Case(dimm(model="sodimm")),
    "access": Case(dimm(words=" access='x'")),
    "discard": Case(dimm(words=" discard='x'")),
    "no size": Case(b"<memory model='dimm'><target><node>0</node></target></memory>"),
    "size in words": Case(dimm("lots")),
    "negative size": Case(dimm("-1")),
    "no target": Case(b"<memory model='dimm'/>"),
    "node in words": Case(dimm(node="<node>x</node>")),
    "negative node": Case(dimm(node="<node>-1</node>")),
    "unit": Case(dimm(unit="parsec")),
    "overflow": Case(dimm("9007199254740992", unit="GiB")),
    "base alone": Case(dimm(more="<address type='dimm' base='0x100000000'/>")),
    "slot in words": Case(dimm(more=at("x"))),
    "address without type": Case(dimm(more="<address slot='1'/>")),
    "address of a type": Case(dimm(more="<address type='zip'/>")),
    "nodemask in words": Case(dimm(more="<source><nodemask>q</nodemask></source>")),
    "another device": Case(b"<mem/>"),
    "nvdimm without path": Case(dimm(model="nvdimm")),
    "pmem without path": Case(dimm(model="virtio-pmem", node="")),
}
"""Mistakes in a document; each live and stored."""

RULES: dict[str, Case] = {
    "slot taken": Case(dimm(more=at(0))),
    "base taken": Case(dimm(more=at(5, "0x100000000"))),
    "slot range": Case(dimm(more=at(16))),
    "far slot": Case(dimm(more=at(300))),
    "room": Case(dimm("16", unit="GiB")),
    "node": Case(dimm(node="<node>3</node>")),
    "no node": Case(dimm(node="")),
    "pci": Case(dimm(more="<address type='pci' domain='0x0000' bus='0x00' slot='0x09'"
                          " function='0x0'/>")),
    "host node": Case(dimm(more="<source><nodemask>63</nodemask></source>")),
    "huge pages": Case(dimm(more="<source><pagesize unit='GiB'>1</pagesize></source>")),
    "alias": Case(dimm(more="<alias name='ua-here'/>")),
    "label too small": Case(dimm(model="nvdimm", target="<label><size>64</size></label>",
                                 more="<source><path>/nowhere</path></source>")),
    "label too large": Case(memory("128", "KiB", model="nvdimm",
                                   target="<label><size>128</size></label>",
                                   more="<source><path>/nowhere</path></source>")),
    "nvdimm discarded": Case(dimm(model="nvdimm", words=" discard='yes'",
                                  more="<source><path>/nowhere</path></source>")),
    "pmem in a node": Case(dimm(model="virtio-pmem", words=" access='shared'",
                                more="<source><path>/nowhere</path></source>")),
    "requested too much": Case(virtio(more="<requested unit='GiB'>1</requested>")),
    "requested part": Case(virtio(more="<requested>1024</requested>")),
    "requested, and at a slot": Case(virtio(more="").replace(b"</memory>", at(3).encode()
                                                             + b"</memory>")),
    "no block": Case(memory(model="virtio-mem")),
    "small block": Case(memory(model="virtio-mem", target="<block>1024</block>")),
    "odd block": Case(memory(model="virtio-mem", target="<block>3072</block>")),
}  # fmt: skip

QEMUS: dict[str, Case] = {
    "overlap": Case(dimm(more=at(5, "0x104000000"))),
    "below": Case(dimm(more=at(5, "0x10000000"))),
    "above": Case(dimm(more=at(5, "0x9000000000"))),
    "unaligned": Case(dimm(more=at(5, "0x180001000"))),
    "3 MiB": Case(dimm("3")),
    "no bytes": Case(dimm("0")),
    "1 KiB": Case(memory("1", "KiB")),
    "overlap, both": Case(dimm(more=at(6, "0x104000000")), BOTH),
    "3 MiB, both": Case(dimm("3"), BOTH),
    "no bytes, both": Case(dimm("0"), BOTH),
    "nvdimm": Case(dimm(model="nvdimm", more="<source><path>/nowhere/guestmap-nv</path></source>"),
                   better="libvirt looks for the file first"),
}  # fmt: skip

FORMS: dict[str, Case] = {
    "live": Case(dimm()),
    "stored": Case(dimm(), CONFIG),
    "both": Case(dimm(), BOTH),
    "current": Case(dimm(), 0),
    "slot": Case(dimm(more=at(9)), BOTH),
    "slot and base": Case(dimm(more=at(10, "0x180000000")), BOTH),
    "alias": Case(dimm(more="<alias name='ua-own'/>"), BOTH),
    "alias that is dropped": Case(dimm(more="<alias name='ua-x y'/>")),
    "nodemask": Case(dimm(more="<source><nodemask>0</nodemask></source>")),
    "page size of the host": Case(dimm(more="<source><pagesize>4</pagesize></source>")),
    "elements that are not known": Case(dimm(target="<requested>1</requested><zip/>")),
    "virtio-mem": Case(virtio(), BOTH),
    "virtio-mem that is asked for": Case(virtio(more="<requested>4096</requested>")),
}
MISSING: dict[str, Case] = {
    "of another size": Case(dimm("640"), LIVE, "detach"),
    "of another size, stored": Case(dimm("640"), CONFIG, "detach"),
    "of another size, both": Case(dimm("640"), BOTH, "detach"),
    "of another node": Case(dimm(node="<node>7</node>"), LIVE, "detach"),
    "of another slot": Case(dimm(more=at(15)), LIVE, "detach"),
    "without model": Case(b"<memory/>", LIVE, "detach"),
    "unclosed": Case(b"<memory model='dimm'><target>\n", LIVE, "detach"),
}
STORED: dict[str, Case] = {
    "attach": Case(dimm("128", more=at(12)), CONFIG),
    "the same again": Case(dimm("128", more=at(12)), CONFIG,
                           better="one text for one cause: the slot is taken"),
    "and out": Case(dimm("128", more=at(12)), CONFIG, "detach"),
    "virtio-mem": Case(virtio("512"), CONFIG),
    "virtio-mem out": Case(virtio("512"), CONFIG, "detach"),
}  # fmt: skip

UNREFUSED = {"slot range", "far slot", "no node", "pci", "host node", "huge pages", "slot taken",
             "base taken", "below", "above", "unaligned", "3 MiB",
             "no bytes", "1 KiB"}  # fmt: skip
"""What libvirt 9.0 lets into a stored definition, and its start then refuses; we refuse it."""


class Beside:
    """The same domain twice."""

    def __init__(self, theirs: Libvirtd, ours: Domains, path: str) -> None:
        self.theirs = theirs
        self.ours = ours
        document = domain(emulator=path, limit="<maxMemory slots='16' unit='GiB'>8</maxMemory>")
        text = re.sub(r"    <odd.*\n", "    <controller type='usb' model='none'/>\n",
                      document.decode())  # fmt: skip
        self.text = text
        self.domain = theirs.connection.defineXML(text)
        self.domain.createWithFlags(theirs.module.VIR_DOMAIN_START_PAUSED)
        ours.define(text.encode())
        ours.changes.start("vm", paused=True)
        self.sent: list[str] = []

    def libvirt(self, case: Case) -> tuple[str, int, int] | None:
        """Do it through libvirt; return what it refused."""
        doing = getattr(self.domain, f"{case.verb}DeviceFlags")
        try:
            doing(case.document.decode(), case.flags)
        except self.theirs.module.libvirtError as error:
            return error.get_error_message(), error.get_error_code(), error.get_error_domain()
        return None

    def guestmap(self, case: Case) -> tuple[str, int, int] | None:
        """Do it through us."""
        to = Targets(live=bool(case.flags & LIVE), config=bool(case.flags & CONFIG))
        try:
            if case.verb == "update":
                self.ours.changes.update_device("vm", case.document, to)
            elif case.verb == "attach":
                self.ours.changes.attach("vm", case.document, to)
            else:
                self.ours.changes.detach("vm", case.document, to, wait_s=0.0)
        except DomainError as error:
            return error.text, error.code, error.domain
        return None

    def documents(self) -> list[tuple[list[str], int, int, int | None]]:
        """Return of both, in force and stored: the devices as text, and the sizes."""
        inactive = self.theirs.module.VIR_DOMAIN_XML_INACTIVE
        theirs = (self.domain.XMLDesc(0), self.domain.XMLDesc(inactive))
        ours = (self.ours.dumpxml("vm").decode(), self.ours.dumpxml("vm", inactive=True).decode())
        return [_memory_of(text, self.ours.store.dialect) for text in (*theirs, *ours)]

    def both(self, case: Case) -> tuple[Any, Any]:
        """Do it through both, and hold traffic and documents to each other."""
        self.theirs.sent()
        theirs = self.libvirt(case)
        with sent_by_us() as sent:
            ours = self.guestmap(case)
        if not case.better:
            assert [repr(each) for each in sent] == [repr(each) for each in self.theirs.sent()]
        live, stored, our_live, our_stored = self.documents()
        for mine, its in ((our_live, live), (our_stored, stored)):
            only_mine = [each for each in mine[0] if each not in its[0]]
            assert only_mine == [each for each in its[0] if each not in mine[0]]
            assert mine == its
        return theirs, ours


def _memory_of(text: str, dialect: LibvirtDialect) -> tuple[list[str], int, int, int | None]:
    found = parse_definition(text.encode(), dialect)
    devices = [re.sub(r"\s*\n\s*", "", text[each.start : each.end]) for each in found.elements]
    return devices, found.total, found.current, found.max_memory


@pytest.fixture(
    scope="module",
    params=DIALECTS,
)
def beside(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Beside]:
    path = require_qemu()
    dialect, root = request.param
    work, folder = (tmp_path_factory.mktemp(each) for each in ("libvirt", "ours"))
    with (
        libvirtd(work, path, root=root) as theirs,
        domains(folder, path, dialect) as ours,  # type: ignore[arg-type]
    ):
        found = Beside(theirs, ours, path)
        found.libvirt(here := Case(dimm("128", more="<alias name='ua-here'/>"), BOTH))
        found.guestmap(here)
        yield found


KINDS = {"xml": XML, "rule": RULES, "qemu": QEMUS, "detach": MISSING}
REFUSED = {f"{kind}: {name}": case for kind, cases in KINDS.items() for name, case in cases.items()}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_has_libvirts_text_and_codes(beside, what):
    case = REFUSED[what]
    theirs, ours = beside.both(case)
    assert theirs is not None
    if case.better:
        assert ours is not None
    elif theirs[1] == 35:  # libxml2's context lines stand behind
        assert ours[1:] == theirs[1:]
        assert theirs[0].startswith(ours[0])
    else:
        assert ours == theirs


STORED_TOO = {name: case for name, case in REFUSED.items() if case.verb == "attach"
              and case.flags == LIVE and name != "qemu: nvdimm"}  # fmt: skip


@pytest.mark.parametrize("what", STORED_TOO)
def test_what_is_refused_of_a_running_machine_is_refused_of_the_definition(beside, what):
    case = STORED_TOO[what]._replace(flags=CONFIG, better="checked as fully as live")
    before = beside.ours.documents()
    ours = beside.guestmap(case)
    assert ours is not None
    assert beside.ours.documents() == before
    if what.split(": ")[1] in UNREFUSED:
        return
    theirs = beside.libvirt(case)
    if theirs is None:  # then its next start would fail
        beside.libvirt(case._replace(verb="detach"))
        return
    assert ours[1:] == theirs[1:] or what == "rule: alias"


@pytest.mark.parametrize("what", FORMS)
def test_each_form_of_a_device_is_sent_and_written_as_libvirt_does(beside, what):
    assert beside.both(FORMS[what]) == (None, None)


DEFINED: dict[str, tuple[str, str]] = {
    "no nodes": ("<numa>.*</numa>", ""),
    "no slots": (" slots='16'", ""),
    "slots 0": (" slots='16'", " slots='0'"),
    "a limit of nothing": (">8</maxMemory>", ">0</maxMemory>"),
    "less than there is": ("unit='GiB'>8</maxMemory>", "unit='MiB'>8</maxMemory>"),
    "no memory": ("<memory .*</memory>", ""),
    "slots in words": (" slots='16'", " slots='x'"),
    "no limit": ("<maxMemory.*</maxMemory>", ""),
    "no name": ("<name>.*</name>", ""),
    "uuid": ("</name>", "</name><uuid>zz</uuid>"),
    "cell without memory": (" memory='512' unit='MiB'/>", "/>"),
    "unit": ("unit='GiB'>8</maxM", "unit='parsec'>8</maxM"),
    "no os": ("<os>.*</os>", ""),
    "another root": ("^(.*\n)*<domain ", "<dom "),
}
"""Definitions, by what of one that is taken is replaced by what."""


@pytest.mark.parametrize("what", DEFINED)
def test_a_definition_is_taken_or_refused_as_libvirt_does(beside, what):
    pattern, instead = DEFINED[what]
    text = re.sub(pattern, instead, beside.text.replace("<name>vm<", "<name>other<"), count=1)
    if what == "another root":
        text = text.replace("</domain>", "</dom>")
    theirs = ours = None
    try:
        beside.theirs.connection.defineXML(text).undefine()
    except beside.theirs.module.libvirtError as error:
        theirs = error.get_error_message(), error.get_error_code(), error.get_error_domain()
    try:
        beside.ours.undefine(beside.ours.define(text.encode()))
    except DomainError as error:
        ours = error.text, error.code, error.domain
    assert ours == theirs


@pytest.mark.parametrize("what", STORED)
def test_the_stored_definition_changes_as_libvirts_does(beside, what):
    theirs, ours = beside.both(STORED[what])
    assert (theirs is None) == (ours is None)


def test_a_size_is_requested_as_libvirt_does(beside):
    root = beside.domain.XMLDesc(0)
    every = re.findall(r"<memory model='virtio-mem'.*?</memory>", root, re.DOTALL)
    (element,) = [each for each in every if "virtiomem0" in each]
    asked = re.sub(r"<block.*?</block>",
                   r"\g<0><requested unit='KiB'>8192</requested>", element)  # fmt: skip
    asked = re.sub(r"<requested unit='KiB'>0</requested>", "", asked)
    beside.theirs.sent()
    beside.domain.updateDeviceFlags(asked, LIVE)
    theirs = [each for each in beside.theirs.sent() if each["execute"] == "qom-set"]
    beside.ours.changes.update("vm", Which("virtiomem0"), 8192, Targets(live=True))
    assert theirs == [{"execute": "qom-set", "arguments": {
        "path": "/machine/peripheral/virtiomem0", "property": "requested-size",
        "value": 8 << 20}}]  # fmt: skip


SIZES = "<size unit='KiB'>262144<", "<size unit='KiB'>524288<"
BLOCKS = "<block unit='KiB'>2048<", "<block unit='KiB'>4096<"
UPDATES: dict[str, tuple[tuple[str, str], int, str]] = {
    "another size asked for": (("", ""), LIVE, ""),
    "current": (("", ""), 0, ""),
    "stored": (("<alias name='virtiomem0'/>", ""), CONFIG, ""),
    "both": (("", ""), BOTH, "libvirt looks for the alias in the stored definition"),
    "no name": (("<alias name='virtiomem0'/>", ""), LIVE, "libvirt asks for the device (null)"),
    "another name": (("virtiomem0", "virtiomem9"), LIVE, ""),
    "another place": (("function='0x0'", "function='0x1'"), LIVE, ""),
    "another size": (SIZES, LIVE, "12.9 finds an overlap first"),
    "another block": (BLOCKS, LIVE, ""),
    "another access": (("model=", "access='shared' model="), LIVE, ""),
    "another node": (("<node>0", "<node>1"), LIVE, ""),
    "too much": (("<node>", "<requested unit='GiB'>1</requested><node>"), LIVE, ""),
    "part of a block": (("<node>", "<requested>1000</requested><node>"), LIVE, ""),
    "a dimm": (("virtio-mem", "dimm"), LIVE, "12.9 finds the slot taken"),
    "no memory": (("<memory.*", "<mem/>"), LIVE, ""),
    "no model": (("<memory.*", "<memory/>"), LIVE, ""),
}  # fmt: skip
"""Updates of a virtio-mem device, by what of its own document is replaced."""


@pytest.mark.parametrize("what", UPDATES)
def test_a_device_is_updated_or_not_as_libvirt_does(beside, what):
    (pattern, instead), flags, better = UPDATES[what]
    found = re.findall(
        r"<memory model='virtio-mem'.*?</memory>", beside.domain.XMLDesc(0), re.DOTALL
    )
    (own,) = [each for each in found if "'virtiomem0'" in each]
    own = re.sub(r"<(requested|current).*", "", own)
    if flags == CONFIG:  # a stored device has no address in the guest
        own = re.sub(r"<address base.*", "", own)
    asked = own.replace("</target>", "<requested unit='KiB'>4096</requested></target>")
    document = re.sub(pattern, instead, asked, count=1, flags=re.DOTALL) if pattern else asked
    case = Case(document.encode(), flags, "update", better)
    theirs, ours = beside.both(case)
    if not better:
        assert ours == theirs
    else:
        assert (ours is None) == (what in {"both", "no name"})


def test_a_guest_that_says_nothing_is_no_success_with_us_and_loses_nothing(beside):
    case = Case(dimm("384"), BOTH)
    assert beside.both(case) == (None, None)
    case = case._replace(verb="detach")
    assert beside.libvirt(case) is None
    assert beside.guestmap(case) is None
    live, stored, our_live, our_stored = ("".join(each[0]) for each in beside.documents())
    assert [">393216<" in each for each in (live, stored)] == [True, False]
    assert [">393216<" in each for each in (our_live, our_stored)] == [True, True]
    assert beside.ours.info("vm").pending
