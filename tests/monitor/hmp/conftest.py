"""Machines that several tests look at, and that none changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guestmap.base import ManualClock
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.monitor.hmp import HumanMonitor
from tests.monitor.hmp.beside import Beside

FULL = (
    "-m", "128M,slots=3,maxmem=2G", "-smp", "2", "-name", "pair",
    "-object", "memory-backend-ram,id=c0,size=64M", "-device", "pc-dimm,id=d0,memdev=c0",
    "-device", "pci-testdev,membar=1M,id=pt", "-device", "pci-bridge,id=br,chassis_nr=1",
    "-device", "pci-testdev,bus=br,addr=3",
)  # fmt: skip


@pytest.fixture(scope="module")
def plain() -> Iterator[Beside]:
    """The smallest machine, in ours and in QEMU."""
    with Beside("-m", "128M", "-smp", "2") as pair:
        yield pair


@pytest.fixture(scope="module")
def full() -> Iterator[Beside]:
    """A machine with a DIMM and PCI devices, in ours and in QEMU."""
    with Beside(*FULL) as pair:
        yield pair


@pytest.fixture
def monitor() -> Iterator[HumanMonitor]:
    """The human monitor of a machine of ours alone."""
    with VirtualMachine(MachineConfig(), clock=ManualClock()) as vm:
        yield HumanMonitor(vm)


@pytest.fixture(scope="module")
def one_monitor() -> Iterator[HumanMonitor]:
    """One for many lines, whatever they do to its machine."""
    with VirtualMachine(MachineConfig(), clock=ManualClock()) as vm:
        yield HumanMonitor(vm)
