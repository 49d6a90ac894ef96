"""A change of a definition touches what it is about, and no other byte."""

import difflib

import pytest

from guestmap.domain.rules.assign import assigned
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import Definition, parse_definition
from guestmap.domain.xml.edit import (
    with_addresses,
    with_current,
    with_device,
    with_devices,
    with_id,
    with_uuid,
    without_device,
)
from guestmap.domain.xml.memory import PciAddress
from guestmap.domain.xml.tree import MOST_ELEMENTS, Element
from tests.domain.documents import as_read, definition, device, domain, memory


def changed_lines(before: Definition, after: Definition) -> list[str]:
    lines = difflib.unified_diff(
        before.data.decode().splitlines(), after.data.decode().splitlines(), lineterm="", n=0
    )
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def plugged(*, live: bool) -> tuple[Definition, Definition]:
    before = definition()
    new = assigned(before, device(), live=live)
    return before, with_device(before, new, live=live)


def test_a_device_comes_last_in_libvirts_form_and_both_sizes_grow():
    before, after = plugged(live=True)
    assert changed_lines(before, after) == [
        """-  <memory unit="MiB" dumpCore='off'>512</memory>""",
        "-  <currentMemory unit='KiB'>524288</currentMemory>",
        """+  <memory unit='KiB' dumpCore='off'>1048576</memory>""",
        "+  <currentMemory unit='KiB'>1048576</currentMemory>",
        "+    <memory model='dimm'>",
        "+      <target>",
        "+        <size unit='KiB'>524288</size>",
        "+        <node>0</node>",
        "+      </target>",
        "+      <alias name='dimm0'/>",
        "+      <address type='dimm' slot='0'/>",
        "+    </memory>",
    ]


def test_what_is_stored_has_no_alias():
    _, after = plugged(live=False)
    assert b"alias" not in after.data
    assert after.devices[0].slot == 0


@pytest.mark.parametrize("live", [True, False])
def test_without_the_device_it_is_as_before_but_for_the_unit(live):
    before, after = plugged(live=live)
    gone = without_device(after, 0)
    assert changed_lines(before, gone) == [
        """-  <memory unit="MiB" dumpCore='off'>512</memory>""",
        """+  <memory unit='KiB' dumpCore='off'>524288</memory>""",
    ]


def test_a_device_in_empty_devices_opens_them():
    text = domain().decode()
    start, end = text.index("<devices>"), text.index("</devices>") + len("</devices>")
    before = parse_definition(
        (text[:start] + "<devices/>" + text[end:]).encode(), LibvirtDialect.V9
    )
    after = with_device(before, assigned(before, device(), live=False), live=False)
    assert [each.size for each in after.devices] == [524288]


def test_a_device_is_replaced_in_its_place():
    _, after = plugged(live=True)
    other = assigned(after, device(b"<memory model='dimm'><target><size>524288</size><node>0"
                                   b"</node></target><address type='dimm' slot='3' base="
                                   b"'0x120000000'/></memory>"), live=True)  # fmt: skip
    moved = with_devices(after, {0: other}, live=True)
    assert (moved.devices[0].slot, moved.devices[0].place) == (3, 0x1_2000_0000)
    assert len(changed_lines(after, moved)) == 4


def test_the_balloon_moves_one_line():
    before = definition()
    assert changed_lines(before, with_current(before, 262144)) == [
        "-  <currentMemory unit='KiB'>524288</currentMemory>",
        "+  <currentMemory unit='KiB'>262144</currentMemory>",
    ]


LAST = "</domain>"
FORMS = {
    "as written": lambda text: text,
    "on one line": lambda text: "".join(line.strip() for line in text.splitlines()),
    "no devices": lambda text: text[: text.index("<devices>")] + "<devices/>" + LAST,
    "more behind": lambda text: text.replace(LAST, "<odd>\n</odd>" + LAST),
    "names of a space": lambda text: text.replace(
        "<memory unit", "<memory xmlns:q='urn:q' q:a='1' unit"),
    "a prefix from above": lambda text: text.replace(
        "<domain", "<domain xmlns:q='urn:q'").replace("<memory unit", "<memory q:a='1' unit"),
}  # fmt: skip
"""Documents in which an edit falls differently."""


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_every_edit_gives_what_reading_its_document_gives(form, live):
    whole = domain(limit="<maxMemory slots='9' unit='GiB'>8</maxMemory>").decode()
    found = parse_definition(FORMS[form](whole).encode(), LibvirtDialect.V9)
    virtio = device(memory("1", "GiB", model="virtio-mem", target="<block>2048</block>"))
    for new in (device(), device(memory("128")), virtio, device(memory("256"))):
        found = with_device(found, assigned(found, new, live=live), live=live)
        assert as_read(found)
    assert len(found.devices) == 4
    for edit in (
        lambda: with_devices(found, {0: found.devices[1], 2: found.devices[2]}, live=live),
        lambda: with_devices(found, {3: found.devices[0]}, live=live),
        lambda: with_current(found, 4096),
        lambda: with_id(found, 12),
        lambda: without_device(found, 3),
        lambda: without_device(found, 1),
        lambda: without_device(without_device(found, 0), 0),
    ):
        after = edit()
        assert after.data != found.data
        assert as_read(after)


def test_devices_say_where_they_are():
    found = definition(devices="    <disk><target/></disk>\n    <memballoon model='virtio'/>\n")
    elements = [*found.root.every("devices/disk"), *found.root.every("devices/memballoon")]
    after = with_addresses(found, [(each, PciAddress(0, n)) for n, each in enumerate(elements, 2)])
    assert as_read(after)
    assert [each.get("slot") for each in after.root.every("devices/*/address")] == [
        "0x02", "0x03", "0x04",
    ]  # fmt: skip


def test_a_uuid_comes_behind_the_name():
    found = with_uuid(definition(), "11111111-2222-3333-4444-555555555555")
    assert as_read(found)
    assert found.uuid == "11111111-2222-3333-4444-555555555555"


def count(element: Element) -> int:
    return 1 + sum(count(each) for each in element.children)


def test_what_could_not_be_read_again_is_not_made():
    room = MOST_ELEMENTS - count(definition().root)
    found = definition(devices="<a/>" * (room - 3))
    new = assigned(found, device(), live=False)
    with pytest.raises(DomainError, match="more than 100000 elements"):
        with_device(found, new, live=False)
