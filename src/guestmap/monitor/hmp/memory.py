"""``info memory-devices``, ``info memdev``, ``info memory_size_summary``, and ``info pci``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.monitor.commands.pci import pci_buses
from guestmap.monitor.hmp.memory_text import (
    memory_backends_text,
    memory_devices_text,
    memory_size_text,
)
from guestmap.monitor.hmp.pci_text import pci_text

if TYPE_CHECKING:
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import Context


def info_memory_devices(context: Context, _values: Values) -> str:
    """Show what is plugged in."""
    return memory_devices_text(context.pc.manage.memory_devices())


def info_memdev(context: Context, _values: Values) -> str:
    """Show the memory back-ends."""
    return memory_backends_text(context.pc.manage.memory_backends())


def info_memory_size_summary(context: Context, _values: Values) -> str:
    """Show how much memory the guest has."""
    return memory_size_text(context.pc.manage.memory_size_summary())


def info_pci(context: Context, _values: Values) -> str:
    """Show the PCI functions."""
    ids = {key: device.id for key, device in context.pc.tree.devices.items() if device.id}
    return pci_text(pci_buses(context.pc.bus, ids))
