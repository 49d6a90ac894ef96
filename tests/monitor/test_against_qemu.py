"""The same requests to our monitor and to a real QEMU's: the same answers, values and texts."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guestmap.machine import VirtualMachine, config_of
from guestmap.monitor import MonitorServer, UnixAddress
from tests.support.qemu import MACHINE, Qemu
from tests.support.qmp_socket import QmpSocket

pytestmark = [
    pytest.mark.qemu_7_2("its commands, objects and refusals"),
    pytest.mark.qemu,
    pytest.mark.seabios,
]

Request = tuple[str, dict[str, Any]]

_ARGUMENTS = ("-m", "128M,slots=2,maxmem=1G", "-name", "tester",
              "-uuid", "4a5b0aa2-9d15-44ab-92e3-75d74a6e5d2c")  # fmt: skip
_NO_VAPIC = ("-global", "apic-common.vapic=off")


class Pair:
    """Our monitor and QEMU's."""

    def __init__(self, ours: QmpSocket, theirs: QmpSocket) -> None:
        self.ours, self.theirs = ours, theirs

    def ask(self, command: str, arguments: dict[str, Any] | None = None) -> tuple[Any, Any]:
        return self.ours.execute(command, arguments), self.theirs.execute(command, arguments)


def machines(*arguments: str, engine: str = "none") -> Iterator[Pair]:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/qemu"
        vm = VirtualMachine(config_of([*MACHINE, *_NO_VAPIC, *arguments]), engine=engine)
        with (
            Qemu(*arguments, "-qmp", f"unix:{path},server=on,wait=off"),
            vm,
            MonitorServer(vm, [f"unix:{folder}/ours"]) as server,
            QmpSocket(server.addresses[0]) as ours,
            QmpSocket(UnixAddress(path)) as theirs,
        ):
            vm.start(paused=True)
            yield Pair(ours, theirs)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    yield from machines(*_ARGUMENTS)


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def shape(value: Any) -> Any:
    """Return which keys there are, and of what types the values are."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value[:1]]
    return type(value).__name__


@pytest.mark.parametrize(
    "command",
    ["query-status", "query-target", "query-name", "query-uuid", "query-memory-devices",
     "query-memory-size-summary", "query-memdev", "query-acpi-ospm-status", "query-pci",
     "query-hotpluggable-cpus"],
)  # fmt: skip
def test_values_are_qemu_s(pair: Pair, command: str) -> None:
    ours, theirs = pair.ask(command)
    assert ours == theirs


@pytest.mark.parametrize(
    "command", ["query-version", "query-kvm", "query-chardev", "query-cpus-fast"]
)
def test_shapes_are_qemu_s(pair: Pair, command: str) -> None:
    ours, theirs = pair.ask(command)
    assert shape(ours) == shape(theirs)


def test_cpus_differ_in_the_thread_alone(pair: Pair) -> None:
    ours, theirs = pair.ask("query-cpus-fast")
    for cpu in (*ours["return"], *theirs["return"]):
        assert cpu.pop("thread-id") > 0
    assert ours == theirs


def test_the_machine_is_one_of_qemu_s(pair: Pair) -> None:
    ours, theirs = pair.ask("query-machines")
    assert all(machine in theirs["return"] for machine in ours["return"])


@pytest.mark.parametrize(
    "kind", ["memory-device", "memory-backend", "user-creatable", "nope", "container"]
)
@pytest.mark.parametrize("abstract", [False, True])
def test_types_are_some_of_qemu_s(pair: Pair, kind: str, abstract: bool) -> None:
    ours, theirs = pair.ask("qom-list-types", {"implements": kind, "abstract": abstract})
    assert all(each in theirs["return"] for each in ours["return"])


def test_every_type_has_qemu_s_parent(pair: Pair) -> None:
    ours, theirs = pair.ask("qom-list-types", {"abstract": True})
    known = {each["name"]: each for each in theirs["return"]}
    assert len(ours["return"]) > 50
    unlike = [each["name"] for each in ours["return"] if each != known.get(each["name"])]
    assert unlike == ["thread-context"]  # there can be none here: it is there to be named


@pytest.mark.parametrize("command", ["qom-list-properties", "device-list-properties"])
@pytest.mark.parametrize(
    "name",
    ["memory-backend", "memory-backend-ram", "memory-backend-file", "pc-dimm", "device", "object",
     "memory-device", "nope", "container"],
)  # fmt: skip
def test_properties_of_a_type_are_qemu_s(pair: Pair, command: str, name: str) -> None:
    ours, theirs = pair.ask(command, {"typename": name})
    if "return" in ours and "return" in theirs:
        ours, theirs = sorted(map(text, ours["return"])), sorted(map(text, theirs["return"]))
    assert ours == theirs


@pytest.mark.parametrize(
    "path",
    ["/", "/objects", "/objects/pc.ram", "/machine/peripheral", "/machine/peripheral-anon",
     "/machine/i440fx", "/machine/unattached/device[0]"],
)  # fmt: skip
def test_children_and_properties_in_the_tree_are_some_of_qemu_s(pair: Pair, path: str) -> None:
    ours, theirs = pair.ask("qom-list", {"path": path})
    assert "error" not in ours
    lacking = [each for each in ours["return"] if each not in theirs["return"]]
    assert lacking == []


@pytest.mark.parametrize(
    ("path", "name"),
    [("/machine", "type"), ("/machine", "peripheral"), ("/objects/pc.ram", "size"),
     ("/objects/pc.ram", "policy"), ("/objects/pc.ram", "host-nodes"), ("peripheral", "type"),
     ("/machine/i440fx", "realized")],
)  # fmt: skip
def test_values_in_the_tree_are_qemu_s(pair: Pair, path: str, name: str) -> None:
    ours, theirs = pair.ask("qom-get", {"path": path, "property": name})
    assert "return" in theirs
    assert ours == theirs


@pytest.mark.parametrize("line", ["info status", "nonsense", "", "info memory-devices", "info"])
def test_the_human_monitor_says_what_qemu_s_does(pair: Pair, line: str) -> None:
    ours, theirs = pair.ask("human-monitor-command", {"command-line": line})
    if line != "info":  # which lists what there is
        assert ours == theirs
    assert ours["return"][-2:] == theirs["return"][-2:]


_RAM = {"qom-type": "memory-backend-ram", "id": "m"}
_NOWHERE = "/there-is-no-such-folder/x"

REFUSED: list[Request] = [
    ("nosuch", {}),
    ("query-version", {"x": 1}),
    ("qom-list", {}),
    ("qom-list", {"path": "/nope"}),
    ("qom-list", {"path": ""}),
    ("qom-list", {"path": "container"}),
    ("qom-get", {"path": "/machine", "property": "nope"}),
    ("qom-get", {"path": "/nope", "property": "type"}),
    ("qom-get", {"path": 1, "property": "type"}),
    ("qom-get", {"path": "/machine"}),
    ("qom-set", {"path": "/machine", "property": "type", "value": "x"}),
    ("qom-set", {"path": "/machine", "property": "type"}),
    ("qom-set", {"path": "/objects/pc.ram", "property": "size", "value": 4096}),
    ("qom-list-types", {"abstract": "x"}),
    ("human-monitor-command", {"command-line": "info status", "cpu-index": 5}),
    ("human-monitor-command", {"command-line": "info status", "cpu-index": -1}),
    ("pmemsave", {"val": 0, "size": 16, "filename": _NOWHERE}),
    ("pmemsave", {"val": 0, "size": "x", "filename": _NOWHERE}),
    ("pmemsave", {"val": 0, "size": 1 << 63, "filename": _NOWHERE}),
    ("memsave", {"val": 0, "size": 16, "filename": _NOWHERE, "cpu-index": 3}),
    ("memsave", {"val": 0, "size": 16}),
    ("object-add", {}),
    ("object-add", {"qom-type": "memory-backend-ram"}),
    ("object-add", _RAM),
    ("object-add", {**_RAM, "size": "x"}),
    ("object-add", {**_RAM, "size": True}),
    ("object-add", {**_RAM, "size": 0}),
    ("object-add", {**_RAM, "size": 1 << 64}),
    ("object-add", {**_RAM, "size": 4096, "frob": 1}),
    ("object-add", {**_RAM, "size": 4096, "policy": "x"}),
    ("object-add", {**_RAM, "size": 4096, "host-nodes": [0, "x"]}),
    ("object-add", {**_RAM, "size": 4096, "host-nodes": [1 << 16]}),
    ("object-add", {**_RAM, "size": 4096, "prealloc": "on"}),
    ("object-add", {**_RAM, "size": 4096, "prealloc-threads": -1}),
    ("object-add", {**_RAM, "size": 4096, "id": "1m"}),
    ("object-add", {**_RAM, "size": 4096, "id": "pc.ram"}),
    ("object-add", {**_RAM, "props": {"size": 4096}}),
    ("object-add", {"qom-type": "memory-backend-file", "id": "m", "size": 4096}),
    ("object-add", {"qom-type": "memory-backend", "id": "m", "size": 4096}),
    ("object-add", {"qom-type": "pc-dimm", "id": "m"}),
    ("object-add", {"qom-type": 3, "id": "m"}),
    ("object-del", {}),
    ("object-del", {"id": "x"}),
    ("device_add", {}),
    ("device_add", {"driver": "nope"}),
    ("device_add", {"driver": 3}),
    ("device_add", {"driver": "device"}),
    ("device_add", {"driver": "memory-backend-ram"}),
    ("device_add", {"driver": "pc-dimm"}),
    ("device_add", {"driver": "pc-dimm", "id": 3}),
    ("device_add", {"driver": "pc-dimm", "id": "1x"}),
    ("device_add", {"driver": "pc-dimm", "slot": "x"}),
    ("device_add", {"driver": "pc-dimm", "slot": [1]}),
    ("device_add", {"driver": "pc-dimm", "slot": None}),
    ("device_add", {"driver": "pc-dimm", "slot": 1 << 40}),
    ("device_add", {"driver": "pc-dimm", "addr": -1}),
    ("device_add", {"driver": "pc-dimm", "frob": 1}),
    ("device_add", {"driver": "pc-dimm", "memdev": "nope"}),
    ("device_del", {}),
    ("device_del", {"id": "x"}),
    ("device_del", {"id": 3}),
    ("device_del", {"id": "/machine"}),
    ("device_del", {"id": "/machine/peripheral"}),
    ("device_del", {"id": "/machine/unattached/device[5]"}),
    ("device_del", {"id": "/nope"}),
]


@pytest.mark.parametrize("request_", REFUSED, ids=lambda each: text(each))
def test_refusals_are_qemu_s(pair: Pair, request_: Request) -> None:
    ours, theirs = pair.ask(*request_)
    assert "error" in theirs
    assert ours == theirs


@pytest.mark.parametrize(
    "line",
    [b'{"execute":"query-name","arguments":[]}', b'{"execute":"query-name","control":{}}',
     b'{"exec-oob":"query-status"}', b'{"execute":"qmp_capabilities"}', b'[1]', b'{"id": {"a": 1}}',
     b'{"execute": 3}'],
)  # fmt: skip
def test_refusals_of_the_protocol_are_qemu_s(pair: Pair, line: bytes) -> None:
    pair.ours.send(line)
    pair.theirs.send(line)
    assert pair.ours.reply() == pair.theirs.reply()


@pytest.mark.parametrize(("address", "size"), [(0, 4096), (0xFFFF0, 16), (1 << 50, 5000), (-1, 3)])
def test_memory_in_a_file_is_qemu_s(pair: Pair, tmp_path: Path, address: int, size: int) -> None:
    files = tmp_path / "ours", tmp_path / "theirs"
    for client, file in zip((pair.ours, pair.theirs), files, strict=True):
        assert client.ask("pmemsave", val=address, size=size, filename=str(file)) == {}
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(files[0].read_bytes()) == size


@pytest.mark.unicorn
def test_what_the_cpu_sees_is_in_a_file_as_qemu_s(tmp_path: Path) -> None:
    asked = [(0, 5000), (0xFFFFFFF0, 16), (0xFFFF_FC00, 2000), (1 << 50, 16), (-16, 16)]
    files = tmp_path / "ours", tmp_path / "theirs"
    for pair in machines("-m", "128M", engine="unicorn"):
        for address, size in asked:
            answers = [
                client.execute("memsave", {"val": address, "size": size, "filename": str(file)})
                for client, file in zip((pair.ours, pair.theirs), files, strict=True)
            ]
            assert answers[0] == answers[1]
            if "return" in answers[0]:
                assert files[0].read_bytes() == files[1].read_bytes()
                assert len(files[0].read_bytes()) == size


def test_memory_of_an_engine_without_a_cpu_is_refused(pair: Pair, tmp_path: Path) -> None:
    cls, said = pair.ours.error("memsave", val=0, size=1, filename=str(tmp_path / "x"))
    assert cls == "GenericError"
    assert "CPU" in said


def test_a_negative_size_is_refused_where_qemu_ends(pair: Pair, tmp_path: Path) -> None:
    cls, said = pair.ours.error("pmemsave", val=0, size=-1, filename=str(tmp_path / "x"))
    assert (cls, said) == ("GenericError", "Parameter 'size' expects a number of bytes, not -1")


def test_buses_behind_bridges_and_bars_are_qemu_s() -> None:
    devices = (
        "-device", "pci-bridge,id=br,chassis_nr=1,addr=5",
        "-device", "pci-testdev,addr=6,membar=64K", "-device", "pci-testdev,id=far,bus=br,addr=3",
    )  # fmt: skip
    for pair in machines("-m", "128M", *devices):
        ours, theirs = pair.ask("query-pci")
        assert ours == theirs


_NODES = (
    "-object", "memory-backend-ram,id=a,size=64M", "-object", "memory-backend-ram,id=b,size=64M",
)  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("-smp", "3"),
        ("-smp", "3,sockets=2,cores=2,threads=2,maxcpus=8"),
        ("-smp", "4,sockets=2", *_NODES, "-numa", "node,memdev=a", "-numa", "node,memdev=b"),
        ("-smp", "4,sockets=2", *_NODES, "-numa", "node,memdev=a,cpus=1",
         "-numa", "node,memdev=b,cpus=2"),
    ],
    ids=["cores", "threads", "nodes", "nodes of cpus"],
)  # fmt: skip
def test_cpus_sit_where_qemu_s_do(arguments: tuple[str, ...]) -> None:
    for pair in machines("-m", "128M", *arguments):
        ours, theirs = pair.ask("query-hotpluggable-cpus")
        assert ours == theirs
        ours, theirs = pair.ask("query-cpus-fast")
        places = [
            [(cpu["props"], cpu["qom-path"]) for cpu in each["return"]] for each in (ours, theirs)
        ]
        assert places[0] == places[1]


def test_run_states_and_events_are_qemu_s() -> None:
    for pair in machines("-m", "128M"):
        for command in ("stop", "cont", "cont", "query-status", "stop", "stop", "query-status"):
            ours, theirs = pair.ask(command)
            assert ours == theirs, command
        for command in ("system_reset", "cont", "system_powerdown", "stop"):
            ours, theirs = pair.ask(command)
            assert ours == theirs, command
        for client in (pair.ours, pair.theirs):
            client.event("RESET")  # ours may come after the answers
            client.event("POWERDOWN")
        told = [
            [(event["event"], event.get("data")) for event in client.events]
            for client in (pair.ours, pair.theirs)
        ]
        assert sorted(map(text, told[0])) == sorted(map(text, told[1]))
        ours, theirs = pair.ask("quit")
        assert ours == theirs == {"return": {}}
        assert pair.ours.event("SHUTDOWN")["data"] == pair.theirs.event("SHUTDOWN")["data"]
