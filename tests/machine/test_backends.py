"""Memory back-ends as objects of a machine; what is expected is what QEMU 7.2 answers."""

from __future__ import annotations

import pytest

from guestmap.base import MIB, ManualClock
from guestmap.machine import Pc, config_of

pytestmark = pytest.mark.seabios


def test_as_many_threads_preallocate_as_there_are_cpus() -> None:
    line = "-nodefaults -vga none -smp 3 -object memory-backend-ram,id=a,size=2M"
    line += " -object memory-backend-ram,id=b,size=2M,prealloc-threads=2"
    pc = Pc(config_of(line.split()), ManualClock())
    pc.manage.object_add("memory-backend-memfd", "c", {"size": 2 * MIB})
    threads = [pc.tree.get(f"/objects/{name}", "prealloc-threads") for name in "abc"]
    assert threads == [3, 2, 3]
    pc.system.close()
