"""A stock Linux under the domain manager: it takes a DIMM, uses it, gives it back, or refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from guestmap.base import MIB
from guestmap.domain.plans.verification import Standing, verify
from guestmap.domain.rules.errors import DomainError, Speaker
from tests.domain.documents import domain, memory
from tests.peers.test_linux import POLICY
from tests.support.domains import BOTH, Domains, domains
from tests.support.linux_guest import LinuxGuest, prepared
from tests.support.qemu import require_qemu

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.peers, pytest.mark.qemu, pytest.mark.timeout(300)]

SIZE = 256 * MIB
DIMM = memory("256")


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Domains, LinuxGuest]]:
    folder, program = tmp_path_factory.mktemp("vm"), require_qemu()
    kernel, initrd, append = prepared(folder)
    ports = "".join(
        f"    <serial type='unix'><source mode='bind' path='{folder}/{name}'/></serial>\n"
        for name in ("serial", "agent")
    )
    boot = f"<kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>{append}</cmdline>"
    document = domain(emulator=program, devices=ports).replace(b"<os>", f"<os>{boot}".encode())
    with domains(folder / "domains", cast("Any", program)) as manager:
        manager.define(document)
        manager.changes.start("vm")
        guest = LinuxGuest(folder, cast("Any", None))
        yield manager, guest
        guest.close()


def test_memory_that_is_attached_is_online_and_is_given_back(booted):
    manager, guest = booted
    before = guest.memory
    guest.run(f"echo online_movable > {POLICY}")
    manager.changes.attach("vm", DIMM, BOTH)
    guest.until("grep MemTotal /proc/meminfo", str((before + SIZE) >> 10))
    (found,) = verify(manager, "vm", str(guest.agent)).devices
    assert (found.standing, found.online) == (Standing.ONLINE, SIZE)
    assert manager.changes.detach("vm", DIMM, BOTH, wait_s=60.0).is_gone
    assert guest.memory == before
    manager.consistent()


def test_memory_that_is_left_offline_is_told_from_what_is_used(booted):
    manager, guest = booted
    guest.run(f"echo offline > {POLICY}")
    manager.changes.attach("vm", DIMM, BOTH)
    guest.until("ls /sys/devices/system/memory", "memory33")
    (found,) = verify(manager, "vm", str(guest.agent)).devices
    assert (found.standing, found.online) == (Standing.OFFLINE, 0)
    assert manager.changes.detach("vm", DIMM, BOTH, wait_s=60.0).is_gone


def test_memory_that_the_kernel_sits_in_stays_in_both_definitions(booted):
    manager, guest = booted
    guest.run(f"echo online_kernel > {POLICY}")
    manager.changes.attach("vm", DIMM, BOTH)
    before = manager.documents()[:2]
    # Inodes are the kernel's own, and come from the highest zone first: from the new memory.
    guest.run("mkdir /tmp/i; mount -t tmpfs -o nr_inodes=0 t /tmp/i; cd /tmp/i")
    guest.run("seq 1 4000 | xargs touch; cd /")
    with pytest.raises(DomainError) as refused:
        manager.changes.detach("vm", DIMM, BOTH, wait_s=60.0)
    assert refused.value.text == "operation failed: unplug of device was rejected by the guest"
    assert refused.value.speaker is Speaker.GUEST
    assert "Eject Request" in refused.value.remedy
    assert manager.documents()[:2] == before
