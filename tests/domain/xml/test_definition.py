"""Definitions are read with libvirt's defaults, and refused with the element, line and remedy."""

import pytest

from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import parse_definition
from tests.domain.documents import LIMIT, definition, domain

GIB_KIB = 1 << 20


def test_what_decides_about_memory_is_read():
    found = definition()
    assert (found.name, found.kind, found.machine) == ("vm", "qemu", "pc-i440fx-7.2")
    assert (found.total, found.current, found.max_memory) == (524288, 524288, 8 * GIB_KIB)
    assert (found.slots, found.vcpus, found.acpi, found.initial) == (4, 1, True, 524288)


def test_the_total_is_the_nodes_and_the_devices():
    dimm = ("    <memory model='dimm'><target><size unit='MiB'>256</size><node>0</node></target>"
            "</memory>\n")  # fmt: skip
    found = definition(devices=dimm)
    assert (found.total, found.initial, found.plugged) == (768 << 10, 512 << 10, 256 << 10)


def replaced(old: str, new: str) -> bytes:
    assert old in domain().decode()
    return domain().decode().replace(old, new).encode()


REFUSED = {
    "no name": (replaced("<name>vm</name>", ""), "missing name", 21),
    "a path as name": (replaced(">vm<", ">../vm<"), "cannot contain", 27),
    "a hidden name": (replaced(">vm<", ">.vm<"), "begin with", 27),
    "another type": (replaced("type='qemu'", "type='xen'"), "type='qemu' or type='kvm'", 27),
    "no os": (replaced("<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>", ""),
              "<os><type>", 27),
    "memory in words": (replaced(">512</memory>", ">lots</memory>"), "Invalid value 'lots'", 27),
    "vcpus": (replaced(">1</vcpu>", ">0</vcpu>"), "<vcpu> on line 9", 27),
    "uuid": (replaced("<metadata>", "<uuid>12</uuid><metadata>"), "malformed uuid", 1),
    "unit": (replaced('unit="MiB"', 'unit="parsec"'), "unknown suffix 'parsec'", 8),
    "too much": (replaced(' unit="MiB" dumpCore=\'off\'>512<', ' unit="GiB">99999999999999<'),
                 "value too large: 99999999999999GiB", 82),
    "little max": (replaced("'GiB'>8<", "'MiB'>8<"), "<maxMemory> on line 8", 27),
    "slots": (replaced("slots='4'", "slots='4294967295'"), "QEMU takes 256 at most", 67),
    "no domain": (b"<domainsnapshot/>", "expecting root element", 27),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_definition_that_cannot_be_is_refused(what):
    data, told, code = REFUSED[what]
    with pytest.raises(DomainError, match=told) as refused:
        parse_definition(data, LibvirtDialect.V9)
    assert refused.value.code == code


STRICTER = {
    "no slots": (LIMIT.replace("slots='4' ", ""), None, "both maximum memory size and memory slot"),
    "no nodes": (LIMIT, "", "At least one numa node has to be configured"),
}


@pytest.mark.parametrize("what", STRICTER)
def test_only_the_older_libvirt_refuses_a_limit_without(what):
    limit, numa, told = STRICTER[what]
    words = {"limit": limit} | ({} if numa is None else {"numa": numa})
    with pytest.raises(DomainError, match=told):
        definition(LibvirtDialect.V9, **words)
    assert definition(LibvirtDialect.V12, **words).max_memory == 8 * GIB_KIB
