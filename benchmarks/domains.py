"""The domain manager beside libvirt 9.0, both on the same QEMU, with the same outcome, in one run.

Most of an attach is waiting for QEMU, of a detach for the guest as well, for both; so each is
measured whole, and less that wait, which is timed at a socket of its own with the same commands.
The guest is one that lets go at once. What does not depend on who else uses the host is the
processor time: our own, beside that of the daemon and its client.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support.libvirtd import Libvirtd, libvirtd

from benchmarks import spent
from benchmarks.hotplug import Client
from benchmarks.qemu import PROGRAM
from benchmarks.table import Row
from guestmap.domain.change.targets import Targets
from guestmap.domain.manager import Manager
from guestmap.domain.store.store import Store
from guestmap.testing.guests import hotplug_guest

_ROUNDS = 12
_MANY = 50
_CLIENTS = 8
_TURNS = 3
_BOTH = 3
_READY_S = 60.0
_DOMAIN = """\
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
_DIMM = "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>"


def rows() -> list[Row]:
    """Return our times beside libvirt's; none where libvirt cannot be had."""
    with ExitStack() as stack:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where theirs are, too
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        (folder / "libvirt").mkdir()
        emulator = str(PROGRAM)
        try:
            theirs = stack.enter_context(libvirtd(folder / "libvirt", emulator, watched=False))
        except pytest.skip.Exception:
            return []
        ours = Manager(Store(folder / "config", folder / "run"))
        return [
            *_starts(ours, theirs, emulator),
            *_changes(ours, theirs, emulator, folder),
            *_in_parallel(ours, theirs, emulator),
        ]


class _Pair(NamedTuple):
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
def _domain(
    ours: Manager, theirs: Libvirtd, emulator: str, name: str = "vm", guest: Path | None = None
) -> Iterator[_Pair]:
    """Define a domain with both, and have it away in the end; give both.

    Args:
        ours: our manager.
        theirs: libvirt.
        emulator: the QEMU of both.
        name: the domain's.
        guest: a folder with ``guest.rom``; its words go to files there.
    """
    documents = [
        _DOMAIN.format(name=name, emulator=emulator, words=_guest(guest, who))
        for who in ("ours", "theirs")
    ]
    domain = theirs.connection.defineXML(documents[1])
    ours.define(documents[0].encode())
    try:
        yield _Pair(name, ours, domain, theirs.module.VIR_DOMAIN_START_PAUSED)
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


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _starts(ours: Manager, theirs: Libvirtd, emulator: str) -> list[Row]:
    times: list[tuple[float, float]] = []
    with _domain(ours, theirs, emulator) as pair:
        pair.start_theirs()  # the emulator is probed once
        pair.theirs.destroy()
        for _ in range(_ROUNDS // 2):
            mine = _timed(pair.start)
            ours.changes.destroy("vm")
            times.append((mine, _timed(pair.start_theirs)))
            pair.theirs.destroy()
    mine, its = (statistics.median(each) for each in zip(*times, strict=True))
    return [Row("start of a domain", mine, its)]


class _Clock(NamedTuple):
    """Times of one thing in seconds: on the wall, and of the processors."""

    wall: float
    processor: float


class _Times:
    """What one change took, ours and theirs, and the wait that is in both."""

    def __init__(self, daemon: int) -> None:
        self._daemon = daemon
        self._ours: list[_Clock] = []
        self._theirs: list[_Clock] = []
        self._waits: list[float] = []

    def take(
        self,
        mine: Callable[[], object],
        its: Callable[[], object],
        wait: Callable[[], object] | None = None,
    ) -> None:
        """Time each once."""
        self._ours.append(self._clocked(mine))
        self._theirs.append(self._clocked(its))
        if wait is not None:
            self._waits.append(_timed(wait))

    def _clocked(self, action: Callable[[], object]) -> _Clock:
        before = time.process_time() + spent.of_process(self._daemon)
        wall = _timed(action)
        return _Clock(wall, time.process_time() + spent.of_process(self._daemon) - before)

    def rows(self, what: str, waited_for: str = "") -> Iterator[Row]:
        """Give the medians."""
        mine, its = (
            _Clock(*(statistics.median(each) for each in zip(*clocks, strict=True)))
            for clocks in (self._ours, self._theirs)
        )
        yield Row(what, mine.wall, its.wall)
        if self._waits:
            wait = statistics.median(self._waits)
            yield Row(
                f"the same, less the wait for {waited_for}",
                max(mine.wall - wait, 0.0), max(its.wall - wait, 0.0), f"{wait * 1e3:.1f} ms",
            )  # fmt: skip
        yield Row("the same, processor time", mine.processor, its.processor)


def _changes(ours: Manager, theirs: Libvirtd, emulator: str, folder: Path) -> list[Row]:
    """Attach to both definitions, one DIMM after the other, and detach them again."""
    (folder / "guest.rom").write_bytes(hotplug_guest())
    both = Targets(live=True, config=True)
    attaches, detaches = _Times(theirs.process), _Times(theirs.process)
    with _domain(ours, theirs, emulator, guest=folder) as pair:
        pair.start(paused=False)
        pair.start_theirs(paused=False)
        for each in ("ours", "theirs"):
            _ready(folder / each)
        found = ours.store.running("vm")
        assert found is not None
        client = Client(found.look)
        for turn in range(_ROUNDS):
            attaches.take(
                lambda: ours.changes.attach("vm", _DIMM.encode(), both),
                lambda: pair.theirs.attachDeviceFlags(_DIMM, _BOTH),
                lambda turn=turn: _bare(client, turn),
            )
        for turn in range(_ROUNDS):
            detaches.take(
                lambda: ours.changes.detach("vm", _DIMM.encode(), both),
                lambda: pair.theirs.detachDeviceFlags(_DIMM, _BOTH),
                lambda turn=turn: _bare_detach(client, turn),
            )
        assert ours.info("vm").memory_devices == 0
        assert "<memory model" not in pair.theirs.XMLDesc()
        client.close()
    return [
        *attaches.rows("attach a DIMM, live and stored", "QEMU"),
        *detaches.rows("detach it, live and stored", "QEMU and the guest"),
    ]


def _ready(told: Path) -> None:
    """Wait for a guest that takes part."""
    deadline = time.monotonic() + _READY_S
    while not (told.exists() and b"ready" in told.read_bytes()):
        assert time.monotonic() < deadline, "the guest does not come up"
        time.sleep(0.05)


def _bare(client: Client, turn: int) -> None:
    """Send the same four commands with nothing around them, of a device of their own."""
    backend = {"qom-type": "memory-backend-ram", "id": f"bare{turn}", "size": 128 << 20}
    client.ask("object-add", **backend)
    client.ask(
        "device_add", driver="pc-dimm", id=f"b{turn}", memdev=f"bare{turn}", node=0, slot=100 + turn
    )
    client.ask("query-memory-devices")
    client.ask("qom-list", path="/machine/peripheral")


def _bare_detach(client: Client, turn: int) -> None:
    """Ask for that device with nothing around it, as they do."""
    client.ask("device_del", id=f"b{turn}")
    client.hear("DEVICE_DELETED", device=f"b{turn}")
    client.ask("object-del", id=f"bare{turn}")
    client.ask("qom-list", path="/machine/peripheral")


def _in_parallel(ours: Manager, theirs: Libvirtd, emulator: str) -> list[Row]:
    """Attach to 50 domains, eight clients at a time."""
    with ExitStack() as stack:
        names = [f"vm{number}" for number in range(_MANY)]
        domains = {}
        for name in names:
            pair = stack.enter_context(_domain(ours, theirs, emulator, name))
            pair.start()
            pair.start_theirs()
            domains[name] = pair.theirs
        both = Targets(live=True, config=True)

        def all_of(action: Callable[[str], object]) -> None:
            with ThreadPoolExecutor(_CLIENTS) as pool:
                for done in [pool.submit(action, name) for name in names]:
                    done.result()

        times = _Times(theirs.process)
        machines = [found.process.number for n in names if (found := ours.store.running(n))]
        before = sum(map(spent.of_process, machines))
        for _ in range(_TURNS):
            times.take(
                lambda: all_of(lambda n: ours.changes.attach(n, _DIMM.encode(), both)),
                lambda: all_of(lambda n: domains[n].attachDeviceFlags(_DIMM, _BOTH)),
            )
        machines_own = (sum(map(spent.of_process, machines)) - before) / _TURNS
    whole, processor = times.rows(f"attach to {_MANY} domains, {_CLIENTS} at a time")
    note = f"{machines_own * 1e3:.0f} ms of the processors are QEMU's, of ours"
    return [whole._replace(note=note), processor]
