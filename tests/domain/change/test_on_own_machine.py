"""The same code drives a machine of our own, whose guest acknowledges, gives back and refuses."""

import sys
from pathlib import Path

import pytest

from guestmap.domain.events.listener import DomainListener
from guestmap.domain.plans.verification import Standing, verify
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.xml.definition import QEMU_NAMESPACE
from guestmap.testing.guests import hotplug_guest
from tests.domain.documents import domain, memory
from tests.support.domains import BOTH, DIMM, domains

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.nasm, pytest.mark.slow]


@pytest.fixture
def machine(tmp_path):
    program = Path(sys.executable).with_name("guestmap")
    rom = tmp_path / "guest.rom"
    rom.write_bytes(hotplug_guest())
    arguments = "".join(f"<q:arg value='{word}'/>" for word in ("--option-rom", str(rom)))
    serial = f"    <serial type='file'><source path='{tmp_path}/serial'/></serial>\n"
    document = domain(emulator=str(program), devices=serial).replace(
        b"</domain>",
        f"<q:commandline xmlns:q='{QEMU_NAMESPACE}'>{arguments}</q:commandline></domain>".encode(),
    )
    with domains(tmp_path, program) as found:
        found.define(document)
        found.changes.start("vm")
        yield found


def test_a_guest_acknowledges_a_dimm_and_gives_it_back(machine):
    with DomainListener(machine) as listener:
        machine.changes.attach("vm", DIMM, BOTH)
        listener.run(lambda event: event.event == "guest-acknowledged", seconds=60)
    (found,) = verify(machine, "vm").devices
    assert (found.alias, found.standing) == ("dimm0", Standing.ACKNOWLEDGED)
    assert machine.changes.detach("vm", DIMM, BOTH, wait_s=60.0).is_gone
    assert verify(machine, "vm").devices == ()
    assert machine.known(live=False) == []


def test_what_it_lacks_is_refused_by_name(machine):
    with pytest.raises(DomainError, match="virtio-mem-pci"):
        machine.changes.attach("vm", memory(model="virtio-mem", target="<block>2048</block>"), BOTH)
    assert machine.known(live=False) == []
