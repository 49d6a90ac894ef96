"""Whatever a definition says, what comes of it is a machine, or a refusal of ours."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import GuestmapError
from guestmap.domain.change.attach_plan import obstacles
from guestmap.domain.change.matching import matching, twin_of
from guestmap.domain.process.command_line import command_line, environment
from guestmap.domain.process.devices_line import left_out
from guestmap.domain.process.own_machine import own_command_line
from guestmap.domain.rules.assign import assigned
from guestmap.domain.rules.room import Room
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import Definition, parse_definition
from guestmap.domain.xml.edit import with_device, with_devices, with_id, without_device
from tests.domain.documents import as_read, device, domain, memory

DEVICES = """\
    <memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target>\
<address type='dimm' slot='0' base='0x100000000'/></memory>
    <memory model='virtio-mem'><target><size unit='MiB'>256</size><node>0</node><block>2048</block>\
</target><address type='pci' bus='0x00' slot='0x04' function='0x0'/></memory>
    <disk type='file'><source file='/a'/><target bus='virtio'/>\
<address type='pci' bus='0x00' slot='0x05' function='0x0'/></disk>
    <controller type='pci' model='pcie-root-port' index='1'/>
    <serial type='pty'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
"""
WHOLE = domain(devices=DEVICES).decode()
VALUES = [match.span(1) for match in re.finditer(r"""=["']([^"']*)["']|>([^<>\n]+)<""", WHOLE)
          if match.group(1) is not None]  # fmt: skip
HOSTILE = st.sampled_from(
    ["", "-1", "0", "1", "x", "0x", "99999999999999999999", "4294967296", "1e9", "\u0661", " ",
     "/", "..", "pcie-root-port", "virtio", "dimm", "pci", "nvdimm", "ua-a", "kvm", "q35", "1_0"]
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(VALUES), HOSTILE), min_size=1, max_size=4,
                unique_by=lambda each: each[0]), st.sampled_from(LibvirtDialect))  # fmt: skip
def test_any_values_end_in_a_machine_or_a_refusal(changes, dialect):
    text = WHOLE
    for (start, end), value in sorted(changes, reverse=True):
        text = text[:start] + value + text[end:]
    try:
        found = parse_definition(text.encode(), dialect)
    except GuestmapError:
        return
    for data in (memory(), memory(model="virtio-mem", target="<block>2048</block>")):
        new = device(data, dialect)
        obstacles(Room(found, new), None)
        matching(found, new)
        _and(lambda new=new: with_device(found, assigned(found, new, live=True), live=True))
        _and(lambda new=new: Room(found, new).better_base(assigned(found, new, live=True)))
    for index, each in enumerate(found.devices):
        _and(lambda index=index: without_device(found, index))
        twin_of(found, each, found)
        _and(lambda index=index, each=each: with_devices(found, {index: each}, live=True))
    _and(lambda: with_id(found, 1))
    _and(lambda: command_line(found, {"monitor": 3}, "/run/vm", "/run/vm"))
    _and(lambda: own_command_line(found, "/run/vm/monitor", "/run/vm"))
    environment(found)
    left_out(found)


def _and(action):
    """Do it; a refusal is as good an end as any."""
    with contextlib.suppress(GuestmapError):
        done = action()
        if isinstance(done, Definition):
            assert as_read(done)


@pytest.mark.parametrize("slots", ["256", "0"])
def test_the_most_and_the_fewest_slots_are_read(slots):
    text = domain().decode().replace("slots='4'", f"slots='{slots}'")
    assert parse_definition(text.encode(), LibvirtDialect.V12).slots == int(slots)
