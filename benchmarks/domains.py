"""The domain manager beside libvirt 9.0, both on the same QEMU, with the same outcome, in one run.

Most of an attach is waiting for QEMU, for both; so it is measured whole, and less that wait, which
is timed at a socket of its own with the same commands.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.libvirtd import Libvirtd, libvirtd

from benchmarks.hotplug import Client
from benchmarks.qemu import PROGRAM
from benchmarks.table import Row
from guestmap.domain.change.targets import Targets
from guestmap.domain.manager import Manager
from guestmap.domain.store.store import Store

_ROUNDS = 12
_MANY = 50
_CLIENTS = 8
_BOTH = 3
_DOMAIN = """\
<domain type='qemu'>
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
            theirs = stack.enter_context(libvirtd(folder / "libvirt", emulator))
        except pytest.skip.Exception:
            return []
        ours = Manager(Store(folder / "config", folder / "run"))
        return [
            *_starts(ours, theirs, emulator),
            *_attaches(ours, theirs, emulator),
            _in_parallel(ours, theirs, emulator),
        ]


@contextmanager
def _domain(
    ours: Manager, theirs: Libvirtd, emulator: str, name: str = "vm"
) -> Iterator[tuple[Callable[[], object], Callable[[], object], Any]]:
    """Define a domain with both; give what starts it with each, and libvirt's."""
    document = _DOMAIN.format(name=name, emulator=emulator)
    domain = theirs.connection.defineXML(document)
    ours.define(document.encode())
    paused = theirs.module.VIR_DOMAIN_START_PAUSED
    try:
        yield (
            lambda: ours.changes.start(name, paused=True),
            lambda: domain.createWithFlags(paused),
            domain,
        )
    finally:
        if domain.isActive():
            domain.destroy()
        domain.undefine()
        if ours.store.running(name) is not None:
            ours.changes.destroy(name)
        ours.undefine(name)


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _starts(ours: Manager, theirs: Libvirtd, emulator: str) -> list[Row]:
    times: list[tuple[float, float]] = []
    with _domain(ours, theirs, emulator) as (start, their_start, domain):
        their_start()  # the emulator is probed once
        domain.destroy()
        for _ in range(_ROUNDS // 2):
            mine = _timed(start)
            ours.changes.destroy("vm")
            times.append((mine, _timed(their_start)))
            domain.destroy()
    mine, its = (statistics.median(each) for each in zip(*times, strict=True))
    return [Row("start of a domain", mine, its)]


def _attaches(ours: Manager, theirs: Libvirtd, emulator: str) -> list[Row]:
    """Attach to both definitions, one DIMM after the other."""
    whole: list[tuple[float, float, float]] = []
    with _domain(ours, theirs, emulator) as (start, their_start, domain):
        start()
        their_start()
        found = ours.store.running("vm")
        assert found is not None
        client = Client(found.look)
        both = Targets(live=True, config=True)
        for turn in range(_ROUNDS):
            mine = _timed(lambda: ours.changes.attach("vm", _DIMM.encode(), both))
            its = _timed(lambda: domain.attachDeviceFlags(_DIMM, _BOTH))
            wait = _timed(lambda turn=turn: _bare(client, turn))
            whole.append((mine, its, wait))
        client.close()
    mine, its, wait = (statistics.median(each) for each in zip(*whole, strict=True))
    return [
        Row("attach a DIMM, live and stored", mine, its),
        Row("the same, less QEMU's own time", max(mine - wait, 0.0), max(its - wait, 0.0),
            f"QEMU: {wait * 1e3:.1f} ms"),
    ]  # fmt: skip


def _bare(client: Client, turn: int) -> None:
    """Send the same four commands with nothing around them, of a device of their own."""
    backend = {"qom-type": "memory-backend-ram", "id": f"bare{turn}", "size": 128 << 20}
    client.ask("object-add", **backend)
    client.ask(
        "device_add", driver="pc-dimm", id=f"b{turn}", memdev=f"bare{turn}", node=0, slot=100 + turn
    )
    client.ask("query-memory-devices")
    client.ask("qom-list", path="/machine/peripheral")


def _in_parallel(ours: Manager, theirs: Libvirtd, emulator: str) -> Row:
    """Attach to 50 domains, eight clients at a time."""
    with ExitStack() as stack:
        names = [f"vm{number}" for number in range(_MANY)]
        domains = {}
        for name in names:
            start, their_start, domain = stack.enter_context(_domain(ours, theirs, emulator, name))
            start()
            their_start()
            domains[name] = domain
        both = Targets(live=True, config=True)

        def all_of(action: Callable[[str], object]) -> None:
            with ThreadPoolExecutor(_CLIENTS) as pool:
                for done in [pool.submit(action, name) for name in names]:
                    done.result()

        mine = _timed(lambda: all_of(lambda n: ours.changes.attach(n, _DIMM.encode(), both)))
        its = _timed(lambda: all_of(lambda n: domains[n].attachDeviceFlags(_DIMM, _BOTH)))
    return Row(f"attach to {_MANY} domains, {_CLIENTS} at a time", mine, its)
