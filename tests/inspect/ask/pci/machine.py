"""A machine that answers query-pci, qom-list and qom-get; written down as a table of functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guestmap.qmp.client import Channel, CommandError, MonitorEvent

VIEW = (
    'FlatView #0\r\n AS "memory", root: system\r\n Root memory region: system\r\n'
    "  0000000000000000-0000000003ffffff (prio 0, ram): pc.ram\r\n\r\n"
)
ROOT_BUS = "/machine/host/pci.0"


class PciMachine(Channel):
    """Functions and their regions; put them in with :meth:`function` and :meth:`region`."""

    source = "unix:/run/fake.sock"

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, tuple[str, Any]]] = {"/machine": {"type": ("string", "")}}
        self.buses: list[dict[str, Any]] = [{"bus": 0, "devices": []}]

    def object(self, path: str, kind: str, **properties: tuple[str, Any]) -> None:
        """Add an object, and its parents where they are missing."""
        parent, name = path.rsplit("/", 1)
        if parent not in self.objects:
            self.object(parent, "container")
        self.objects[parent][name] = (f"child<{kind}>", path)
        self.objects[path] = {"type": ("string", kind), **properties}

    def function(
        self, path: str, kind: str, place: str, *bars: dict[str, Any], behind: str = "", **more: Any
    ) -> dict[str, Any]:
        """Add a function at ``BUS:SLOT.FUNCTION``; ``behind`` is the path of the bridge."""
        bus, rest = place.split(":")
        slot, number = rest.split(".")
        devfn = int(slot, 16) * 8 + int(number)
        on = f"{behind}/{behind.rsplit('/', 1)[-1]}" if behind else ROOT_BUS
        self.object(
            path, kind, addr=("int32", devfn), multifunction=("bool", False),
            realized=("bool", True), parent_bus=("link<bus>", on),
        )  # fmt: skip
        name = path.rsplit("/", 1)[-1] if path.startswith("/machine/peripheral/") else ""
        return {
            "bus": int(bus, 16), "slot": int(slot, 16), "function": int(number),
            "class_info": {"class": 0x300, "desc": "VGA controller"},
            "id": {"vendor": 0x1234, "device": 0x1111}, "irq_pin": 0,
            "qdev_id": name, "regions": list(bars), **more,
        }  # fmt: skip

    def region(self, device: str, name: str, size: int, *, into: str = "", addr: int = 0) -> None:
        """Add a memory region of a device; ``into`` is the path of its container."""
        self.object(
            f"{device}/{name}[0]", "memory-region", size=("uint64", size), addr=("uint64", addr),
            container=("link<memory-region>", into),
        )  # fmt: skip

    def execute(self, command: str, arguments: Mapping[str, object]) -> object:
        if command == "query-version":
            return {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""}
        if command == "human-monitor-command":
            return VIEW if arguments["command-line"] == "info mtree -f -o" else "mtree: no\r\n"
        if command == "query-pci":
            return self.buses
        path = str(arguments["path"])
        if path not in self.objects:
            raise CommandError(f"{command}: Device '{path}' not found", "DeviceNotFound")
        properties = self.objects[path]
        if command == "qom-list":
            return [{"name": name, "type": kind} for name, (kind, _) in properties.items()]
        return properties[str(arguments["property"])][1]

    def events(self) -> list[MonitorEvent]:
        return []

    def close(self) -> None:
        pass


def bar(
    number: int, size: int, address: int = -1, kind: str = "memory", **more: Any
) -> dict[str, Any]:
    """Return what query-pci tells of a BAR."""
    return {"bar": number, "size": size, "address": address, "type": kind, **more}


def bridge(secondary: int, memory: tuple[int, int], *devices: dict[str, Any]) -> dict[str, Any]:
    """Return what query-pci tells of a bridge with this memory window, all others closed."""
    closed = {"base": 0xFFF0_0000, "limit": 0xF_FFFF}
    bus = {
        "number": 0, "secondary": secondary, "subordinate": secondary, "io_range": closed,
        "memory_range": {"base": memory[0], "limit": memory[1]}, "prefetchable_range": closed,
    }  # fmt: skip
    return {"bus": bus, "devices": list(devices)}
