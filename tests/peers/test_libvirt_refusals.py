"""What libvirt's user reads where our machine lacks something: the words that are documented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.test_libvirt_drives_us import DAEMONS
from tests.support.emulator import document, program
from tests.support.libvirtd import Libvirtd, libvirtd

pytestmark = [pytest.mark.peers, pytest.mark.seabios]

WORDS = Path(__file__).parents[2].joinpath("docs", "libvirt.md").read_text(encoding="utf-8")
PTY = "<serial type='pty'><target port='0'/></serial>"
FILE = "<driver name='qemu' type='raw'/><source file='FILE'/>"
THROTTLED = "<iotune><total_iops_sec>9</total_iops_sec></iotune>"
UDP = "<source address='127.0.0.1' port='1'><local address='127.0.0.1' port='2'/></source>"


@pytest.fixture(scope="module", params=DAEMONS)
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Libvirtd, str]]:
    emulator = program(tmp_path_factory.mktemp("emulator"))
    with libvirtd(tmp_path_factory.mktemp("refusing"), emulator, root=request.param) as found:
        yield found, emulator


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (PTY, f"<disk>{FILE}<target dev='vda' bus='virtio'/></disk>",
         "device virtio-blk-pci is not modelled"),
        (PTY, f"<disk device='floppy'>{FILE}<target dev='fda' bus='fdc'/></disk>",
         "device floppy is not modelled"),
        (PTY, f"<interface type='udp'>{UDP}</interface>",
         "-netdev: network devices are not modelled"),
        (PTY, "<video><model type='qxl'/></video>",
         "domain configuration does not support video model 'qxl'"),
        (PTY, "<graphics type='vnc'/>", "vnc graphics are not supported with this QEMU"),
        (PTY, PTY.replace("port='0'", "port='1'"),
         "one serial port is modelled, and no more"),
        (PTY, "<serial type='file'><source path='/dev/null'/></serial>",
         "-add-fd: files are not inherited"),
        (PTY, PTY.replace("<target", "<log file='/dev/null'/><target"),
         "-add-fd: files are not inherited"),
        (PTY, "<watchdog model='i6300esb'/>", "-watchdog-action: watchdogs are not modelled"),
        (PTY, "<controller type='usb' model='nec-xhci'/>",
         "USB controller model 'nec-xhci' not supported in this QEMU binary"),
        (PTY, "<input type='tablet' bus='usb'/>", "device usb-tablet is not modelled"),
        (PTY, f"<disk>{FILE}<target dev='hda' bus='ide'/>{THROTTLED}</disk>",
         "The command block_set_io_throttle has not been found"),
        ("<model>qemu64</model>", "<model>qemu64</model><feature policy='require' name='vmx'/>",
         "the CPU is a qemu64, without more or less"),
        ("machine='pc'", "machine='q35'", "does not support machine type 'q35'"),
    ],
    ids=["disk", "floppy", "network", "adapter", "screen", "second-port", "port-file", "port-log",
         "watchdog", "usb", "tablet", "throttled", "cpu", "machine"],
)  # fmt: skip
def test_what_is_refused_is_said_as_documented(
    daemon: tuple[Libvirtd, str], tmp_path: Path, old: str, new: str, said: str
) -> None:
    libvirt, emulator = daemon
    asked = document(emulator, "lacking")
    assert asked.count(old) == 1
    kept = PTY if "port='1'" in new else ""
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    new = new.replace("FILE", str(tmp_path / "file"))
    with pytest.raises(libvirt.module.libvirtError) as refused:
        libvirt.connection.createXML(asked.replace(old, kept + new), 0)
    assert said in str(refused.value)
    assert said in WORDS
    assert libvirt.connection.listAllDomains(1) == []
