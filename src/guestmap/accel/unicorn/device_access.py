"""What the library calls where a guest accesses a port, or a device's register in a window.

These are functions made for one CPU, and a way that the map remembers is gone right here
(:attr:`guestmap.memory.map.FlatView.plans`): each Python function that is called on the way costs a
fourth of what the library itself takes for the access. They may raise nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.memory.access.dispatch_cache import page_read, page_write

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.counters import Counters
    from guestmap.accel.unicorn.hooks import Hooks
    from guestmap.memory import AddressSpace

_MASKS = tuple((1 << 8 * size) - 1 for size in range(9))


def port_functions(
    io: AddressSpace, hooks: Hooks, counters: Counters, honour: Callable[[], None]
) -> tuple[Callable[[int, int, int], int], Callable[[int, int, int, int], None]]:
    """Return what is called for IN and for OUT.

    Args:
        io: the ports.
        hooks: are given what a device raises.
        counters: what happens is counted there.
        honour: called after an OUT: the map may have changed for the next instruction.
    """
    load, store, fail = io.load, io.store, hooks.fail
    source = io.source

    def port_in(_uc: int, port: int, size: int) -> int:
        counters.port_reads += 1
        try:
            read = source.view.plans.get(port << 4 | size)
            if read is None:
                return load(port, size)
            number: int = read()
            try:
                return number & _MASKS[size]
            except TypeError:
                raise io.no_number(port, size, number) from None
        except BaseException as error:  # noqa: BLE001 - raised again when the CPU has left
            return fail(error)

    def port_out(_uc: int, port: int, size: int, value: int) -> None:
        counters.port_writes += 1
        try:
            write = source.view.plans.get(~(port << 4 | size))
            if write is None:
                store(port, size, value)
            else:
                write(value & _MASKS[size], size)
            honour()
        except BaseException as error:  # noqa: BLE001 - raised again when the CPU has left
            fail(error)

    return port_in, port_out


def window_functions(
    hooks: Hooks, counters: Counters
) -> tuple[Callable[[int, int, int, int], int], Callable[[int, int, int, int, int], None]]:
    """Return what is called for reads and writes of what is no memory, with the window's address.

    An access for which there is a remembered way is not one in vain: a device takes it. Of reads
    the last register is remembered here, too: what polls one asks for it alone.
    """
    fail, in_vain = hooks.fail, hooks.in_vain
    like_memory = page_write if hooks.strings is None else hooks.strings.page_write
    last_offset = last_size = last_base = -1
    last_read: Callable[[], int] | None = None
    last_plans: dict[int, Any] = {}

    def find(plans: dict[int, Any], offset: int, size: int, base: int) -> None:
        """Look up a register that is not the last one."""
        nonlocal last_read, last_plans, last_offset, last_size, last_base
        address = base + offset
        last_read = plans.get(address << 4 | size) or page_read(plans, address, size)
        last_plans, last_offset, last_size, last_base = plans, offset, size, base

    def look_and_load(address: int, size: int) -> int:
        """Read where no way is remembered, or somebody hears what is read."""
        memory = hooks.memory
        in_vain.look(memory, address, size)
        value = memory.load(address, size)
        if hooks.hear_read is not None:
            hooks.hear_read(address, size, value)
        return value

    def read(_uc: int, offset: int, size: int, base: int) -> int:
        counters.mmio_reads += 1
        hooks.in_device = True
        try:
            plans = hooks.memory.source.view.plans
            if (
                offset != last_offset
                or size != last_size
                or base != last_base
                or plans is not last_plans
                or last_read is None
            ):
                find(plans, offset, size, base)
            if last_read is None or hooks.hear_read is not None:
                return look_and_load(base + offset, size)
            number = last_read()
            try:
                return number & _MASKS[size]
            except TypeError:
                raise hooks.memory.no_number(base + offset, size, number) from None
        except BaseException as error:  # noqa: BLE001 - raised again when the CPU has left
            return fail(error)
        finally:
            hooks.in_device = False

    def write(_uc: int, offset: int, size: int, value: int, base: int) -> None:
        counters.mmio_writes += 1
        hooks.in_device = True
        address, memory = base + offset, hooks.memory
        try:
            plans = memory.source.view.plans
            remembered = plans.get(~(address << 4 | size)) or like_memory(plans, address, size)
            if remembered is None:
                in_vain.look(memory, address, size, value)
                memory.store(address, size, value)
            else:
                remembered(value & _MASKS[size], size)
        except BaseException as error:  # noqa: BLE001 - raised again when the CPU has left
            fail(error)
        finally:
            hooks.in_device = False

    return read, write
