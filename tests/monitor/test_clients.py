"""Other people's programs at our monitor: QEMU's client library and shell, libvirt's bytes."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from guestmap.inspect import Snapshot, ViewInfo
from guestmap.inspect.sources.live import attach
from guestmap.machine import VirtualMachine, config_of
from guestmap.monitor import MonitorServer, UnixAddress
from tests.support.qemu import MACHINE
from tests.support.qmp_socket import QmpSocket

pytestmark = pytest.mark.seabios

_SIZE = 128 << 20


@pytest.fixture
def vm() -> Iterator[VirtualMachine]:
    config = config_of([*MACHINE, "-m", "128M,slots=2,maxmem=1G"])
    with VirtualMachine(config, engine="none") as vm:
        yield vm


@pytest.fixture
def path(vm: VirtualMachine, tmp_path: Path) -> Iterator[str]:
    with MonitorServer(vm, [f"unix:{tmp_path / 'qmp'}"]):
        vm.start(paused=True)
        yield str(tmp_path / "qmp")


def test_qemu_s_client_plugs_a_dimm_in_and_hears_of_its_end(path: str) -> None:
    from qemu.qmp import QMPClient

    async def session() -> Any:
        client = QMPClient("test")
        await client.connect(path)
        await client.execute(
            "object-add", {"qom-type": "memory-backend-ram", "id": "m0", "size": _SIZE}
        )
        await client.execute("device_add", {"driver": "pc-dimm", "id": "d0", "memdev": "m0"})
        found = await client.execute("query-memory-devices")
        with client.listener("STOP") as events:
            await client.execute("cont")
            await client.execute("stop")
            stopped = await asyncio.wait_for(events.get(), 30)
        await client.disconnect()
        return found, stopped

    found, stopped = asyncio.run(session())
    assert found == [
        {
            "type": "dimm",
            "data": {
                "id": "d0", "addr": 1 << 32, "slot": 0, "node": 0, "size": _SIZE,
                "memdev": "/objects/m0", "hotplugged": True, "hotpluggable": True,
            },
        }
    ]  # fmt: skip
    assert stopped["event"] == "STOP"


@pytest.mark.parametrize(
    ("options", "lines", "answers"),
    [
        (
            [],
            ["object-add qom-type=memory-backend-ram id=m0 size=134217728",
             "device_add driver=pc-dimm id=d0 memdev=m0",
             "query-memory-size-summary"],
            ['{"return": {}}', '"plugged-memory": 134217728'],
        ),
        (["-H"], ["info status"], ["VM status: paused (prelaunch)"]),
    ],
)  # fmt: skip
def test_qemu_s_shell(path: str, options: list[str], lines: list[str], answers: list[str]) -> None:
    shell = Path(sys.executable).with_name("qmp-shell")
    run = subprocess.run(
        [shell, *options, path],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Connected to QEMU 7.2.0" in run.stdout
    for answer in answers:
        assert answer in run.stdout


def test_libvirt_s_bytes_get_qemu_s(path: str) -> None:
    """Requests as libvirt 9.0 writes them; replies as QEMU 7.2 does, but for the order of keys."""
    requests = [
        b'{"execute":"qmp_capabilities","id":"libvirt-1"}\r\n',
        (
            b'{"execute":"object-add","arguments":{"qom-type":"memory-backend-ram",'
            b'"id":"memdimm0","size":134217728},"id":"libvirt-2"}\r\n'
        ),
        (
            b'{"execute":"device_add","arguments":{"driver":"pc-dimm","node":0,'
            b'"memdev":"memdimm0","id":"dimm0","slot":0},"id":"libvirt-3"}\r\n'
        ),
        b'{"execute":"query-memory-devices","id":"libvirt-4"}\r\n',
        b'{"execute":"qom-list","arguments":{"path":"/machine/peripheral"},"id":"libvirt-5"}\r\n',
        b'{"execute":"device_del","arguments":{"id":"nonesuch"},"id":"libvirt-6"}\r\n',
    ]
    with QmpSocket(UnixAddress(path), negotiate=False) as client:
        lines = []
        for request in requests:
            client.send(request)
            lines.append(client.line())
    assert lines[:3] == [b'{"return": {}, "id": "libvirt-%d"}\r\n' % n for n in (1, 2, 3)]
    dimm = json.loads(lines[3])
    assert lines[3] == json.dumps(dimm).encode() + b"\r\n"
    assert dimm["return"][0]["data"]["memdev"] == "/objects/memdimm0"
    assert lines[4] == (
        b'{"return": [{"name": "type", "type": "string"},'
        b' {"name": "dimm0", "type": "child<pc-dimm>"}], "id": "libvirt-5"}\r\n'
    )
    assert lines[5] == (
        b'{"id": "libvirt-6", "error": {"class": "DeviceNotFound",'
        b' "desc": "Device \'nonesuch\' not found"}}\r\n'
    )


def ranges(view: ViewInfo) -> list[tuple[int, int, str]]:
    return [(each.start, each.size, each.name) for each in view.ranges]


def test_our_own_tools_attach_as_to_qemu(vm: VirtualMachine, path: str) -> None:
    with attach(f"unix:{path}") as machine:
        seen = machine.snapshot()
        assert machine.monitor.status() == "prelaunch"
    own = Snapshot.of(vm.board.system)
    assert sorted(map(ranges, seen.views)) == sorted(map(ranges, own.views))
    assert {(r.name, r.addr, r.size, r.priority) for r in seen.regions if r.name != "(none)"} == {
        (r.name, r.addr, r.size, r.priority) for r in own.regions if r.name != "(none)"
    }
    assert {block.name for block in seen.ram_blocks} == {b.name for b in own.ram_blocks}


def test_the_map_is_the_map(vm: VirtualMachine, path: str) -> None:
    with QmpSocket(UnixAddress(path)) as client:
        before = client.ask("x-guestmap-map")
        assert Snapshot.from_json(before) == Snapshot.of(vm.board.system)
        last = client.ask("x-guestmap-history")["generation"]
        client.ask("object-add", qom_type="memory-backend-ram", id="m0", size=_SIZE)
        client.ask("device_add", driver="pc-dimm", id="d0", memdev="m0")
        news = client.ask("x-guestmap-history", since=last)
        assert news["generation"] == last + 1
        (commit,) = news["commits"]
        added = [each for change in commit["changes"] for each in change["added"]]
        assert (added[0]["name"], added[0]["start"], added[0]["size"]) == ("m0", 1 << 32, _SIZE)
        told = client.ask("x-guestmap-explain", address=1 << 32)
        assert told["winner"]["name"] == "m0"
        assert (
            client.ask("x-guestmap-explain", address=0x20, address_space="I/O")["winner"]["name"]
            == "pic"
        )
        assert client.error("x-guestmap-explain", address=0, address_space="x")[0] == "GenericError"


def test_a_trace_over_qmp(tmp_path: Path) -> None:
    image = bytearray(0x10000)
    # mov ax, 0c000h; mov ds, ax; mov word [9], 5678h; hlt
    image[0xFFF0:0xFFFD] = bytes.fromhex("b800c0 8ed8 c70609007856 f4 90")
    (tmp_path / "bios").write_bytes(image)
    with (
        VirtualMachine(config_of([*MACHINE, "-bios", str(tmp_path / "bios")])) as vm,
        MonitorServer(vm, [f"unix:{tmp_path / 'qmp'}"]),
    ):
        vm.start(paused=True)
        with closing(QmpSocket(UnixAddress(str(tmp_path / "qmp")))) as client:
            client.ask("x-guestmap-trace", range="c0000-c0fff,w", stop=True)
            client.ask("cont")
            told = client.event("X_GUESTMAP_TRACE_STOPPED")["data"]
            assert (told["kind"], told["address"], told["value"]) == ("write", 0xC0009, 0x5678)
            assert (told["region"], told["cs"], told["ip"]) == ("pc.rom", 0xF000, 0xFFF5)
            client.event("STOP")
            assert client.ask("query-status")["status"] == "paused"
            kept = client.ask("x-guestmap-query-trace")
            assert (kept["total"], kept["forgotten"]) == (1, 0)
            assert kept["accesses"] == [{k: v for k, v in told.items() if k != "total"}]
            assert client.ask("x-guestmap-query-trace", since=1)["accesses"] == []
            client.ask("x-guestmap-trace-end")
