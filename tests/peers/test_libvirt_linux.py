"""A stock Linux on our machine, under an unmodified libvirt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.peers.test_libvirt_drives_us import BOTH, DAEMONS, DIMM, LIVE, dimms, until
from tests.peers.test_linux import POLICY
from tests.peers.test_linux_balloon import MIB, MODULES
from tests.support.emulator import document, program
from tests.support.libvirtd import Libvirtd, libvirtd
from tests.support.linux_guest import LinuxGuest, prepared

ANY = DIMM.partition("<address")[0] + "</memory>"
"""A DIMM wherever it is: libvirt compares addresses whole, and a base was chosen."""

pytestmark = [pytest.mark.peers, pytest.mark.seabios, pytest.mark.timeout(600)]


class Events:
    """What ``virsh event --all`` would print: life cycle, devices that went."""

    def __init__(self, libvirt: Libvirtd) -> None:
        self.lifecycle: list[int] = []
        self.removed: list[str] = []
        module = libvirt.module
        module.virEventRegisterDefaultImpl()
        self._run = module.virEventRunDefaultImpl
        self._connection = module.open(libvirt.uri)  # one that is open already has no loop
        for number, heard in (
            (module.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._life),
            (module.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, self._gone),
        ):
            self._connection.domainEventRegisterAny(None, number, heard, None)
        self._timer = module.virEventAddTimeout(100, lambda *_: None, None)

    def _life(self, _connection: Any, _domain: Any, event: int, *_more: Any) -> None:
        self.lifecycle.append(event)

    def _gone(self, _connection: Any, _domain: Any, alias: str, *_more: Any) -> None:
        self.removed.append(alias)

    def turn(self) -> Events:
        """Hear what has come, or wait for a moment."""
        self._run()
        return self


@pytest.fixture(scope="module", params=DAEMONS)
def booted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Libvirtd, Any, LinuxGuest]]:
    folder = tmp_path_factory.mktemp("vm")
    kernel, initrd, append = prepared(folder, agent=False, modules=MODULES)
    emulator = program(folder)
    boot = f"<kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>{append}</cmdline>"
    port = f"<serial type='unix'><source mode='bind' path='{folder}/serial'/></serial>"
    told = document(emulator, devices=port).replace("64", "256").replace("qemu256", "qemu64")
    told = told.replace("x86_256", "x86_64").replace("<os>", f"<os>{boot}")
    told = told.replace("<memballoon model='none'/>", "<memballoon model='virtio'/>")
    told = told.replace("<serial type='pty'><target port='0'/></serial>", "")
    with libvirtd(tmp_path_factory.mktemp("daemon"), emulator, root=request.param) as libvirt:
        domain = libvirt.connection.defineXML(told)
        domain.create()
        guest = LinuxGuest(folder, cast("Any", None))
        yield libvirt, domain, guest
        guest.close()


def test_a_dimm_is_online_and_is_given_back(booted: tuple[Libvirtd, Any, LinuxGuest]) -> None:
    libvirt, domain, guest = booted
    events = Events(libvirt)
    before = guest.memory
    guest.run(f"echo online_movable > {POLICY}")
    domain.attachDeviceFlags(DIMM.format(0), BOTH)
    guest.until("grep MemTotal /proc/meminfo", str((before >> 10) + (128 << 10)))
    domain.detachDeviceFlags(ANY, BOTH)
    until(lambda: dimms(domain) == 0)
    assert dimms(domain, 2) == 0
    assert guest.memory == before
    until(lambda: events.turn().removed)
    assert events.removed == ["dimm0"]
    domain.suspend()
    domain.resume()
    module = libvirt.module
    until(lambda: module.VIR_DOMAIN_EVENT_RESUMED in events.turn().lifecycle)
    assert [each for each in events.lifecycle if each != module.VIR_DOMAIN_EVENT_DEFINED] == [
        module.VIR_DOMAIN_EVENT_SUSPENDED, module.VIR_DOMAIN_EVENT_RESUMED,
    ]  # fmt: skip
    changes = events.lifecycle.count(module.VIR_DOMAIN_EVENT_DEFINED)
    tells_changes = libvirt.connection.getLibVersion() >= 12_000_000
    assert changes == (2 if tells_changes else 0), "of what is stored"


def test_memory_is_given_back_and_taken_again(booted: tuple[Libvirtd, Any, LinuxGuest]) -> None:
    """Of 256 MiB 64 are given: a kernel that may have DIMMs keeps 64 more to itself (swiotlb)."""
    _, domain, guest = booted
    whole, told, less = guest.memory, domain.info()[1], 192 * MIB >> 10
    domain.setMemoryStatsPeriod(1, LIVE)
    domain.setMemoryFlags(less, LIVE)
    until(lambda: domain.info()[2] == less)
    assert whole - guest.memory == 64 * MIB
    seen = until(lambda: _told(domain, guest.memory >> 10))
    assert seen["actual"] == less
    domain.setMemoryFlags(told, LIVE)
    until(lambda: domain.info()[2] == told)
    assert guest.memory == whole


def _told(domain: Any, available: int) -> dict[str, int]:
    """Return the guest's statistics, once they say how much it has (KiB)."""
    stats: dict[str, int] = domain.memoryStats()
    return stats if stats.get("available") == available else {}


def test_it_switches_itself_off(booted: tuple[Libvirtd, Any, LinuxGuest]) -> None:
    libvirt, domain, guest = booted
    guest._serial.sendall(b"poweroff -f\n")
    until(lambda: not domain.isActive())
    assert domain.state() == [
        libvirt.module.VIR_DOMAIN_SHUTOFF, libvirt.module.VIR_DOMAIN_SHUTOFF_SHUTDOWN,
    ]  # fmt: skip
