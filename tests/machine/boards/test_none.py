"""The empty machine beside a real QEMU's ``-M none``: its map, its objects, what a monitor says."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guestmap.base import GuestmapError
from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import VirtualMachine, config_of, make_board
from guestmap.monitor import MonitorServer
from tests.machine.tree.test_composition_qemu import assert_same_objects
from tests.support.mtree_text import blocks
from tests.support.qemu import Qemu, require_qemu
from tests.support.qmp_socket import QmpSocket
from tests.support.qom import our_objects, qemus_objects

pytestmark = [pytest.mark.qemu_7_2("its empty machine"), pytest.mark.qemu]

CASES = {
    "nothing": [],
    "RAM": ["-m", "64M"],
    "a back-end": ["-m", "8M", "-object", "memory-backend-ram,id=m0,size=8M",
                   "-machine", "memory-backend=m0"],
}  # fmt: skip

Pair = tuple[VirtualMachine, QmpSocket, Qemu]


@pytest.fixture(scope="module", params=CASES)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    words = ["-M", "none", *CASES[request.param]]
    vm = VirtualMachine(config_of(words))
    with (
        tempfile.TemporaryDirectory() as folder,
        Qemu(*words, machine=False, vapic=True) as qemu,
        vm,
        MonitorServer(vm, [f"unix:{folder}/ours"]) as server,
        QmpSocket(server.addresses[0]) as ours,
    ):
        vm.start(paused=True)
        yield vm, ours, qemu


def test_the_map_is_qemus(pair: Pair) -> None:
    vm, _, qemu = pair
    snapshot = Snapshot.of(vm.board.system)
    assert blocks(write_mtree(snapshot)) == blocks(qemu.hmp("info mtree"))
    assert blocks(write_flat(snapshot)) == blocks(qemu.hmp("info mtree -f"))


def test_the_objects_are_qemus(pair: Pair) -> None:
    vm, _, qemu = pair
    assert_same_objects(our_objects(vm.board.tree), qemus_objects(qemu))


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("query-cpus-fast", {}), ("query-hotpluggable-cpus", {}), ("query-pci", {}),
        ("query-memory-size-summary", {}), ("query-memory-devices", {}), ("query-memdev", {}),
        ("query-acpi-ospm-status", {}), ("query-status", {}),
        ("memsave", {"val": 0, "size": 1, "filename": "/nowhere/else"}),
        ("device_add", {"driver": "pc-dimm", "memdev": "m0"}),
    ],
)  # fmt: skip
def test_answers_are_qemus(pair: Pair, command: str, arguments: dict[str, object]) -> None:
    _, ours, qemu = pair
    request = {"execute": command, "arguments": arguments}
    answer = ours.execute(command, arguments)
    expected = qemu.request(request)
    assert answer.get("return", answer.get("error")) == expected.get(
        "return", expected.get("error")
    )


@pytest.mark.parametrize(
    "line",
    ["info registers", "info cpus", "info qtree", "info pci", "info numa", "info memory-devices",
     "info ramblock", "x /1x 0", "xp /1x 0x100000000", "i /b 0x80"],
)  # fmt: skip
def test_the_human_monitor_says_what_qemus_does(pair: Pair, line: str) -> None:
    _, ours, qemu = pair
    answer = ours.execute("human-monitor-command", {"command-line": line})
    assert answer["return"].replace("\r\n", "\n") == qemu.hmp(line)


@pytest.mark.parametrize(
    "words",
    [("-device", "pci-testdev"), ("-kernel", "/nowhere"), ("-smp", "4")],
)
def test_what_cannot_be_is_refused_as_by_qemu(words: tuple[str, ...]) -> None:
    assert says("none", words) == qemu_says("none", words)


def test_a_dimm_has_no_place() -> None:
    """QEMU takes it, and puts it nowhere."""
    memory = ("-m", "64M,slots=2,maxmem=1G", "-object", "memory-backend-ram,id=m0,size=128M")
    for machine in ("none", "microvm"):
        told = says(machine, (*memory, "-device", "pc-dimm,memdev=m0"))
        assert f"machine type {machine} has no place for pc-dimm" in told


def says(machine: str, words: tuple[str, ...]) -> str:
    """Return why we make no such machine."""
    options = dict(zip(words[::2], words[1::2], strict=True))
    kernel = options.pop("-kernel", None)
    line = [word for pair in options.items() for word in pair]
    try:
        config = config_of(["-M", machine, "-nodefaults", *line])
        make_board(replace(config, kernel=None if kernel is None else Path(kernel)))
    except GuestmapError as error:
        return str(error)
    return ""


def qemu_says(machine: str, words: tuple[str, ...]) -> str:
    """Return why QEMU makes none."""
    command = [require_qemu(), "-M", machine, "-nodefaults", "-display", "none", "-S", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stderr.strip().partition(": ")[2]
