"""What a machine has, for who asks: memory devices, back-ends, and what it would be made from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from guestmap.base import ConfigError
from guestmap.machine.hotplug.backends import MemoryBackend
from guestmap.machine.hotplug.handler import MemoryHotplug, ost_info
from guestmap.machine.tree import anonymous_number

if TYPE_CHECKING:
    from guestmap.machine.config import MachineConfig
    from guestmap.machine.hotplug.ide import IdePlug
    from guestmap.machine.hotplug.pc_dimm import PcDimm
    from guestmap.machine.hotplug.pci import PciHotplug
    from guestmap.machine.options.device import DeviceSpec
    from guestmap.machine.options.object import ObjectSpec
    from guestmap.machine.tree import DeviceObject, MachineTree
    from guestmap.qom import JsonValue


class Inventory:
    """What is in one machine.

    Args:
        tree: the machine's objects.
        base_memory: bytes of RAM that it was made with.

    Attributes:
        hotplug: plugs DIMMs in; set when the machine has a place for them, None where it never has.
        pci_hotplug: the same for PCI functions.
        ide: puts drives on IDE channels.
    """

    hotplug: MemoryHotplug | None = None
    pci_hotplug: PciHotplug | None = None
    ide: IdePlug | None = None

    def __init__(self, tree: MachineTree, base_memory: int) -> None:
        self._tree = tree
        self._base_memory = base_memory
        self._objects: dict[str, ObjectSpec] = {}

    def present(self, config: MachineConfig) -> MachineConfig:
        """Return what a machine would be made from that has all that was plugged into this one.

        Args:
            config: what this one was made from.
        """
        functions = [each for each in self._tree.devices.values() if each.spec is not None]
        others = [(each, self._spec(each)) for each in functions]
        dimms = [(each, each.spec()) for each in self._dimms]
        return replace(
            config,
            objects=tuple(self._objects.values()),
            devices=tuple(
                replace(spec, number=anonymous_number(device)) for device, spec in others + dimms
            ),
        )

    def _spec(self, device: DeviceObject) -> DeviceSpec:
        """Return what would plug the same device in again."""
        return cast("PciHotplug | IdePlug", device.handler).spec(device)

    @property
    def _dimms(self) -> tuple[PcDimm, ...]:
        return self.hotplug.dimms if self.hotplug is not None else ()

    def memory_devices(self) -> list[JsonValue]:
        """Return QMP's ``query-memory-devices``: by address."""
        return [dimm.describe() for dimm in self._dimms]

    def memory_backends(self) -> list[JsonValue]:
        """Return QMP's ``query-memdev``."""
        objects = self._tree.container("/objects").children.values()
        return [each.describe() for each in objects if isinstance(each, MemoryBackend)]

    def memory_size_summary(self) -> dict[str, JsonValue]:
        """Return QMP's ``query-memory-size-summary``, in bytes."""
        plugged = sum(dimm.size for dimm in self._dimms)
        return {"base-memory": self._base_memory, "plugged-memory": plugged}

    def acpi_ospm_status(self) -> list[JsonValue]:
        """Return QMP's ``query-acpi-ospm-status``: one entry for each slot.

        Raises:
            ConfigError: nobody could tell.
        """
        if self.hotplug is None:
            raise ConfigError("command is not supported, missing ACPI device")
        return [dict(ost_info(report)) for report in self.hotplug.statuses()]
