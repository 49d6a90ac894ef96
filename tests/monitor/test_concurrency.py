"""Many clients at a machine that runs: each sees whole states, and nothing is left in the end."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from guestmap.inspect import Snapshot
from guestmap.machine import VirtualMachine, config_of
from guestmap.monitor import MonitorServer
from tests.support.qemu import MACHINE
from tests.support.qmp_socket import QmpSocket

pytestmark = [pytest.mark.seabios, pytest.mark.unicorn]

_ROUNDS, _WRITERS, _READERS = 12, 4, 3
_SIZE = 128 << 20


def test_clients_do_not_disturb_one_another(tmp_path: Path) -> None:
    config = config_of([*MACHINE, "-m", "128M,slots=16,maxmem=16G"])
    done = threading.Event()

    def write(server: MonitorServer, number: int) -> None:
        name = f"m{number}"
        with QmpSocket(server.addresses[0]) as client:
            for _ in range(_ROUNDS):
                client.ask("object-add", qom_type="memory-backend-ram", id=name, size=_SIZE)
                refused = client.execute(
                    "device_add", {"driver": "pc-dimm", "id": name, "memdev": "nope"}
                )
                assert refused["error"]["class"] == "DeviceNotFound"
                assert client.ask("qom-get", path=f"/objects/{name}", property="size") == _SIZE
                client.ask("object-del", id=name)

    def read(server: MonitorServer) -> int:
        looks = 0
        with QmpSocket(server.addresses[0]) as client:
            while not done.is_set():
                Snapshot.from_json(client.ask("x-guestmap-map"))
                for each in client.ask("query-memdev"):
                    assert each["size"] == _SIZE
                assert client.ask("qom-list", path="/machine/peripheral")[0]["name"] == "type"
                assert client.ask("query-pci")[0]["bus"] == 0
                looks += 1
        return looks

    with (
        VirtualMachine(config) as vm,
        MonitorServer(vm, [f"unix:{tmp_path / 'q'}"]) as server,
        ThreadPoolExecutor(_WRITERS + _READERS) as pool,
    ):
        before = objects(vm)
        vm.start()
        readers = [pool.submit(read, server) for _ in range(_READERS)]
        writers = [pool.submit(write, server, number) for number in range(_WRITERS)]
        try:
            for writer in writers:
                writer.result(60)
        finally:
            done.set()
        assert all(reader.result(60) > 0 for reader in readers)
        with QmpSocket(server.addresses[0]) as client:
            client.ask("stop")
            assert client.ask("query-memory-devices") == []
            assert client.ask("query-status")["status"] == "paused"
        assert objects(vm) == before


def objects(vm: VirtualMachine) -> Any:
    tree = vm.board.tree
    return [
        each.path
        for top in ("/objects", "/machine/peripheral")
        for each in tree.resolve(top).walk()
    ]
