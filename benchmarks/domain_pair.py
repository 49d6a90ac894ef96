"""The same domain with our manager and with libvirt, on the same QEMU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.libvirtd import Libvirtd

from guestmap.domain.manager import Manager

DOMAIN = """\
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <maxMemory slots='128' unit='GiB'>64</maxMemory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
  <features><acpi/></features>
  <cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>
  <devices>
    <emulator>{emulator}</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
  <qemu:commandline>{words}</qemu:commandline>
</domain>
"""
DIMM = "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>"


class Pair(NamedTuple):
    """The same domain with both."""

    name: str
    ours: Manager
    theirs: Any
    paused: int

    def start(self, *, paused: bool = True) -> None:
        """Start it with us."""
        self.ours.changes.start(self.name, paused=paused)

    def start_theirs(self, *, paused: bool = True) -> None:
        """Start it with libvirt."""
        self.theirs.createWithFlags(self.paused if paused else 0)


@contextmanager
def pair_of(
    ours: Manager, theirs: Libvirtd, emulator: str, name: str = "vm", guest: Path | None = None
) -> Iterator[Pair]:
    """Define a domain with both, and have it away in the end; give both.

    Args:
        ours: our manager.
        theirs: libvirt.
        emulator: the QEMU of both.
        name: the domain's.
        guest: a folder with ``guest.rom``; its words go to files there.
    """
    documents = [
        DOMAIN.format(name=name, emulator=emulator, words=_guest(guest, who))
        for who in ("ours", "theirs")
    ]
    domain = theirs.connection.defineXML(documents[1])
    ours.define(documents[0].encode())
    try:
        yield Pair(name, ours, domain, theirs.module.VIR_DOMAIN_START_PAUSED)
    finally:
        if domain.isActive():
            domain.destroy()
        domain.undefine()
        if ours.store.running(name) is not None:
            ours.changes.destroy(name)
        ours.undefine(name)


def _guest(folder: Path | None, who: str) -> str:
    if folder is None:
        return ""
    words = ("-vga", "none", "-option-rom", folder / "guest.rom", "-serial", f"file:{folder}/{who}")
    return "".join(f"<qemu:arg value='{each}'/>" for each in words)
