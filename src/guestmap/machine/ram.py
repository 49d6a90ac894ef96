"""What the machine's RAM is made of: a block of its own, a back-end, or one for each node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, GuestmapError
from guestmap.machine.hotplug.backends import MemoryBackend

if TYPE_CHECKING:
    from guestmap.machine.config import MachineConfig
    from guestmap.machine.management import Management
    from guestmap.memory import MemoryRegion, MemorySystem
    from guestmap.qom import ObjectTree


@contextmanager
def blamed_on(option: str) -> Iterator[None]:
    """Put an option of the command line in front of what is said of it."""
    try:
        yield
    except GuestmapError as error:
        if option:
            error.args = (f"{option}: {error}",)
        raise


def make_objects(config: MachineConfig, manage: Management) -> None:
    """Make the objects that the configuration names.

    Raises:
        ConfigError, HostError, UnsupportedError: one cannot be; as in QEMU without its option.
    """
    for spec in config.objects:
        manage.object_add(spec.qom_type, spec.id, spec.properties)


def make_ram(config: MachineConfig, system: MemorySystem, tree: ObjectTree) -> MemoryRegion:
    """Return all of the machine's RAM as one region, called as its board says or its back-end.

    Args:
        config: how much there is, and from which back-ends.
        system: where it is made.
        tree: where the back-ends are.

    Raises:
        ConfigError: a back-end is missing, or is another node's.
        HostError: the host has no room.
    """
    if config.memory_backend:
        return _taken(tree, config.memory_backend)
    backends = [node.memdev for node in config.numa_nodes if node.memdev is not None]
    name = config.board.ram_id
    if not backends:
        return system.ram(name, config.ram_size)
    whole = system.container(name, config.ram_size)
    offset = 0
    for each in backends:
        part = _taken(tree, each)
        whole.add_subregion(offset, part)
        offset += part.size
    return whole


def _taken(tree: ObjectTree, name: str) -> MemoryRegion:
    """Return a back-end's memory; from now on the machine uses it."""
    backend = tree.container("/objects").children.get(name)
    if not isinstance(backend, MemoryBackend) or backend.region is None:
        raise ConfigError(f"Memory backend '{name}' not found")
    if backend.mapped:
        raise ConfigError(f"memory backend {name} can't be used multiple times.")
    backend.mark_used()
    return backend.region
