"""An unmodified libvirt drives our machine as it drives QEMU's: 9.0, and 12.9."""

from __future__ import annotations

import ctypes
import importlib
import io
import json
import os
import re
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from guestmap.system.probe.kvm import has_kvm
from tests.guests.disk import disk
from tests.support.disk_images import make_qcow2
from tests.support.emulator import document, program
from tests.support.libvirtd import NEWER, ROOT, Libvirtd, libvirtd
from tests.support.program import run_program
from tests.support.qemu import require_qemu
from tests.support.virt_install import virt_install

pytestmark = [pytest.mark.peers, pytest.mark.seabios]

LIVE, CONFIG, BOTH = 1, 2, 3
WAIT_S = 60.0
DIMM = (
    "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target>"
    "<address type='dimm' slot='{}'/></memory>"
)
ATTACH = ["object-add", "device_add", "query-memory-devices", "qom-list"]
ONLY_QEMU = (
    "query-iothreads",  # none are claimed, so 9.0 does not ask which there are
    "qom-get",  # the features of a CPU, which are no properties of ours
    "qom-list /machine/unattached/device[0]",  # the same
)
"""What is asked of QEMU alone, at the start, with the reason."""


DAEMONS = [
    pytest.param(ROOT, id="9.0"),
    pytest.param(NEWER, id="12.9", marks=pytest.mark.long),
]
"""Where each libvirt is."""


@pytest.fixture(scope="module", params=DAEMONS)
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Libvirtd, str]]:
    emulator = program(tmp_path_factory.mktemp("emulator"))
    with libvirtd(tmp_path_factory.mktemp("ours"), emulator, root=request.param) as found:
        yield found, emulator


@pytest.fixture
def running(daemon: tuple[Libvirtd, str]) -> Iterator[Any]:
    libvirt, emulator = daemon
    found = libvirt.connection.defineXML(document(emulator))
    libvirt.sent()
    found.create()
    yield found
    found = libvirt.connection.lookupByName("ours")  # the connection may be another one now
    if found.isActive():
        found.destroy()
    found.undefine()


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_S
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def names(libvirt: Libvirtd) -> list[str]:
    return [each["execute"] for each in libvirt.sent()]


def qmp(libvirt: Libvirtd, domain: Any, command: str) -> Any:
    """Return what ``virsh qemu-monitor-command`` would print."""
    return json.loads(monitor_module().qemuMonitorCommand(domain, command, 0))["return"]


def monitor_module() -> Any:
    """Return the module that reaches a domain's monitor; its library lies beside libvirt's."""
    ctypes.CDLL(str(ROOT / "usr/lib/x86_64-linux-gnu/libvirt-qemu.so.0"), ctypes.RTLD_GLOBAL)
    return importlib.import_module("libvirt_qemu")


def dimms(domain: Any, flags: int = 0) -> int:
    return int(domain.XMLDesc(flags).count("<memory model='dimm'"))


def test_starts_and_stops(daemon: tuple[Libvirtd, str], running: Any) -> None:
    libvirt, _ = daemon
    module = libvirt.module
    assert names(libvirt)[-1] == "cont"
    assert running.state()[0] == module.VIR_DOMAIN_RUNNING
    assert running.info()[1] == running.info()[2] == 64 << 10
    assert running.memoryStats()["rss"] > 0
    running.suspend()
    assert running.state()[0] == module.VIR_DOMAIN_PAUSED
    running.resume()
    running.reset(0)
    running.shutdown()
    assert running.state()[0] == module.VIR_DOMAIN_RUNNING
    running.destroy()
    assert running.state()[0] == module.VIR_DOMAIN_SHUTOFF


def test_dimms_live_stored_and_both(daemon: tuple[Libvirtd, str], running: Any) -> None:
    libvirt, _ = daemon
    libvirt.sent()
    running.attachDeviceFlags(DIMM.format(0), LIVE)
    assert names(libvirt) == ATTACH
    running.attachDeviceFlags(DIMM.format(1), CONFIG)
    assert libvirt.sent() == []
    running.attachDeviceFlags(DIMM.format(2), BOTH)
    assert names(libvirt) == ATTACH
    assert (dimms(running), dimms(running, 2)) == (2, 2)
    found = qmp(libvirt, running, '{"execute":"query-memory-devices"}')
    assert [each["data"]["slot"] for each in found] == [0, 2]
    assert "base='0x100000000'" in running.XMLDesc(0)
    running.detachDeviceFlags(DIMM.format(1), CONFIG)
    assert dimms(running, 2) == 1
    with pytest.raises(libvirt.module.libvirtError, match="slot '0'"):
        running.attachDeviceFlags(DIMM.format(0), LIVE)


def test_the_monitor_for_people_and_programs(daemon: tuple[Libvirtd, str], running: Any) -> None:
    libvirt, _ = daemon
    status = qmp(libvirt, running, '{"execute":"query-status"}')
    assert status["status"] == "running"
    assert "address-space: memory" in monitor_module().qemuMonitorCommand(running, "info mtree", 1)


def test_the_console_is_a_terminal(daemon: tuple[Libvirtd, str], running: Any) -> None:
    assert "<source path='/dev/pts/" in running.XMLDesc(0)
    with terminal(running) as fd:
        assert select.select([], [fd], [], WAIT_S)[1] == [fd]


def test_several_cpus(daemon: tuple[Libvirtd, str]) -> None:
    libvirt, emulator = daemon
    domain = libvirt.connection.createXML(
        document(emulator, "two", cpus=2).replace("cpus='0'", "cpus='0-1'"), 0
    )
    try:
        assert len(qmp(libvirt, domain, '{"execute":"query-cpus-fast"}')) == 2
    finally:
        domain.destroy()


def test_two_domains_at_a_time(daemon: tuple[Libvirtd, str], running: Any) -> None:
    """Each has its number, its memory and its end."""
    libvirt, emulator = daemon
    other = libvirt.connection.createXML(document(emulator, "other"), 0)
    try:
        listed = {each.name(): each.ID() for each in libvirt.connection.listAllDomains(1)}
        assert listed == {"ours": running.ID(), "other": other.ID()}
        assert libvirt.connection.lookupByID(other.ID()).UUIDString() == other.UUIDString()
        other.attachDeviceFlags(DIMM.format(1), LIVE)
        assert (dimms(running), dimms(other)) == (0, 1)
        assert (running.info()[1], other.info()[1]) == (64 << 10, 192 << 10)
        assert qmp(libvirt, running, '{"execute":"query-memory-devices"}') == []
        assert qmp(libvirt, other, '{"execute":"query-name"}') == {"name": "other"}
    finally:
        other.destroy()
    assert [each.name() for each in libvirt.connection.listAllDomains(1)] == ["ours"]
    assert running.state()[0] == libvirt.module.VIR_DOMAIN_RUNNING


def test_a_domain_without_acpi(daemon: tuple[Libvirtd, str]) -> None:
    """9.0 says it by an option, 12.9 by a property of a machine that is told to have it."""
    libvirt, emulator = daemon
    whole = document(emulator, "bare").replace("<features><acpi/></features>", "")
    domain = libvirt.connection.createXML(re.sub("<maxMemory.*</maxMemory>", "", whole), 0)
    try:
        asked = '{"execute":"qom-get","arguments":{"path":"/machine","property":"acpi"}}'
        assert qmp(libvirt, domain, asked) == "off"
    finally:
        domain.destroy()


@pytest.mark.parametrize("version", ["7.2", "10.0"])
def test_the_emulator_s_name_says_which_qemu_it_claims_to_be(
    daemon: tuple[Libvirtd, str], version: str
) -> None:
    libvirt, emulator = daemon
    named = Path(f"{emulator}-{version}")
    named.symlink_to(emulator)
    domain = libvirt.connection.createXML(document(str(named), "named"), 0)
    try:
        told = qmp(libvirt, domain, '{"execute":"query-version"}')["qemu"]
        assert f"{told['major']}.{told['minor']}" == version
    finally:
        domain.destroy()


def test_a_qemu_that_cannot_be_claimed_is_refused_in_words(daemon: tuple[Libvirtd, str]) -> None:
    libvirt, emulator = daemon
    named = Path(f"{emulator}-6.0")
    named.symlink_to(emulator)
    with pytest.raises(libvirt.module.libvirtError, match=r"-VERSION of 7\.2, 10\.0, 11\.1"):
        libvirt.connection.defineXML(document(str(named), "named"))


@pytest.fixture(params=DAEMONS)
def with_kvm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Libvirtd, str]]:
    if not has_kvm():
        pytest.skip("needs a host with a KVM that can be used")
    (tmp_path / "emulator").mkdir()
    (tmp_path / "daemon").mkdir()
    emulator = program(tmp_path / "emulator")
    with libvirtd(tmp_path / "daemon", emulator, root=request.param, kvm=True) as libvirt:
        yield libvirt, emulator


def test_where_the_host_has_kvm_a_probe_s_findings_are_kept(
    with_kvm: tuple[Libvirtd, str],
) -> None:
    """libvirt asks once, and not again for each definition."""
    libvirt, emulator = with_kvm
    for kind in ("qemu", "kvm"):
        libvirt.connection.getDomainCapabilities(emulator, "x86_64", "pc", kind, 0)
    libvirt.sent()
    domain = libvirt.connection.defineXML(document(emulator, "first"))
    libvirt.connection.defineXML(document(emulator, "second")).undefine()
    assert libvirt.sent() == []
    domain.undefine()


@pytest.mark.skipif(
    not os.environ.get("GUESTMAP_KVM"), reason="runs on this host's KVM where GUESTMAP_KVM asks"
)
def test_a_domain_on_kvm(with_kvm: tuple[Libvirtd, str], tmp_path: Path) -> None:
    """With a CPU that libvirt does not compare with the host's: 9.0's qemu64 has what few show."""
    libvirt, emulator = with_kvm
    told = document(emulator, "fast").replace("type='qemu'", "type='kvm'")
    told = told.replace("mode='custom'", "mode='custom' check='none'")
    domain = libvirt.connection.createXML(told, 0)
    assert qmp(libvirt, domain, '{"execute":"query-kvm"}') == {"enabled": True, "present": True}
    domain.attachDeviceFlags(DIMM.format(1), LIVE)
    domain.save(str(tmp_path / "saved"))
    libvirt.connection.restore(str(tmp_path / "saved"))
    domain = libvirt.connection.lookupByName("fast")
    assert qmp(libvirt, domain, '{"execute":"query-kvm"}')["enabled"]
    assert dimms(domain) == 1
    domain.destroy()


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ("<video><model type='vga'/></video><graphics type='vnc'/>", "vnc"),
        ("<video><model type='qxl'/></video>", "qxl"),
        ("<disk><source file='/dev/null'/><target dev='vda' bus='virtio'/></disk>", "virtio-blk"),
    ],
    ids=["screen", "adapter", "disk"],
)  # fmt: skip
def test_what_we_lack_is_refused_by_name(
    daemon: tuple[Libvirtd, str], devices: str, said: str
) -> None:
    libvirt, emulator = daemon
    with pytest.raises(libvirt.module.libvirtError, match=said):
        libvirt.connection.createXML(document(emulator, "lacking", devices=devices), 0)
    assert libvirt.connection.listAllDomains(1) == []


def test_what_a_running_domain_lacks_is_refused_by_name(
    daemon: tuple[Libvirtd, str], running: Any
) -> None:
    libvirt, _ = daemon
    with pytest.raises(libvirt.module.libvirtError, match="balloon"):
        running.setMemoryFlags(32 << 10, LIVE)


DISK = """<disk type='file' device='disk'><driver name='qemu' type='raw'/>
<source file='{}'/><target dev='hda' bus='ide'/></disk><video><model type='vga'/></video>"""


def test_a_domain_with_a_disk_boots_from_it_and_shows_its_screen(
    daemon: tuple[Libvirtd, str], tmp_path: Path
) -> None:
    libvirt, emulator = daemon
    path = tmp_path / "disk.img"
    path.write_bytes(disk("boot"))
    devices = DISK.format(path)
    domain = libvirt.connection.createXML(document(emulator, "disk", devices=devices), 0)
    try:
        until(lambda: b"hello" in path.read_bytes()[1024:1536])
        assert screen(libvirt, domain).size == (720, 400)
    finally:
        domain.destroy()


DRIVES = """<disk type='file' device='disk'><driver name='qemu' type='raw'/>
<source file='{0}/disk.img'/><target dev='hda' bus='ide'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
<source file='{0}/above.qcow2'/><target dev='hdb' bus='ide'/></disk>
<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>
<source file='{0}/disc.iso'/><target dev='hdc' bus='ide'/><readonly/></disk>
<disk type='file' device='cdrom'><target dev='hdd' bus='ide'/><readonly/></disk>"""


def test_what_is_told_of_disks_is_what_is_told_of_qemu_s(
    daemon: tuple[Libvirtd, str],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> None:
    """After a boot from the first; an image that stands on another and an empty drive beside it."""
    make_drives(tmp_path)
    libvirt, emulator = daemon
    ours = told_of_disks(libvirt, emulator, tmp_path)
    (tmp_path / "disk.img").write_bytes(disk("boot"))
    program, root = require_qemu(), request.node.callspec.params["daemon"]
    with libvirtd(tmp_path_factory.mktemp("theirs"), program, root=root) as other:
        assert ours == told_of_disks(other, program, tmp_path)


def make_drives(folder: Path) -> None:
    (folder / "disk.img").write_bytes(disk("boot"))
    (folder / "disc.iso").write_bytes(bytes(20 << 11))
    below = make_qcow2(folder / "below.qcow2", "3M")
    make_qcow2(folder / "above.qcow2", "", "-b", str(below), "-F", "qcow2")


def told_of_disks(libvirt: Libvirtd, emulator: str, folder: Path) -> dict[str, Any]:
    """Return what ``domblkinfo``, ``domblkstat`` and ``domstats --block`` say, but for times."""
    devices = DRIVES.format(folder)
    domain = libvirt.connection.createXML(document(emulator, "disks", devices=devices), 0)
    try:
        until(lambda: domain.blockStats("hda")[2])  # it writes one sector, and halts
        flags = libvirt.module.VIR_DOMAIN_STATS_BLOCK
        ((_, found),) = libvirt.connection.getAllDomainStats(flags, 0)
        for name in ("hda", "hdb", "hdc"):
            found[f"{name}.info"] = domain.blockInfo(name)
            found[f"{name}.stats"] = domain.blockStats(name)
            found |= {f"{name}.{key}": number
                      for key, number in domain.blockStatsFlags(name).items()}  # fmt: skip
        assert found["block.0.rd.times"] > 0
        assert domain.diskErrors() == {}
        return {name: value for name, value in found.items() if "times" not in name}
    finally:
        domain.destroy()


def test_a_guest_is_rebooted_and_shut_down(daemon: tuple[Libvirtd, str], tmp_path: Path) -> None:
    """It says one byte as it comes up, and switches itself off when its button is pressed."""
    libvirt, emulator = daemon
    path = tmp_path / "disk.img"
    path.write_bytes(disk("button"))
    devices = DISK.format(path)
    paused = libvirt.module.VIR_DOMAIN_START_PAUSED  # until somebody listens
    domain = libvirt.connection.createXML(document(emulator, "button", devices=devices), paused)
    with terminal(domain) as fd:
        domain.resume()
        assert said(fd, 1)
        libvirt.sent()
        domain.reboot(0)
        assert said(fd, 1), "it comes up again"
        asked = [each for each in names(libvirt) if each in {"system_reset", "cont", "quit"}]
        assert asked == ["system_reset", "cont"]
        assert domain.isActive()
        domain.reset(0)
        assert said(fd, 1)
        domain.shutdown()
        until(lambda: "button" not in [each.name() for each in libvirt.connection.listAllDomains()])


def test_a_domain_is_saved_and_goes_on(
    daemon: tuple[Libvirtd, str], running: Any, tmp_path: Path
) -> None:
    """To a file, and as ``managedsave``; with a DIMM that the definition does not have."""
    libvirt, _ = daemon
    module = libvirt.module
    running.attachDeviceFlags(DIMM.format(2), LIVE)
    before = qmp(libvirt, running, MAP)
    libvirt.sent()
    running.save(str(tmp_path / "saved"))
    assert running.state() == [module.VIR_DOMAIN_SHUTOFF, module.VIR_DOMAIN_SHUTOFF_SAVED]
    asked = names(libvirt)
    assert [each for each in asked if each in SAVING] == ["stop", "getfd", "migrate"]
    assert (tmp_path / "saved").read_bytes().count(b"guestmap machine") == 1
    libvirt.connection.restore(str(tmp_path / "saved"))
    assert running.state() == [module.VIR_DOMAIN_RUNNING, module.VIR_DOMAIN_RUNNING_RESTORED]
    assert [each for each in names(libvirt) if each in SAVING] == ["migrate-incoming"]
    assert dimms(running) == 1
    now = qmp(libvirt, running, MAP)
    assert now == before.replace("hotplugged: true", "hotplugged: false"), "there from the start"
    running.attachDeviceFlags(DIMM.format(3), LIVE)
    running.managedSave(0)
    assert (running.isActive(), running.hasManagedSaveImage(0)) == (0, 1)
    running.create()
    assert (running.isActive(), dimms(running)) == (1, 2)


MAP = '{"execute":"human-monitor-command","arguments":{"command-line":"info memory-devices"}}'
SAVING = {"stop", "getfd", "migrate", "migrate-incoming"}


@contextmanager
def terminal(domain: Any) -> Iterator[int]:
    path = domain.XMLDesc(0).split("<source path='")[1].split("'")[0]
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)


def said(fd: int, count: int) -> bool:
    """Wait until so many bytes have come; tell whether they have."""
    got, deadline = 0, time.monotonic() + WAIT_S
    while got < count and time.monotonic() < deadline:
        if select.select([fd], [], [], 0.2)[0]:
            got += len(os.read(fd, count - got))
    return got == count


def test_virt_install_imports_a_disk(
    daemon: tuple[Libvirtd, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    libvirt, emulator = daemon
    drivers = request.node.callspec.params["daemon"] / "usr/lib/x86_64-linux-gnu/libvirt"
    if not (drivers / "connection-driver/libvirt_driver_storage.so").is_file():
        pytest.skip("its root has no storage driver, which virt-install asks: unpack it anew")
    path = tmp_path / "disk.img"
    path.write_bytes(disk("button"))
    virt_install(
        libvirt, tmp_path, "--name", "installed", "--memory", "64", "--vcpus", "1", "--virt-type",
        "qemu", "--machine", "pc", "--osinfo", "generic", "--import", "--disk",
        f"path={path},bus=ide,format=raw", "--network", "none", "--video", "cirrus",
        "--controller", "usb,model=piix3-uhci", "--graphics", "none", "--noautoconsole",
        "--cpu", "qemu64,secure=off", "--boot", f"emulator={emulator}",
    )  # fmt: skip
    domain = libvirt.connection.lookupByName("installed")
    try:
        with terminal(domain) as fd:
            domain.reset(0)  # it may have come up, and said so, before anybody listened
            assert said(fd, 1)
            assert screen(libvirt, domain).size == (720, 400)
            libvirt.sent()
            domain.shutdown()
            until(lambda: not domain.isActive())
    finally:
        if domain.isActive():
            domain.destroy()
        domain.undefine()


def screen(libvirt: Libvirtd, domain: Any) -> Image.Image:
    """Return what ``virsh screenshot`` would write."""
    stream = libvirt.connection.newStream()
    assert domain.screenshot(stream, 0) == "image/png"
    picture = bytearray()
    stream.recvAll(lambda _stream, data, _opaque: picture.extend(data), None)
    stream.finish()
    image = Image.open(io.BytesIO(picture))
    assert image.getbbox() is not None, "something is not black"
    return image


def test_what_managers_ask_at_connect_time(daemon: tuple[Libvirtd, str], running: Any) -> None:
    libvirt, emulator = daemon
    told = libvirt.connection.getDomainCapabilities(emulator, "x86_64", "pc", "qemu", 0)
    assert "<value>qemu64</value>" in told or "qemu64" in told
    ((domain, stats),) = libvirt.connection.getAllDomainStats(0, 0)
    assert domain.name() == "ours"
    assert stats["state.state"] == libvirt.module.VIR_DOMAIN_RUNNING
    assert stats["balloon.current"] == 64 << 10


def test_a_new_daemon_finds_its_domain(daemon: tuple[Libvirtd, str], running: Any) -> None:
    libvirt, _ = daemon
    running.attachDeviceFlags(DIMM.format(2), LIVE)
    libvirt.restart()
    found = libvirt.connection.lookupByName("ours")
    until(lambda: found.state()[0] == libvirt.module.VIR_DOMAIN_RUNNING)
    assert dimms(found) == 1
    found.attachDeviceFlags(DIMM.format(3), LIVE)
    assert dimms(found) == 2


def test_the_story_of_a_dimm_is_qemu_s(
    daemon: tuple[Libvirtd, str],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> None:
    """The same calls send the same commands in the same order to a real QEMU."""
    root = request.node.callspec.params["daemon"]
    _, emulator = daemon
    with libvirtd(tmp_path_factory.mktemp("mine"), emulator, root=root) as libvirt:
        ours, complaints = story(libvirt, emulator), libvirt.errors()
    program = require_qemu()
    with libvirtd(tmp_path_factory.mktemp("theirs"), program, root=root) as other:
        theirs = story(other, program)
        assert complaints <= other.errors()
    for step, (mine, expected) in enumerate(zip(ours, theirs, strict=True)):
        assert shared(mine) == shared(expected), step
        if step:  # what QEMU alone is asked at the start has ids of its own
            assert distances(mine) == distances(expected), step


def distances(sent: list[dict[str, Any]]) -> list[int]:
    """Return by how much the ids of commands are above the first one's."""
    numbers = [int(each["id"].removeprefix("libvirt-")) for each in sent]
    return [number - numbers[0] for number in numbers]


def shared(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [each for each in sent if not is_only_qemu_s(each)]
    return [{name: each[name] for name in each if name != "id"} for each in kept]


def is_only_qemu_s(told: dict[str, Any]) -> bool:
    where = told.get("arguments", {}).get("path", "")
    return told["execute"] in ONLY_QEMU or f"{told['execute']} {where}" in ONLY_QEMU


def story(libvirt: Libvirtd, emulator: str) -> list[list[dict[str, Any]]]:
    """Return what each step of a domain's life sends."""
    domain = libvirt.connection.defineXML(document(emulator, "story"))
    libvirt.sent()
    steps: list[list[dict[str, Any]]] = []
    for step in (
        domain.create,
        lambda: domain.attachDeviceFlags(DIMM.format(0), BOTH),
        lambda: domain.attachDeviceFlags(DIMM.format(3), LIVE),
        lambda: domain.detachDeviceFlags(DIMM.format(0), CONFIG),
        domain.suspend,
        domain.resume,
        domain.destroy,
        domain.undefine,
    ):
        if domain.isActive():
            libvirt.connection.getAllDomainStats(0, 0)
            libvirt.sent()
        step()
        steps.append(libvirt.sent(with_ids=True))
    libvirt.connection.getDomainCapabilities(emulator, "x86_64", "pc", "qemu", 0)
    return steps


def test_who_answers_at_an_address_is_told_in_the_same_words(
    daemon: tuple[Libvirtd, str],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> None:
    """Before the firmware runs; it finds option ROMs in QEMU that are not here."""
    libvirt, emulator = daemon
    root = request.node.callspec.params["daemon"]
    monitor_module()
    ours = told(libvirt, emulator)
    program = require_qemu()
    with libvirtd(tmp_path_factory.mktemp("theirs"), program, root=root) as other:
        theirs = told(other, program)
    for address, sentences in ours.items():
        assert sentences == theirs[address], address
        assert len(sentences) > 1


def told(libvirt: Libvirtd, emulator: str) -> dict[str, list[str]]:
    """Return what is told of addresses; the places in QEMU's own book of RAM are left out."""
    domain = libvirt.connection.createXML(
        document(emulator, "asked"), libvirt.module.VIR_DOMAIN_START_PAUSED
    )
    try:
        domain.attachDeviceFlags(DIMM.format(1), LIVE)
        source = f"libvirt+{libvirt.uri}:asked"
        found = {}
        for address in ("0x1000", "0xa0000", "0xc9000", "0xf0000", "0xfffffff0", "0x100000000",
                        "0xfee00000", "0xfec00000", "0xe0000000"):  # fmt: skip
            done = run_program("explain", source, address)
            assert done.status == 0, done
            found[address] = re.sub(r"ram_addr \w+", "ram_addr", done.stdout).splitlines()
        return found
    finally:
        domain.destroy()
