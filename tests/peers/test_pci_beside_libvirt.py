"""PCI functions without a place, and the root ports of q35: as libvirt makes and places them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from guestmap.domain.change.attach_plan import plan_attach, read_device
from guestmap.domain.process.command_line import command_line
from guestmap.domain.process.pci import placed
from guestmap.domain.rules.assign import assigned
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import parse_definition
from guestmap.domain.xml.edit import with_devices
from tests.domain.documents import domain, memory
from tests.support.libvirtd import DIALECTS, Libvirtd, libvirtd
from tests.support.qemu import require_qemu

pytestmark = [pytest.mark.peers, pytest.mark.qemu]

Q35, I440FX = "pc-q35-7.2", "pc-i440fx-7.2"
VIRTIO_MEM = memory("256", model="virtio-mem", target="<block>2048</block>").decode()
PMEM = memory("256", model="virtio-pmem", node="",
              more="<source><path>/tmp/nv</path></source>").decode()  # fmt: skip
CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
SERIAL_BUS = "<controller type='virtio-serial' index='0'/>"
BALLOON = "<memballoon model='virtio'/>"


def at(device: str, bus: int, slot: int = 0, function: int = 0, more: str = "") -> str:
    place = f"<address type='pci' bus='{bus}' slot='{slot}' function='{function}'{more}/>"
    if device.endswith("</memory>"):
        return device.replace("</memory>", f"{place}</memory>")
    name = device[1:].split(None, 1)[0]
    closed = device if device.endswith(f"</{name}>") else f"{device[:-2]}></{name}>"
    return closed.replace(f"</{name}>", f"{place}</{name}>")


def disk(letter: str = "a") -> str:
    return (
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
        f"<source file='/dev/null'/><target dev='vd{letter}' bus='virtio'/></disk>"
    )


def port(index: int, content: str = "") -> str:
    return f"<controller type='pci' index='{index}' model='pcie-root-port'>{content}</controller>"


SHARED = " multifunction='on'"
DEVICES = {
    "nothing": "",
    "one": VIRTIO_MEM,
    "two": VIRTIO_MEM * 2,
    "pmem": PMEM,
    "dimm": memory("128").decode(),
    "one of each": disk() + CHANNEL + VIRTIO_MEM + PMEM + BALLOON,
    "one of each, the other way round": BALLOON + PMEM + VIRTIO_MEM + CHANNEL + disk(),
    "nine": "".join(map(disk, "abcdefghi")),
    "a bus for channels": SERIAL_BUS + CHANNEL + VIRTIO_MEM,
    "a bus for channels that has a place": at(SERIAL_BUS, 0, 9) + CHANNEL + VIRTIO_MEM,
    "on the root bus": at(VIRTIO_MEM, 0, 9),
    "in the first slot": at(disk(), 0, 1) + VIRTIO_MEM,
}
"""Devices of either machine."""
BEHIND = {
    "a port": port(1) + VIRTIO_MEM,
    "a port for two": port(1) + VIRTIO_MEM * 2,
    "two ports": port(1) + port(2) + VIRTIO_MEM,
    "a far port": port(5) + VIRTIO_MEM,
    "ports out of order": port(3) + port(1) + VIRTIO_MEM * 3,
    "a port with all": port(1, "<target chassis='3' port='0x18'/>") + VIRTIO_MEM,
    "a port with a place": at(port(1), 0, 5) + VIRTIO_MEM,
    "a port in the second slot": at(port(1), 0, 2, more=SHARED) + VIRTIO_MEM * 2,
    "a port in the first slot": at(port(1), 0, 1) + VIRTIO_MEM * 2,
    "a port in a function": at(port(1), 0, 1, 3) + VIRTIO_MEM * 2,
    "two with places": at(port(1), 0, 1, 0, SHARED) + at(port(2), 0, 1, 1) + VIRTIO_MEM * 3,
    "a disk where the port would be": at(disk(), 0, 1) + port(1) + VIRTIO_MEM,
    "the root": "<controller type='pci' index='0' model='pcie-root'/>" + VIRTIO_MEM,
    "behind the first": at(VIRTIO_MEM, 1),
    "behind the first, and one more": at(VIRTIO_MEM, 1) + VIRTIO_MEM,
    "behind the second, and one more": at(VIRTIO_MEM, 2) + VIRTIO_MEM,
    "behind the tenth, and one more": at(VIRTIO_MEM, 10) + VIRTIO_MEM,
    "a balloon behind the first": at(BALLOON, 1) + VIRTIO_MEM,
}
"""Devices of q35."""
CASES = {
    **{f"i440fx: {name}": (I440FX, devices) for name, devices in DEVICES.items()
       if name != "in the first slot"},
    **{f"q35: {name}": (Q35, devices) for name, devices in (DEVICES | BEHIND).items()},
}  # fmt: skip


class Pair:
    """What we make of a definition, and libvirt."""

    def __init__(self, theirs: Libvirtd, dialect: LibvirtDialect) -> None:
        self.theirs = theirs
        self.dialect = dialect
        self.inactive = theirs.module.VIR_DOMAIN_XML_INACTIVE

    def libvirts_xml(self, document: bytes, *attached: str) -> list[Any]:
        found = self.theirs.connection.defineXML(document.decode())
        try:
            for each in attached:
                found.attachDeviceFlags(each, self.theirs.module.VIR_DOMAIN_AFFECT_CONFIG)
            return _places(found.XMLDesc(self.inactive))
        finally:
            found.undefine()

    def libvirts_words(self, document: bytes) -> list[Any]:
        text = self.theirs.connection.domainXMLToNative("qemu-argv", document.decode(), 0)
        return _functions(shlex.split(text.replace("\\\n", " ")))

    def our_words(self, document: bytes) -> list[Any]:
        found = placed(parse_definition(document, self.dialect))
        for index, device in enumerate(found.devices):
            given = assigned(found, device, live=True)
            found = with_devices(found, {index: given}, live=True)
        return _functions(command_line(found, {}, "/f", "/f"))


def _places(text: str) -> list[Any]:
    """Return the functions of a document: what they are, and where."""
    found = []
    for each in ElementTree.fromstring(text).iterfind("devices/*"):
        address = each.find("address[@type='pci']")
        if address is None or each.get("type") in {"sata", "usb", "ide"}:
            continue
        number, target = each.get("index"), each.find("target")
        is_port = each.get("model") == "pcie-root-port"
        names = dict(target.attrib) if is_port and target is not None else {}
        place = [int(address.get(name) or "0", 0) for name in ("bus", "slot", "function")]
        model = each.get("model") if each.tag in {"memory", "controller"} else None
        found.append((each.tag, model or "", number or "", place, address.get("multifunction"),
                      sorted(names.items()), each.find("model") is not None))  # fmt: skip
    return sorted(found, key=repr)


def _functions(words: list[str]) -> list[Any]:
    """Return root ports whole, and where each other function is."""
    made = [json.loads(value) for option, value in pairwise(words)
            if option == "-device" and value.startswith("{")]  # fmt: skip
    ports = [list(each.items()) for each in made if each["driver"] == "pcie-root-port"]
    others = [
        (each["driver"], each["bus"], each["addr"])
        for each in made
        if each.get("bus", "").startswith("pci") and each["driver"] != "pcie-root-port"
    ]
    return [sorted(ports, key=repr), sorted(others)]


def document(machine: str, devices: str) -> bytes:
    limit = "<maxMemory slots='16' unit='GiB'>8</maxMemory>"
    text = domain(emulator=require_qemu(), limit=limit, devices=devices).decode()
    text = re.sub(r"    <odd.*\n", "    <controller type='usb' model='none'/>\n", text)
    if "<memballoon model='virtio'" in devices:
        text = text.replace("<memballoon model='none'/>", "")
    return text.replace(I440FX, machine).encode()


@pytest.fixture(
    scope="module",
    params=DIALECTS,
)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    dialect, root = request.param
    with libvirtd(tmp_path_factory.mktemp("libvirt"), require_qemu(), root=root) as theirs:
        yield Pair(theirs, dialect)


@pytest.mark.parametrize("what", CASES)
def test_what_has_no_place_gets_libvirts(pair, what):
    whole = document(*CASES[what])
    ours = placed(parse_definition(whole, pair.dialect))
    assert _places(ours.data.decode()) == pair.libvirts_xml(whole)
    assert pair.our_words(whole) == pair.libvirts_words(whole)
    assert placed(ours) is ours


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("devices", ["", port(1), disk()], ids=["none", "port", "disk"])
def test_the_stored_definition_of_a_q35_gets_the_ports_that_a_device_wants(pair, devices, count):
    whole = document(Q35, devices)
    stored = parse_definition(whole, pair.dialect)
    for _ in range(count):
        wanted = read_device(VIRTIO_MEM.encode(), pair.dialect)
        plan = plan_attach(stored, None, wanted)
        assert plan.config is not None
        stored = plan.config
    assert _places(stored.data.decode()) == pair.libvirts_xml(whole, *[VIRTIO_MEM] * count)
