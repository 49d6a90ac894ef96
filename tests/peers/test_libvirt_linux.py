"""A stock Linux on our machine, under an unmodified libvirt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.peers.test_libvirt_drives_us import BOTH, DIMM, dimms, document, program, until
from tests.peers.test_linux import POLICY
from tests.support.libvirtd import Libvirtd, libvirtd
from tests.support.linux_guest import LinuxGuest, prepared

ANY = DIMM.partition("<address")[0] + "</memory>"
"""A DIMM wherever it is: libvirt compares addresses whole, and a base was chosen."""

pytestmark = [pytest.mark.peers, pytest.mark.seabios, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def booted(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Libvirtd, Any, LinuxGuest]]:
    folder = tmp_path_factory.mktemp("vm")
    kernel, initrd, append = prepared(folder, agent=False)
    emulator = program(folder)
    boot = f"<kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>{append}</cmdline>"
    port = f"<serial type='unix'><source mode='bind' path='{folder}/serial'/></serial>"
    told = document(emulator, devices=port).replace("64", "256").replace("qemu256", "qemu64")
    told = told.replace("x86_256", "x86_64").replace("<os>", f"<os>{boot}")
    told = told.replace("<serial type='pty'><target port='0'/></serial>", "")
    with libvirtd(tmp_path_factory.mktemp("daemon"), emulator) as libvirt:
        domain = libvirt.connection.defineXML(told)
        domain.create()
        guest = LinuxGuest(folder, cast("Any", None))
        yield libvirt, domain, guest
        guest.close()


def test_a_dimm_is_online_and_is_given_back(booted: tuple[Libvirtd, Any, LinuxGuest]) -> None:
    _, domain, guest = booted
    before = guest.memory
    guest.run(f"echo online_movable > {POLICY}")
    domain.attachDeviceFlags(DIMM.format(0), BOTH)
    guest.until("grep MemTotal /proc/meminfo", str((before >> 10) + (128 << 10)))
    domain.detachDeviceFlags(ANY, BOTH)
    until(lambda: dimms(domain) == 0)
    assert dimms(domain, 2) == 0
    assert guest.memory == before


def test_it_switches_itself_off(booted: tuple[Libvirtd, Any, LinuxGuest]) -> None:
    libvirt, domain, guest = booted
    guest._serial.sendall(b"poweroff -f\n")
    until(lambda: not domain.isActive())
    assert domain.state() == [
        libvirt.module.VIR_DOMAIN_SHUTOFF, libvirt.module.VIR_DOMAIN_SHUTOFF_SHUTDOWN,
    ]  # fmt: skip
