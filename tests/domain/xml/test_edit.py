"""A change of a definition touches what it is about, and no other byte."""

import difflib

import pytest

from guestmap.domain.rules.assign import assigned
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import Definition, parse_definition
from guestmap.domain.xml.edit import with_current, with_device, with_devices, without_device
from tests.domain.documents import definition, device, domain


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
