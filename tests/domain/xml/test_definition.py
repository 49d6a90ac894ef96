"""Definitions are read with libvirt's defaults, and refused with the element, line and remedy."""

import pytest

from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import Definition, parse_definition
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


def parsed(data: bytes) -> Definition:
    return parse_definition(data, LibvirtDialect.V9)


@pytest.mark.parametrize("name", ["a", "a.b", "n" * 200, "é" * 100])
def test_a_name_may_be_up_to_200_bytes_long(name):
    assert parsed(domain(name)).name == name


@pytest.mark.parametrize("name", ["n" * 201, "é" * 101, "a/b", "."])
def test_a_name_that_no_file_can_have_is_refused(name):
    with pytest.raises(DomainError, match="longer than 200 bytes") as refused:
        parsed(domain(name))
    assert (refused.value.element, refused.value.line) == ("name", 4)


HEX = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("uuid", [HEX, HEX.upper(), "01234567-89ab-cdef-0123-456789abcdef"])
def test_a_uuid_is_kept_in_its_usual_form(uuid):
    found = parsed(replaced("<metadata>", f"<uuid>{uuid}</uuid><metadata>"))
    assert found.uuid == "01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize("uuid", [HEX[1:], f"{HEX}0", f"g{HEX[1:]}"])
def test_a_uuid_of_other_digits_is_refused(uuid):
    with pytest.raises(DomainError, match="malformed uuid"):
        parsed(replaced("<metadata>", f"<uuid>{uuid}</uuid><metadata>"))


@pytest.mark.parametrize("count", [1, 2, 9999])
def test_vcpus_are_counted(count):
    assert parsed(replaced(">1</vcpu>", f">{count}</vcpu>")).vcpus == count


@pytest.mark.parametrize("count", ["", "01", "-1", "10000", "x"])
def test_vcpus_that_are_no_number_are_refused(count):
    with pytest.raises(DomainError, match=f"Invalid value '{count}'.*vcpu"):
        parsed(replaced(">1</vcpu>", f">{count}</vcpu>"))


def test_what_is_not_said_has_libvirts_defaults():
    text = replaced("<vcpu  placement='static'>1</vcpu>", "").decode()
    text = text.replace("<currentMemory unit='KiB'>524288</currentMemory>", "")
    text = text.replace("<acpi/>", "").replace(" machine='pc-i440fx-7.2'", "")
    found = parsed(text.encode())
    assert (found.vcpus, found.current, found.acpi, found.machine) == (1, 524288, False, "")
    assert found.uuid is None


@pytest.mark.parametrize(
    ("told", "current"), [(524287, 524287), (524288, 524288), (524289, 524288)]
)
def test_the_balloon_has_what_there_is_at_most(told, current):
    assert parsed(replaced("'KiB'>524288<", f"'KiB'>{told}<")).current == current


def test_a_node_has_the_number_it_says_or_that_of_its_place():
    two = (
        "<numa><cell memory='1' unit='MiB'/><cell id='7' memory='2048' memAccess='shared'/></numa>"
    )
    first, second = definition(numa=two).cells
    assert (first.id, first.memory, first.cpus, first.access, first.discard) == (
        0, 1024, "", None, None,
    )  # fmt: skip
    assert (second.id, second.memory, second.access) == (7, 2048, "shared")


@pytest.mark.parametrize(("word", "discard"), [("yes", True), ("no", False)])
def test_a_node_says_whether_its_memory_is_discarded(word, discard):
    (cell,) = definition(numa=f"<numa><cell memory='1' discard='{word}'/></numa>").cells
    assert cell.discard is discard


def test_a_node_without_memory_is_refused():
    with pytest.raises(DomainError, match=r"missing element or attribute '\./@memory'"):
        definition(numa="<numa><cell id='0'/></numa>")


@pytest.mark.parametrize(("slots", "is_taken"), [(1, True), (256, True), (257, False)])
def test_slots_are_256_at_most(slots, is_taken):
    limit = LIMIT.replace("'4'", f"'{slots}'")
    if is_taken:
        assert definition(limit=limit).slots == slots
    else:
        with pytest.raises(DomainError, match=f"unsupported amount of memory slots: {slots}"):
            definition(limit=limit)


@pytest.mark.parametrize(("most", "is_taken"), [(512, True), (511, False)])
def test_the_limit_is_all_that_there_is_at_least(most, is_taken):
    limit = f"<maxMemory slots='4' unit='MiB'>{most}</maxMemory>"
    if is_taken:
        assert definition(limit=limit).max_memory == most << 10
    else:
        with pytest.raises(DomainError, match="must be equal or greater") as refused:
            definition(limit=limit)
        assert refused.value.remedy == "give at least 524288 KiB"
