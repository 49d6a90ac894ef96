"""A machine for the monitor's tests: the doors that commands go through, with nothing behind."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from guestmap.machine import MachineConfig
from guestmap.machine.events import MachineEvents
from guestmap.memory import MemorySystem
from guestmap.qom import INT, ObjectTree, ObjectType, Property, TypeTable

if TYPE_CHECKING:
    from collections.abc import Iterator


class FakeManagement:
    """Notes what is asked for; ``object-add`` of an id that begins with "slow" waits for ``go``."""

    def __init__(self, machine: FakeMachine) -> None:
        self._machine = machine
        self.asked: list[tuple[Any, ...]] = []
        self.go = threading.Event()
        self.begun = threading.Event()
        self.types_are_looked_up = False

    def look_up_types(self) -> None:
        self.types_are_looked_up = True

    def object_add(self, qom_type: str, name: str, properties: dict[str, Any]) -> None:
        assert self._machine.holder == threading.get_ident()
        if name.startswith("slow"):
            self.begun.set()
            assert self.go.wait(30)
            data = {"id": name, "done": 1, "total": 1}
            self._machine.events.emit("X_GUESTMAP_PREALLOC_PROGRESS", data)
        self.asked.append(("object-add", qom_type, name, properties))

    def object_del(self, name: str) -> None:
        self.asked.append(("object-del", name))
        if name == "bug":
            raise ZeroDivisionError("a bug")

    def device_add(self, driver: str, name: str | None, properties: dict[str, Any]) -> None:
        self.asked.append(("device_add", driver, name, properties))

    def device_del(self, name: str) -> None:
        self.asked.append(("device_del", name))
        self._machine.events.emit("DEVICE_DELETED", {"device": name, "path": f"/{name}"})

    def memory_devices(self) -> list[dict[str, Any]]:
        return []


class FakeMachine:
    """Has a tree with one object, ``/thing``, whose ``value`` is 7."""

    def __init__(self) -> None:
        self.events = MachineEvents()
        self.state = self.status = "running"
        self.ended = threading.Event()
        self.holder: int | None = None
        self._lock = threading.RLock()
        types = TypeTable([ObjectType("thing", properties=(Property("value", INT, lambda _: 7),))])
        tree = ObjectTree(types)
        tree.root.add_child("thing", types.new("thing"))
        system = MemorySystem()
        system.address_space("memory", system.ram("ram", 4096))
        self.manage = FakeManagement(self)
        self.accelerator = SimpleNamespace(memory_slots=tuple, name="unicorn")
        self.board = SimpleNamespace(
            types=types,
            tree=tree,
            manage=self.manage,
            system=system,
            config=MachineConfig(),
            cpus=1,
            drive_bays=(),
        )

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        with self._lock:
            before, self.holder = self.holder, threading.get_ident()
            try:
                yield
            finally:
                self.holder = before

    def stop(self) -> None:
        self.state = "paused"
        self.events.emit("STOP")

    def quit(self) -> None:
        self.events.emit("SHUTDOWN", {"guest": False, "reason": "host-qmp-quit"})
        self.ended.set()
