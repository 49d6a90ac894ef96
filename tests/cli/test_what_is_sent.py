"""Whatever looks at a machine, or plugs memory into it, sends what is on the list only."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import GIB
from guestmap.cli import main
from guestmap.cli.app import COMMANDS as SUB_COMMANDS
from guestmap.qmp.client import Channel
from guestmap.qmp.client.allowed import COMMANDS, check
from tests.domain.machines import BASE, FakeMachine, dimm, holding, virtio_mem
from tests.inspect.ask.pci.machine import PciMachine
from tests.support.qemu import Qemu
from tests.support.qmp_serving import serving

READING: dict[str, list[str]] = {
    "explain": ["0x1000"],
    "why-not": ["pc.ram"],
    "diff": ["SOURCE"],
    "lint": [],
    "kvm": [],
    "ram": [],
    "roms": [],
    "dma": ["memory"],
    "read": ["0x1000", "0x1100"],
    "pci": [],
    "tree": [],
    "flat": ["-d", "--qemu"],
    "watch": ["--interval", "60"],
    "snapshot": [],
    "draw": ["-o", "map.svg"],
    "dimms": [],
}
"""Commands that read a running machine, with what makes each of them end."""
CHANGING: dict[str, list[str]] = {
    "plug": ["128M", "--timeout", "0"],
    "unplug": ["dimm0", "--timeout", "0"],
    "resize": ["vm0", "128M", "--timeout", "0"],
}
ELSEWHERE = {"boot", "completion", "conform", "doctor", "domain", "fleet", "serve"}
"""Commands that run machines of their own, and attach to none."""


def _with_a_function() -> Channel:
    machine = PciMachine()
    machine.buses[0]["devices"] = [machine.function("/machine/nic", "e1000", "00:03.0")]
    machine.region("/machine/nic", "e1000-mmio", 0x2_0000)
    return machine


def run(name: str, words: list[str], source: str, monkeypatch: pytest.MonkeyPatch) -> int:
    words = [source if word == "SOURCE" else word for word in words]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["guestmap", name, source, *words])
        if name == "watch":
            patch.setattr("time.sleep", _break_off)
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def _break_off(_seconds: float) -> None:
    raise KeyboardInterrupt


def test_no_command_is_forgotten_here():
    assert set(SUB_COMMANDS) == READING.keys() | CHANGING.keys() | ELSEWHERE


@pytest.mark.parametrize("name", [*READING, *CHANGING])
def test_what_is_sent_is_on_the_list(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    grown = virtio_mem("vm0", BASE + GIB, GIB, 0, 0)
    machine: Channel = FakeMachine(situation=holding(dimm(0, BASE, GIB), grown))
    if name == "pci":
        machine = _with_a_function()
    with serving(machine, tmp_path / "qmp") as served:
        status = run(name, (READING | CHANGING)[name], served.path, monkeypatch)
    # That machine has no bus master: 'dma' asks for the map, and says so.
    assert status in ({2} if name == "dma" else {0, 1, 4}), capsys.readouterr()
    assert served.asked
    for command, arguments in served.asked:
        assert not command.startswith("x-")
        check(command, arguments, may_change=name in CHANGING)
    changes = [command for command, _ in served.asked if COMMANDS[command].changes]
    assert bool(changes) == (name in CHANGING)


UNSTEADY = {"rtc-time", "date", "query-events", "query-cpus-fast", "query-chardev"}
"""What moves by itself on a stopped machine, or tells who is connected."""


def state(qemu: Qemu) -> dict[str, Any]:
    """Return what every stable question and every readable property is answered with."""
    found: dict[str, Any] = {}
    for command in qemu.qmp("query-commands"):
        name = command["name"]
        if name.startswith("query-") and name not in UNSTEADY | {"query-qmp-schema"}:
            answer = qemu.request({"execute": name})
            found[name] = answer.get("return")
    paths = ["/machine", "/objects"]
    while paths:
        path = paths.pop()
        for each in qemu.qmp("qom-list", path=path):
            name, kind = each["name"], each["type"]
            if kind.startswith("child<"):
                paths.append(f"{path}/{name}")
            elif name not in UNSTEADY:
                arguments = {"path": path, "property": name}
                answer = qemu.request({"execute": "qom-get", "arguments": arguments})
                found[f"{path}.{name}"] = answer.get("return")
    return {name: _unordered(value) for name, value in found.items()}


def _unordered(value: Any) -> Any:
    """Return a list by content: QEMU's order of some is that of pointers."""
    return sorted(value, key=repr) if isinstance(value, list) else value


@pytest.mark.qemu
def test_reading_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    memory = ["-m", "128M,slots=2,maxmem=1G", "-object", "memory-backend-ram,id=m,size=128M"]
    with Qemu(
        *memory, "-device", "pc-dimm,memdev=m,id=d", "-qmp", "unix:qmp,server=on,wait=off"
    ) as qemu:
        before = state(qemu)
        assert len(before) > 1000
        for name, words in READING.items():
            run(name, words, "unix:qmp", monkeypatch)
        assert state(qemu) == before
