"""The empty machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.accel import NoInterrupts
from guestmap.base import ConfigError
from guestmap.machine.board import Board
from guestmap.machine.ram import make_objects, make_ram
from guestmap.machine.tree import Builder, add_region_objects
from guestmap.machine.tree.machine_object import add_ram, make_machine, make_sysbus

if TYPE_CHECKING:
    from guestmap.memory import MemoryRegion


class _NoPin(NoInterrupts):
    def __init__(self) -> None:
        self.on_change: Callable[[], None] = lambda: None


class EmptyMachine(Board):
    """No CPU, no firmware, no device.

    Attributes:
        ram: all RAM, at address 0; None without any.
    """

    ram: MemoryRegion | None = None

    @property
    def cpus(self) -> int:
        """None."""
        return 0

    def prepare(self) -> None:
        """Refuse what an empty machine cannot have, in QEMU's words."""
        config = self.config
        if config.kernel is not None:
            raise ConfigError(
                "The -kernel parameter is not supported (use the generic 'loader' device instead)."
            )
        if config.numa_nodes:
            raise ConfigError("NUMA is not supported by this machine-type")
        self.refuse_devices()

    def build(self, epoch_ns: int) -> None:
        """Put the RAM in, if there is any."""
        del epoch_ns
        self.pins = (_NoPin(),)
        make_objects(self.config, self.manage)
        if self.config.ram_size:
            self.ram = make_ram(self.config, self.system, self.tree)
            self.system_region.add_subregion(0, self.ram)
        self._compose()

    def _compose(self) -> None:
        with self.tree.lock:
            machine = make_machine(self.tree, self.config)
            build = Builder(self.tree)
            make_sysbus(build)
            if self.ram is not None:
                add_ram(build, machine, self.ram)
            add_region_objects(build.unattached, self.system_region, self.io_region)
