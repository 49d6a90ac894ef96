"""A program that takes QEMU's command line and speaks its QMP, as far as memory hot-plug goes.

It is for tests of whoever drives QEMU: it starts in a few hundredths of a second, its guest does
what it is told to, and it remembers every byte that it was sent. :func:`install` writes it to a
file that can be named as an emulator; it imports nothing of guestmap.

Besides QEMU's commands there are ``x-fake-guest`` (``does``: agree, refuse, silent),
``x-fake-eject`` (``id``: the guest lets go of it now), ``x-fake-refuse`` (``command``, ``desc``:
what is answered from now on; no ``desc``: as before), ``x-fake-backend`` (``id``, ``size``: another
manager's), and ``x-fake-log`` (what came in on the monitor of that ``name``).
"""

from __future__ import annotations

import inspect
import json
import os
import selectors
import socket
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

Json = dict[str, Any]

BASE, ALIGN = 4 << 30, 2 << 20
DROPPED = {"gone": None}


def install(path: Path) -> Path:
    """Write the program to a file that can be run, and return it."""
    source = inspect.getsource(sys.modules[__name__])
    path.write_text(f"#!{sys.executable} -SE\n{source}")
    path.chmod(0o700)
    return path


class RefusedError(Exception):
    """A command that is answered with an error."""

    def __init__(self, desc: str, kind: str = "GenericError") -> None:
        super().__init__(desc)
        self.kind = kind


class Machine:
    """What QEMU keeps: objects, devices, and whether the guest runs."""

    def __init__(self) -> None:
        self.objects: dict[str, int] = {}
        self.devices: dict[str, Json] = {}
        self.asked: set[str] = set()
        self.state = "prelaunch"
        self.guest = "agree"
        self.refusals: dict[str, str] = {}
        self.told: list[Json] = []
        self.logs: dict[str, list[str]] = {}

    def answer(self, command: str, given: Json) -> object:
        """Return what a command returns."""
        if command in self.refusals:
            raise RefusedError(self.refusals[command])
        doing = getattr(self, "_do_" + command.replace("-", "_"), None)
        if doing is None:
            raise RefusedError(f"The command {command} has not been found", "CommandNotFound")
        return doing({name.replace("-", "_"): value for name, value in given.items()})

    def tell(self, event: str, **data: object) -> None:
        """Send an event to everybody."""
        stamp = {"seconds": 0, "microseconds": 0}
        self.told.append({"timestamp": stamp, "event": event, "data": data})

    def ost(self, device: Json, source: int, status: int) -> None:
        """Let the guest evaluate _OST."""
        info = {"device": device["id"], "source": source, "status": status,
                "slot": str(device.get("slot", 0)), "slot-type": "DIMM"}  # fmt: skip
        self.tell("ACPI_DEVICE_OST", info=info)

    def eject(self, name: str) -> None:
        """Let the guest give a device back."""
        self.devices.pop(name, None)
        self.asked.discard(name)
        self.tell("DEVICE_DELETED", device=name, path=f"/machine/peripheral/{name}")

    def _do_qmp_capabilities(self, _given: Json) -> object:
        return {}

    def _do_query_status(self, _given: Json) -> object:
        return {"status": self.state, "running": self.state == "running"}

    def _do_cont(self, _given: Json) -> object:
        self.state = "running"
        self.tell("RESUME")
        return {}

    def _do_system_reset(self, _given: Json) -> object:
        self.tell("RESET", guest=False, reason="host-qmp-system-reset")
        return {}

    def _do_system_powerdown(self, _given: Json) -> object:
        self.tell("POWERDOWN")
        if self.guest == "agree":
            self.tell("SHUTDOWN", guest=True, reason="guest-shutdown")
            self.state = "shutdown"
        return {}

    def _do_balloon(self, given: Json) -> object:
        return DROPPED if given["value"] else {}

    def _do_object_add(self, given: Json) -> object:
        name, size = given["id"], given["size"]
        if name in self.objects:
            raise RefusedError(
                f"attempt to add duplicate property '{name}' to object (type 'container')"
            )
        if not size:
            raise RefusedError("property 'size' of memory-backend-ram doesn't take value '0'")
        self.objects[name] = size
        return {}

    def _do_object_del(self, given: Json) -> object:
        name = given["id"]
        if name not in self.objects:
            raise RefusedError(f"object '{name}' not found")
        if any(each["memdev"] == name for each in self.devices.values()):
            raise RefusedError(f"object '{name}' is in use, can not be deleted")
        del self.objects[name]
        return {}

    def _do_device_add(self, given: Json) -> object:
        size = self.objects[given["memdev"]]
        if size % ALIGN:
            raise RefusedError(f"backend memory size must be multiple of {ALIGN:#x}")
        address = given.get("addr" if "slot" in given else "memaddr") or self.first_fit(size)
        for each in self.devices.values():
            if each["addr"] < address + size and address < each["addr"] + each["size"]:
                raise RefusedError(f"address range conflicts with memory device id='{each['id']}'")
        self.devices[given["id"]] = {**given, "addr": address, "size": size}
        if self.state == "running" and self.guest == "agree":
            self.ost(self.devices[given["id"]], 1, 0)
        return {}

    def first_fit(self, size: int) -> int:
        """Return the lowest free place."""
        place = BASE
        for each in sorted(self.devices.values(), key=lambda device: device["addr"]):
            if each["addr"] >= place + size:
                break
            place = max(place, -(-(each["addr"] + each["size"]) // ALIGN) * ALIGN)
        return place

    def _do_device_del(self, given: Json) -> object:
        name = given["id"]
        if name not in self.devices:
            raise RefusedError(f"Device '{name}' not found", "DeviceNotFound")
        self.asked.add(name)
        if self.guest == "refuse":
            self.ost(self.devices[name], 3, 0x84)
            self.ost(self.devices[name], 3, 0x82)
        elif self.guest == "agree":
            self.ost(self.devices[name], 3, 0x84)
            self.eject(name)
        return {}

    def _do_query_memory_devices(self, _given: Json) -> object:
        found = []
        for each in sorted(self.devices.values(), key=lambda device: device["addr"]):
            data = {"id": each["id"], "memdev": f"/objects/{each['memdev']}",
                    "node": each.get("node", 0), "size": each["size"]}  # fmt: skip
            if "slot" in each:
                data |= {"addr": each["addr"], "slot": each["slot"], "hotplugged": True,
                         "hotpluggable": True}  # fmt: skip
                found.append({"type": "dimm", "data": data})
            else:
                data |= {"memaddr": each["addr"], "max-size": each["size"], "size": 0,
                         "requested-size": each.get("requested_size", 0),
                         "block-size": each.get("block_size", ALIGN)}  # fmt: skip
                found.append({"type": "virtio-mem", "data": data})
        return found

    def _do_qom_list(self, given: Json) -> object:
        names = self.objects if given["path"] == "/objects" else self.devices
        return [{"name": "type", "type": "string"},
                *({"name": name, "type": "child<device>"} for name in names)]  # fmt: skip

    def _do_qom_get(self, given: Json) -> object:
        device = self.devices[given["path"].rsplit("/", 1)[-1]]
        return device.get(given["property"].replace("-", "_"), 0)

    def _do_qom_set(self, given: Json) -> object:
        name = given["path"].rsplit("/", 1)[-1]
        self.devices[name][given["property"].replace("-", "_")] = given["value"]
        self.tell("MEMORY_DEVICE_SIZE_CHANGE", id=name, size=given["value"],
                  **{"qom-path": given["path"]})  # fmt: skip
        return {}

    def _do_x_fake_guest(self, given: Json) -> object:
        self.guest = given["does"]
        return {}

    def _do_x_fake_eject(self, given: Json) -> object:
        self.eject(given["id"])
        return {}

    def _do_x_fake_refuse(self, given: Json) -> object:
        if "desc" in given:
            self.refusals[given["command"]] = given["desc"]
        else:
            self.refusals.pop(given["command"], None)
        return {}

    def _do_x_fake_backend(self, given: Json) -> object:
        self.objects[given["id"]] = given["size"]
        return {}

    def _do_x_fake_log(self, given: Json) -> object:
        return self.logs.get(given["name"], [])


class Server:
    """The monitors: one client at a time on each, as QEMU has it."""

    def __init__(self, machine: Machine, monitors: dict[str, int]) -> None:
        self.machine = machine
        self.selector = selectors.DefaultSelector()
        self.clients: dict[str, socket.socket] = {}
        for name, number in monitors.items():
            listening = socket.socket(fileno=number)
            self.selector.register(listening, selectors.EVENT_READ, (name, listening))

    def run(self) -> None:
        """Serve until the guest shuts down."""
        while self.machine.state != "shutdown":
            for key, _ in self.selector.select():
                name, listening = key.data
                if key.fd == listening.fileno():
                    self.greet(name, listening)
                else:
                    self.serve(name, listening)

    def greet(self, name: str, listening: socket.socket) -> None:
        """Take a client, and no other until it has gone."""
        self.selector.unregister(listening)
        client, _ = listening.accept()
        self.clients[name] = client
        self.selector.register(client, selectors.EVENT_READ, (name, listening))
        version = {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "fake"}
        self.send(client, {"QMP": {"version": version, "capabilities": []}})

    def serve(self, name: str, listening: socket.socket) -> None:
        """Answer what came."""
        client = self.clients[name]
        try:
            data = client.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self.selector.unregister(client)
            client.close()
            del self.clients[name]
            self.selector.register(listening, selectors.EVENT_READ, (name, listening))
            return
        for line in data.decode().splitlines(keepends=True):
            self.machine.logs.setdefault(name, []).append(line)
            self.reply(client, json.loads(line))

    def reply(self, client: socket.socket, request: Json) -> None:
        """Answer one command, then tell what came of it."""
        try:
            value = self.machine.answer(request["execute"], request.get("arguments", {}))
            told: Json = {"return": value}
        except RefusedError as error:
            told = {"error": {"class": error.kind, "desc": str(error)}}
        self.send(client, {**told, "id": request.get("id")})
        events, self.machine.told = self.machine.told, []
        for event in events:
            for each in list(self.clients.values()):
                self.send(each, event)

    def send(self, client: socket.socket, message: Json) -> None:
        """Send a line; a client that has gone is noticed when it is read from."""
        try:
            client.sendall(json.dumps(message).encode() + b"\r\n")
        except OSError:
            return


def main(words: list[str]) -> None:
    """Be the machine that a command line describes."""
    machine, monitors = Machine(), {}
    for option, value in pairwise(words):
        if option == "-chardev" and ",fd=" in value:
            told = dict(part.split("=", 1) for part in value.split(",") if "=" in part)
            monitors[told["id"].removeprefix("char")] = int(told["fd"])
        elif option == "-object" and value.startswith("{"):
            machine.answer("object-add", json.loads(value))
        elif option == "-device" and '"memdev"' in value:
            machine.answer("device_add", json.loads(value))
    if trouble := os.environ.get("FAKE_TROUBLE"):
        sys.exit(f"fake: {trouble}")
    Server(machine, monitors).run()


if __name__ == "__main__":
    main(sys.argv[1:])
