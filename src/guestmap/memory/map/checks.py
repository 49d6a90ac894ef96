"""What a region is made of, looked at before it is taken: names, sizes, addresses, callbacks."""

from __future__ import annotations

from operator import index
from typing import TypeVar

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError
from guestmap.memory.map.arguments import takes
from guestmap.memory.map.ops import MemoryRegionOps

T = TypeVar("T")

_ARGUMENTS = {
    "read": ("offset", "size"),
    "write": ("offset", "value", "size"),
    "read_with_attrs": ("offset", "size", "attrs"),
    "write_with_attrs": ("offset", "value", "size", "attrs"),
}
"""What each callback of a region is called with."""


def checked_name(name: object) -> str:
    """Return the name of a region.

    Raises:
        ConfigError: it is no text.
    """
    if not isinstance(name, str):
        raise ConfigError(f"region {name!r}: a region's name is text, not {_kind(name)}")
    return name


def checked_ops(name: str, ops: object) -> MemoryRegionOps | None:
    """Return the callbacks of a region, or None where it has none.

    Raises:
        ConfigError: they are something else, or one does not take what it is called with.
    """
    if ops is None:
        return None
    if not isinstance(ops, MemoryRegionOps):
        raise ConfigError(
            f"region {name!r}: its callbacks are {_kind(ops)}: give a MemoryRegionOps"
        )
    for which, words in _ARGUMENTS.items():
        callback = getattr(ops, which)
        if callback is not None and not takes(callback, len(words)):
            raise ConfigError(
                f"region {name!r}: its callback {which!r} is called with {len(words)} arguments"
                f" ({', '.join(words)}), which {callback!r} does not take"
            )
    return ops


def checked_size(name: str, size: object) -> int:
    """Return the size of a region, in bytes.

    Raises:
        ConfigError: it is no whole number, or not 1 to 2**64.
    """
    number = whole(size)
    if number is None:
        raise ConfigError(
            f"region {name!r}: size {size!r} is {_kind(size)}: give a whole number of bytes"
        )
    if not 0 < number <= ADDRESS_SPACE_SIZE:
        raise ConfigError(
            f"region {name!r}: size {number:#x} is impossible: give 1 to 0x{ADDRESS_SPACE_SIZE:x}"
        )
    return number


def checked_flag(what: str, value: object) -> bool:
    """Return a yes or no, or a number as one, a register's bit say; ``what`` begins the message.

    Raises:
        ConfigError: it is something else: a text, say, of which ``"off"`` would be a yes.
    """
    if isinstance(value, bool):
        return value
    number = whole(value)
    if number is None:
        raise ConfigError(f"{what} {value!r} is {_kind(value)}: give True or False")
    return number != 0


def checked_number(what: str, value: object) -> int:
    """Return a number of whatever size; ``what`` begins the message.

    Raises:
        ConfigError: it is no whole number.
    """
    number = whole(value)
    if number is None:
        raise ConfigError(f"{what} {value!r} is {_kind(value)}: give a whole number")
    return number


def checked_callback(what: str, value: T) -> T:
    """Return something to be called; ``what`` begins the message.

    Raises:
        ConfigError: it cannot be called.
    """
    if not callable(value):
        raise ConfigError(f"{what} {value!r} is {_kind(value)}: give a function")
    return value


def checked_kind(what: str, value: object, kind: type[T]) -> T:
    """Return an object of a class; ``what`` begins the message.

    Raises:
        ConfigError: it is of another.
    """
    if not isinstance(value, kind):
        raise ConfigError(f"{what} {value!r} is {_kind(value)}: give a {kind.__name__}")
    return value


def checked_address(what: str, address: object) -> int:
    """Return an address or an offset; ``what`` begins the message.

    Raises:
        ConfigError: it is no whole number, or not 0 to 2**64 - 1.
    """
    number = whole(address)
    if number is None:
        raise ConfigError(f"{what} {address!r} is {_kind(address)}: give the address as a number")
    if not 0 <= number < ADDRESS_SPACE_SIZE:
        raise ConfigError(f"{what} {number:#x} is not an address")
    return number


def whole(value: object) -> int | None:
    """Return a whole number of whatever type; None for what is none."""
    try:
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _kind(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
