"""Machines beside the PC, as QEMU has them: what a plan says is what QEMU does.

Each is skipped where its QEMU is not installed; ``GUESTMAP_QEMU_ROOT`` has them all.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import GIB, MIB
from guestmap.domain import (
    Applier,
    Outcome,
    Peer,
    PlugRequest,
    UnplugRequest,
    open_peer,
    plan_plug,
    plan_unplug,
    survey,
)
from guestmap.domain.plug_plan import Plan, plug_steps
from guestmap.domain.plugged import MemoryDevice
from guestmap.qmp.client import CommandError
from tests.domain.machines import BASE, FakeMachine, dimm, holding
from tests.support.processes import popen
from tests.support.program import run_program
from tests.support.qemu_program import find_qemu

ROOM = ["-m", "1G,slots=4,maxmem=8G"]
PORT = ["-device", "pcie-root-port,id=rp0"]
TAKING = {
    "pc": ("x86_64", ["-M", "pc", *ROOM], {"dimm", "virtio-mem"}),
    "q35": ("x86_64", ["-M", "q35", *ROOM, *PORT], {"dimm", "virtio-mem"}),
    "q35 without ACPI": ("x86_64", ["-M", "q35,acpi=off", *ROOM], set()),
    "microvm": ("x86_64", ["-M", "microvm", *ROOM], set()),
    "isapc": ("x86_64", ["-M", "isapc", "-m", "64M"], set()),
    "arm virt": ("aarch64", ["-M", "virt", "-cpu", "cortex-a57", *ROOM, *PORT], {"virtio-mem"}),
    "arm virt with firmware": (
        "aarch64", ["-M", "virt", "-cpu", "cortex-a57", "-bios", "FIRMWARE", *ROOM, *PORT],
        {"dimm", "virtio-mem"}),
    "arm virt without ACPI": (
        "aarch64", ["-M", "virt,acpi=off", "-cpu", "cortex-a57", "-bios", "FIRMWARE", *ROOM],
        set()),
    "32-bit arm virt": ("arm", ["-M", "virt", *ROOM], set()),
    "raspi3b": ("aarch64", ["-M", "raspi3b", "-m", "1G"], set()),
    "pseries": ("ppc64", ["-M", "pseries", *ROOM], {"dimm"}),
    "powernv": ("ppc64", ["-M", "powernv", *ROOM], set()),
    "loongarch virt": ("loongarch64", ["-M", "virt", *ROOM], {"dimm"}),
    "s390x": ("s390x", ["-M", "s390-ccw-virtio", "-m", "1G,maxmem=8G"], {"virtio-mem"}),
    "riscv virt": ("riscv64", ["-M", "virt", *ROOM], set()),
}  # fmt: skip
"""Architecture, command line, and what QEMU takes there."""


@contextmanager
def running(arch: str, words: list[str], folder: Path) -> Iterator[tuple[Any, str]]:
    """Run a stopped QEMU with a QMP socket of its own; its monitor is free for whoever comes."""
    program = find_qemu(arch)
    if program is None:
        pytest.skip(f"needs qemu-system-{arch}")
    firmware = folder / "firmware"
    firmware.write_bytes(bytes(1 << 20))  # no firmware at all: what counts is that there is a file
    path = folder / "qmp"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        command = [program.path, "-S", "-display", "none", "-nodefaults", "-accel", "tcg",
                   *(str(firmware) if word == "FIRMWARE" else word for word in words),
                   "-chardev", f"socket,id=qmp,fd={listener.fileno()},server=on,wait=off",
                   "-mon", "chardev=qmp,mode=control"]  # fmt: skip
        process = popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                        pass_fds=[listener.fileno()])  # fmt: skip
    try:
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(path))
            if not first.makefile("rb").readline():  # this version has no such machine
                pytest.skip(process.stderr.read().decode())
        yield process, str(path)
    finally:
        process.kill()
        process.communicate()


def attempt(peer: Peer, plan: Plan, request: PlugRequest) -> str:
    """Do it whatever the plan says; return QEMU's refusal, or ""."""
    device = plan.device or MemoryDevice("probe", request.kind, 0, request.size, backend="memprobe")
    steps = plan.steps or plug_steps(device, "memprobe", request)
    try:
        for step in steps:
            peer.change(step.command, step.arguments)
    except CommandError as error:
        return str(error)
    return ""


@pytest.mark.qemu
@pytest.mark.parametrize("kind", ["dimm", "virtio-mem"])
@pytest.mark.parametrize("name", TAKING)
def test_what_is_planned_is_what_qemu_takes(name: str, kind: str, tmp_path: Path) -> None:
    arch, words, takes = TAKING[name]
    with running(arch, words, tmp_path) as (process, path), open_peer(path) as peer:
        bus = "rp0" if kind == "virtio-mem" and PORT[1] in words else None
        request = PlugRequest(512 * MIB, kind=kind, bus=bus)
        plan = plan_plug(survey(peer), request)
        assert plan.is_blocked == (kind not in takes), plan.blockers
        assert len(plan.blockers) <= 1, plan.blockers
        if kind == "dimm" or not plan.is_blocked:
            assert bool(attempt(peer, plan, request)) == plan.is_blocked
        if plan.device is not None:
            assert survey(peer).situation.device(plan.device.name) is not None
            found = survey(peer).situation.devices[0]
            assert (found.addr, found.size) == (plan.device.addr, plan.device.size)
        assert process.poll() is None


@pytest.mark.qemu
def test_pseries_is_plugged_into_and_nothing_is_waited_for(tmp_path: Path) -> None:
    with running("ppc64", TAKING["pseries"][1], tmp_path) as (_, path), open_peer(path) as peer:
        plan = plan_plug(survey(peer), PlugRequest(512 * MIB))
        assert "no-acknowledgement" in {each.code for each in plan.cautions}
        result = Applier(peer, timeout_s=60).plug(plan)
        assert (result.outcome, result.wrong) == (Outcome.UNHEARD, ())
        assert result.waited_s == 0
        removal = plan_unplug(survey(peer), UnplugRequest("dimm0"))
        result = Applier(peer, timeout_s=60).unplug(removal)  # no guest has it yet
        assert (result.outcome, result.wrong) == (Outcome.REMOVED, ())


@pytest.mark.qemu
def test_a_dimm_without_an_id_is_found_by_its_path(tmp_path: Path) -> None:
    words = [*TAKING["pc"][1], "-object", "memory-backend-ram,id=m,size=512M",
             "-device", "virtio-balloon-pci", "-device", "pc-dimm,memdev=m"]  # fmt: skip
    with running("x86_64", words, tmp_path) as (_, path), open_peer(path) as peer:
        (device,) = survey(peer).situation.devices
        assert device.id is None
        assert device.name.startswith("/machine/peripheral-anon/device[")
        assert device.hotplugged is False
        plan = plan_unplug(survey(peer), UnplugRequest(device.name))
        result = Applier(peer, timeout_s=0).unplug(plan)
        assert (result.outcome, result.wrong) == (Outcome.SILENT, ())


@pytest.mark.qemu
def test_a_machine_that_is_killed_while_we_wait_ends_with_what_is_known(tmp_path: Path) -> None:
    with running("x86_64", TAKING["pc"][1], tmp_path) as (process, path):
        words = [sys.executable, "-m", "guestmap", "plug", path, "512M", "--timeout", "60",
                 "--json"]  # fmt: skip
        with popen(words, stdout=subprocess.PIPE, text=True) as plug:
            memory = Path(f"/proc/{process.pid}/maps")
            before = plugged_in(memory, 512 * MIB)
            deadline = time.monotonic() + 60
            while plugged_in(memory, 512 * MIB) == before and time.monotonic() < deadline:
                time.sleep(0.05)
            process.kill()
            out, _ = plug.communicate(timeout=60)
    form = json.loads(out)
    assert (plug.returncode, form["exit_status"]) == (9, 9)
    assert form["outcome"] == "machine-ended"
    assert form["plan"]["device"]["id"] == "dimm0"


def plugged_in(maps: Path, size: int) -> int:
    """Return how many mappings of at least so many bytes, and less than 1 GiB, a process has."""
    spans = (line.split(maxsplit=1)[0].split("-") for line in maps.read_text().splitlines())
    sizes = [int(end, 16) - int(start, 16) for start, end in spans]
    return sum(size <= each < GIB for each in sizes)


def test_the_human_monitor_is_not_asked_about_kinds_that_it_may_not_know() -> None:
    """It may end the machine: 'info numa' does on a QEMU whose monitor does not know the kind."""
    asked: list[str] = []

    class Notes(FakeMachine):
        def _human_monitor_command(self, command_line: str) -> str:
            asked.append(command_line)
            return super()._human_monitor_command(command_line)

        def _query_memory_devices(self) -> list[dict[str, Any]]:
            data = {"id": "s0", "addr": BASE + GIB, "size": GIB, "node": 0, "memdev": "/objects/s"}
            return [*super()._query_memory_devices(), {"type": "of-tomorrow", "data": data}]

    with Notes(situation=holding(dimm(0, BASE, GIB))).peer() as peer:
        situation = survey(peer).situation
    assert not [line for line in asked if "mtree" not in line]
    assert situation.nodes is None
    (_, device) = situation.devices
    assert (device.kind, device.plugged, device.slot) == ("of-tomorrow", 0, None)
    asked.clear()
    survey(Notes(situation=holding()).peer())
    assert len(asked) == len(set(asked))


@pytest.mark.qemu
def test_a_dimm_that_microvm_took_and_placed_nowhere_is_told(tmp_path: Path) -> None:
    backend = "memory-backend-ram,id=extra,size=128M"
    words = ["-M", "microvm", "-m", "128M,slots=2,maxmem=1G",
             "-object", backend, "-device", "pc-dimm,id=nowhere,memdev=extra"]  # fmt: skip
    with running("x86_64", words, tmp_path) as (_, path):
        done = run_program("dimms", f"unix:{path}")
    assert done.status == 0, done
    first, second = done.stdout.splitlines()
    assert "no room for memory devices" in first
    assert second.startswith("dimm nowhere (128 MiB): ")
    assert "no place in the map" in second
