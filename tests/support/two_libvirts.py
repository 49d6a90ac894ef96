"""Two releases of libvirt, one after the other: what the findings ask both of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support import libvirtd as support

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PINNED = {"9.0": 9_000_000, "12.9": 12_009_000}
"""The numbers of the versions, by the names of their folders (``tools/two_libvirts.sh``)."""
_EMULATOR = "/usr/bin/qemu-system-x86_64"
_DOMAIN = f"""<domain type='qemu'><name>vm</name><memory unit='MiB'>64</memory>
<maxMemory slots='2' unit='GiB'>1</maxMemory><vcpu>1</vcpu>
<os><type machine='pc-i440fx-7.2'>hvm</type></os><features><acpi/></features>
<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>
<devices><emulator>{_EMULATOR}</emulator><controller type='usb' model='none'/>
<memballoon model='none'/>%s</devices></domain>"""


def document(devices: str = "") -> str:
    """Return a small domain's definition, with room for two memory devices."""
    return _DOMAIN % devices


def told(library: Any, action: Callable[..., object], *arguments: object) -> str:
    """Return what libvirt says to a call that it refuses, else "done"."""
    try:
        action(*arguments)
    except library.libvirtError as error:
        return str(error.get_error_message())
    return "done"


def each(folder: Path) -> Iterator[support.Libvirtd]:
    """Give a daemon of each release, and print its version.

    Args:
        folder: has both releases.

    Raises:
        AssertionError: one is not the release that it is to be.
    """
    support.ROOT = folder / "9.0"  # whose Python module is every client
    for release, number in PINNED.items():
        work = folder / f"work-{release}"
        work.mkdir()
        with support.libvirtd(work, _EMULATOR, root=folder / release) as daemon:
            version = daemon.connection.getLibVersion()
            print("libvirt", version)
            assert version == number, f"another version than {release}: look again"
            yield daemon
