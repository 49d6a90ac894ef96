"""What a machine's manager can do to its objects: what is behind QMP's object and device commands.

Every method is called by one thread at a time (:meth:`guestmap.machine.VirtualMachine.exclusive`).
Each either does all that it says or raises and leaves everything as it was. Refusals, their order
and their texts are QEMU 7.2's (qom/object_interfaces.c, softmmu/qdev-monitor.c).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from guestmap.base import ConfigError
from guestmap.hw.pci.kind import PCI_DEVICE
from guestmap.machine.hotplug.backends import MemoryBackend, refuse_deletion
from guestmap.machine.hotplug.device_maker import DeviceMaker
from guestmap.machine.hotplug.pc_dimm import DIMM
from guestmap.machine.inventory import Inventory
from guestmap.machine.options.device import DeviceSpec
from guestmap.machine.options.object import ObjectSpec
from guestmap.machine.options.strings import identifier
from guestmap.machine.ram import blamed_on
from guestmap.machine.tree import (
    BusObject,
    DeviceObject,
    MachineTree,
    add_region_object,
)
from guestmap.qom import Device, JsonValue, NotFoundError, Object, option_text

if TYPE_CHECKING:
    from guestmap.hw.pci import PciFunction
    from guestmap.machine.events import MachineEvents

_PLUGGED_FIRST = ("memory-backend-ram", DIMM)


class Management(Inventory):
    """Adds and removes the objects and devices of one machine, and tells what there is.

    Args:
        tree: the machine's objects.
        base_memory: bytes of RAM that it was made with.
        events: what the machine tells.
    """

    def __init__(self, tree: MachineTree, base_memory: int, events: MachineEvents) -> None:
        super().__init__(tree, base_memory)
        self._types = tree.types
        self._events = events
        self._maker = DeviceMaker(tree, self)

    def look_up_types(self) -> None:
        """Find out what DIMMs and their back-ends inherit, before somebody waits for one."""
        for name in _PLUGGED_FIRST:
            if name in self._types.known:  # a machine without device memory knows no DIMM
                self._types.class_properties(name)

    # -- objects ---------------------------------------------------------------------------------

    def object_add(self, qom_type: str, id_: str, properties: Mapping[str, JsonValue]) -> None:
        """Make an object below ``/objects``.

        Args:
            qom_type: its type.
            id_: its name.
            properties: their values, as JSON.

        Raises:
            ConfigError: no such type, a wrong property, an id that is taken or is none.
            HostError: the host refused.
        """
        if qom_type not in self._types or not self._types.is_a(qom_type, "user-creatable"):
            raise ConfigError(f"invalid object type: {qom_type}")
        if self._types.get(qom_type).abstract:
            raise ConfigError(f"object type '{qom_type}' is abstract")
        identifier(id_)
        made = cast("MemoryBackend", self._types.new(qom_type))
        try:
            for name, value in properties.items():
                made.set(name, value)
            self._tree.container("/objects").add_child(id_, made)
            made.complete()
            if made.region is not None:
                add_region_object(made, made.region)
        except BaseException:
            made.unparent()
            raise
        self._objects[id_] = ObjectSpec(qom_type, id_, dict(properties), is_json=True)

    def object_del(self, id_: str) -> None:
        """Remove an object that :meth:`object_add` made.

        Raises:
            ConfigError: there is none of that name.
            StateError: the machine uses it.
        """
        found = self._tree.container("/objects").child(id_)
        if found is None:
            raise ConfigError(f"object '{id_}' not found")
        if isinstance(found, MemoryBackend):
            refuse_deletion(found, id_)
        found.unparent()
        self._objects.pop(id_, None)

    # -- devices ---------------------------------------------------------------------------------

    def plug(self, spec: DeviceSpec) -> None:
        """Plug a device in that the machine is to have from the start, or had when it was saved.

        Raises:
            ConfigError, UnsupportedError: see :meth:`device_add`; the option is named.
        """
        with blamed_on(spec.option):
            made = self._add(spec)
            if isinstance(made, DeviceObject):
                made.spec = spec

    def device_add(
        self,
        driver: str,
        id_: str | None,
        properties: Mapping[str, JsonValue],
        *,
        hotplugged: bool = True,
        typed: bool = False,
    ) -> Device:
        """Make a device, plug it in, and return it.

        Args:
            driver: its type.
            id_: its name below ``/machine/peripheral``; None for a device without one.
            properties: their values, ``bus`` among them.
            hotplugged: whether the machine is complete already.
            typed: take numbers and booleans as such; else as the text that QEMU makes of them.

        Raises:
            ConfigError: no such device, a wrong property, or no room; see
                :class:`MemoryHotplug`.
            UnsupportedError: a device that QEMU has and this machine has not.
        """
        named = {} if id_ is None else {"id": id_}
        return self._add(DeviceSpec(driver, {**properties, **named}, typed, hotplugged))

    def _add(self, spec: DeviceSpec) -> Device:
        rest = dict(spec.properties)
        rest.pop("id", None)
        hotplugged = spec.came_later
        device, handler = self._maker.make(
            spec.driver, rest.pop("bus", None), hotplugged=hotplugged
        )
        device.hotplugged, device.handler = hotplugged, handler
        if isinstance(device, DeviceObject):
            device.spec = spec
        if "realized" in rest:  # the last: what comes after it would be too late
            rest["realized"] = rest.pop("realized")
        try:
            self._name(device, spec.id, spec.number)
            for name, value in rest.items():
                text = option_text(value)
                if spec.is_json:
                    device.set(name, value)
                elif text is not None:
                    device.set_text(name, text)
            if not device.realized:
                device.realize(handler)
        except BaseException:
            if device.parent is None and device.parent_bus is not None:  # it never had a name
                device.parent_bus.remove(device)
            device.unparent()
            raise
        return device

    def _name(self, device: Device, id_: str | None, number: int | None) -> None:
        if id_ is None:
            place = self._tree.container("/machine/peripheral-anon")
            name = self._tree.name_anonymous(number)
        else:
            place, name = self._tree.container("/machine/peripheral"), identifier(id_)
            if place.child(id_) is not None:
                raise ConfigError(f"Duplicate device ID '{id_}'")
        place.add_child(name, device)
        device.id = id_

    def device_del(self, id_: str) -> None:
        """Ask the guest to let a device go.

        Args:
            id_: its id, or its path.

        Raises:
            NotFoundError: there is no such device.
            ConfigError: it cannot be removed.
        """
        device = self._find(id_)
        if not isinstance(device, Device):
            raise ConfigError(f"{id_} is not a hotpluggable device")
        bus = device.parent_bus
        if self._types.is_a(device.type.name, "cpu"):
            raise ConfigError("Boot CPU is unpluggable")
        if bus is not None and bus.link("hotplug-handler") is None:
            label = bus.label if isinstance(bus, BusObject) else bus.name
            raise ConfigError(f"Bus '{label}' does not support hotplugging")
        is_function = self._types.is_a(device.type.name, PCI_DEVICE.name)
        handler = self.pci_hotplug if is_function else device.handler
        if handler is None or not device.hotpluggable:
            raise ConfigError(f"Device '{device.type.name}' does not support hotplugging")
        handler.unplug_request(device)

    def _find(self, id_: str) -> Object:
        if not id_:  # to QEMU, the place where devices are looked for
            return self._tree.container("/machine/peripheral")
        if id_.startswith("/"):
            return self._tree.resolve(id_)
        found = self._tree.container("/machine/peripheral").child(id_)
        if found is None:
            raise NotFoundError(f"Device '{id_}' not found")
        return found

    def remove(self, device: Device) -> None:
        """Take an unplugged device out of the tree, the newest behind it first, and tell so."""
        who = {"device": device.id} if device.id else {}
        path = device.path
        for bus in device.buses:
            for each in reversed(bus.devices):
                self.remove(each)
        device.unparent()
        self._events.emit("DEVICE_DELETED", who | {"path": path})

    def eject(self, function: PciFunction[Any]) -> None:
        """Take a PCI function out that the guest has let go."""
        shown = self._tree.device(function)
        if shown is None or self.pci_hotplug is None:
            function.remove()
            return
        self.pci_hotplug.unplug(shown)
        self.remove(shown)
