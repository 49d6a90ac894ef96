"""RAM that an engine has mapped: it stays until the engine has let go, and then goes."""

from __future__ import annotations

import gc
import threading

from guestmap.accel import ExitReason
from tests.accel.guest import later
from tests.memory.host_maps import block_of, mapped, named_ram

DIMM = 0x1000000
READ_UNTIL_ZERO = b"\xf6\x05" + DIMM.to_bytes(4, "little") + b"\x01\x75\xf7\xf4"
"""again: test byte [DIMM], 1; jnz again; hlt"""
READ_FOR_EVER = b"\xa1" + DIMM.to_bytes(4, "little") + b"\xeb\xf9"
"""again: mov eax, [DIMM]; jmp again"""


def test_the_engine_pins_what_it_maps(guest):
    block = block_of(guest.ram)
    dimm = named_ram(guest.system, "pinned-dimm", 0x100000)
    guest.root.add_subregion(DIMM, dimm)
    guest.flat(b"\xf4")
    guest.run()
    assert block.pins == block_of(dimm).pins == 1
    alias = guest.system.alias("again", dimm, 0, 0x1000)
    guest.root.add_subregion(2 * DIMM, alias)
    guest.flat(b"\xf4")
    guest.run()
    guest.root.del_subregion(dimm)
    guest.flat(b"\xf4")
    guest.run()
    assert block_of(dimm).pins == 1  # the alias still shows it
    guest.root.del_subregion(alias)
    guest.flat(b"\xf4")
    guest.run()
    assert block_of(dimm).pins == 0
    guest.system.free(dimm)
    guest.system.rcu.drain()
    assert not mapped("pinned-dimm")
    guest.accelerator.close()
    assert block.pins == 0


def test_memory_is_freed_while_the_cpu_reads_it(guest):
    dimm = named_ram(guest.system, "read-dimm", 0x100000)
    dimm.buffer[0] = 1
    guest.root.add_subregion(DIMM, dimm)
    guest.flat(READ_UNTIL_ZERO)

    def unplug() -> None:
        with guest.system.transaction():
            guest.root.del_subregion(dimm)
            guest.system.free(dimm)

    plugger = later(unplug)
    assert guest.run().reason is ExitReason.HALTED
    plugger.join()
    guest.system.rcu.drain()
    assert not mapped("read-dimm")


def test_memory_comes_and_goes_under_a_running_cpu(guest):
    """Were a page unmapped too early, the process would end here."""
    guest.flat(READ_FOR_EVER)
    failures: list[BaseException] = []

    def plug() -> None:
        try:
            for number in range(60):
                dimm = named_ram(guest.system, f"churn-dimm-{number}", 0x10000)
                guest.root.add_subregion(DIMM, dimm)
                with guest.system.transaction():
                    guest.root.del_subregion(dimm)
                    guest.system.free(dimm)
        except BaseException as error:  # noqa: BLE001  (told to the main thread)
            failures.append(error)
        guest.loop.stop()

    plugger = threading.Thread(target=plug)
    plugger.start()
    assert guest.run().reason is ExitReason.STOPPED
    plugger.join()
    assert failures == []
    guest.flat(b"\xf4")
    guest.run()
    guest.system.rcu.drain()
    gc.collect()
    assert not mapped("churn-dimm-")


def test_what_comes_and_goes_while_the_cpu_stands_still_is_not_kept(guest):
    """A paused machine may be plugged into for as long as one likes."""
    if guest.accelerator.name != "unicorn":
        return
    guest.flat(b"\xf4")
    guest.run()
    dimm = named_ram(guest.system, "paused-dimm", 0x1000)
    for _ in range(2000):
        guest.root.add_subregion(DIMM, dimm)
        guest.root.del_subregion(dimm)
    assert len(guest.vcpu.mapper._touched) <= 1100
    guest.root.add_subregion(DIMM, dimm)
    dimm.buffer[0] = 0x5A
    guest.flat(b"\xa1" + DIMM.to_bytes(4, "little") + b"\xa3\x00\x30\x00\x00\xf4")
    guest.run()
    assert guest.memory.load(0x3000, 1) == 0x5A
