"""What commands return and events tell is what the schema promises."""

from collections.abc import Iterator
from typing import Any

import pytest

from guestmap.base import HostError
from guestmap.machine import MachineEvent, VirtualMachine, config_of
from guestmap.monitor.command import Context, Endpoint
from guestmap.monitor.commands import command_table
from guestmap.monitor.human import HumanLines
from guestmap.qmp import validate
from guestmap.qmp.validate import check
from tests.support.qemu import MACHINE

pytestmark = pytest.mark.seabios

_ARGUMENTS: dict[str, dict[str, Any]] = {
    "human-monitor-command": {"command-line": "info status"},
    "qom-list": {"path": "/machine"},
    "qom-get": {"path": "/objects/pc.ram", "property": "size"},
    "qom-list-types": {"abstract": True},
    "qom-list-properties": {"typename": "pc-dimm"},
    "device-list-properties": {"typename": "pc-dimm"},
    "x-guestmap-explain": {"address": 0},
}
_BALLOON = ("-device", "virtio-balloon-pci")
_BRIDGE = ("-device", "pci-bridge,id=b,chassis_nr=1", "-device", "pci-testdev,bus=b,addr=1")


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    config = config_of([*MACHINE, "-m", "128M,slots=2,maxmem=1G", *_BRIDGE, *_BALLOON])
    with VirtualMachine(config, engine="none") as vm:
        endpoints = [Endpoint("a", "unix:b", True)]
        context = Context(vm, command_table(), lambda: endpoints, human=HumanLines(vm))
        for name, arguments in (
            ("object-add", {"qom-type": "memory-backend-ram", "id": "m0", "size": 128 << 20}),
            ("device_add", {"driver": "pc-dimm", "id": "d0", "memdev": "m0"}),
        ):
            assert context.commands[name].run(context, arguments) == {}
        yield context


@pytest.mark.parametrize(
    "name",
    [name for name, each in command_table().declarations.items() if each.returns is not None],
)
def test_returns_what_is_declared(context: Context, name: str) -> None:
    command = context.commands[name]
    arguments = validate(command.declaration.arguments, _ARGUMENTS.get(name, {}))
    value = command.run(context, arguments)
    assert command.declaration.returns is not None
    assert check(command.declaration.returns, value, "", None) == value


def test_events_are_declared(context: Context) -> None:
    declared = {each.name: each for each in context.commands.events}
    told: list[MachineEvent] = []
    vm = context.vm
    vm.events.subscribe(told.append)
    vm.cont()
    vm.stop()
    vm.powerdown()
    pm = vm.board.pm
    assert pm is not None
    for address, size, value in (
        (0xA00, 4, 0), (0xA04, 4, 1), (0xA08, 4, 0),  # slot 0 answers _OST 1/0
    ):  # fmt: skip
        vm.board.io.store(address, size, value)
    context.commands["device_del"].run(context, {"id": "d0"})
    vm.board.io.store(0xA14, 1, 4)
    vm.board.io.store(0xA14, 1, 8)  # ejected
    slow = {"qom-type": "memory-backend-ram", "id": "p", "size": 4096, "prealloc": True}
    context.commands["object-add"].run(context, slow)
    vm.events.unsubscribe(told.append)
    names = {event.name for event in told}
    assert {"STOP", "RESUME", "POWERDOWN", "ACPI_DEVICE_OST", "DEVICE_DELETED"} <= names
    for event in told:
        data = dict(event.data or {})
        assert validate(declared[event.name].data, data) == data, event


@pytest.mark.parametrize("size", [16, 4 << 20], ids=["told at the end", "told at once"])
def test_a_full_disk_is_the_host_s_refusal(context: Context, size: int) -> None:
    arguments = {"val": 0, "size": size, "filename": "/dev/full"}
    with pytest.raises(HostError, match="writing memory to '/dev/full' failed: No space left"):
        context.commands["pmemsave"].run(context, arguments)
