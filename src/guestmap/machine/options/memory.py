"""``-m``: how much RAM there is, how much may come, and in how many DIMMs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from guestmap.base import ConfigError
from guestmap.base.named_tuple import NamedTuple
from guestmap.machine.options.strings import (
    last_values,
    option,
    split_options,
    to_memory_size,
    to_wrapped,
)

MOST_SLOTS = 256

_STEP = 8192
"""QEMU rounds the size of RAM up to this (system/vl.c, ``set_memory_options``)."""
_PAGE = 4096
_CONVERT: Final[dict[str, Callable[[str], int]]] = {
    "size": lambda text: to_memory_size("size", text),
    "slots": lambda text: to_wrapped("slots", text),
    "maxmem": lambda text: to_memory_size("maxmem", text),
}


class MemoryOption(NamedTuple):
    """What ``-m`` said.

    Attributes:
        size: bytes of RAM; None where it does not say, or says 0.
        slots: DIMMs that may be plugged in.
        maximum: bytes of RAM with all that may be plugged in; 0 for no more than there is.
    """

    size: int | None = None
    slots: int = 0
    maximum: int = 0

    @classmethod
    def parse(cls, texts: Iterable[str], default: int) -> MemoryOption:
        """Read ``[size=]SIZE[,slots=N][,maxmem=SIZE]``; several options are taken together.

        A size without a suffix counts MiB, a ``maxmem`` without one bytes.

        Args:
            texts: the arguments of all ``-m``, in order.
            default: bytes of RAM where they do not say.

        Raises:
            ConfigError: QEMU's refusal, in its words.
        """
        values: dict[str, str] = {}
        for text in texts:
            values |= cls.check(text)
        slots, maximum = (
            _CONVERT[name](values[name]) if name in values else None for name in ("slots", "maxmem")
        )
        size = -(-_size(values.get("size", "0")) // _STEP) * _STEP
        check_hotplug(size or default, slots, maximum)
        return cls(size or None, slots or 0, maximum or 0)

    @staticmethod
    def check(text: str) -> dict[str, str]:
        """Return the values of one ``-m``, each of which can be what it stands for.

        Raises:
            ConfigError: QEMU's refusal, in its words.
        """
        with option("m", text):
            pairs = split_options(text, "size")
            for name, value in pairs:  # QEMU looks at them in this order
                if name not in _CONVERT:
                    raise ConfigError(f"Invalid parameter '{name}'")
                _CONVERT[name](value)
        return last_values(pairs)


def _size(text: str) -> int:
    """Return the bytes of RAM; what ends in a digit counts MiB."""
    try:
        return to_memory_size("size", f"{text}M" if text[-1].isdigit() else text)
    except ConfigError:
        raise ConfigError("Parameter 'memory.size' expects size") from None


def check_hotplug(size: int, slots: int | None, maximum: int | None) -> None:
    """Check that memory may be plugged in so.

    Args:
        size: bytes of RAM from the start.
        slots: DIMMs that may be plugged in; None where nothing was said.
        maximum: bytes of RAM in all; None where nothing was said.

    Raises:
        ConfigError: QEMU's refusal, in its words.
    """
    if maximum is None:
        if slots is not None:
            raise ConfigError("slots specified but no max-size")
        return
    refused = ""
    if maximum < size:
        refused = f"maximum memory size (0x{maximum:x}) must be at least the initial memory size"
    elif slots and maximum == size:
        refused = (
            f"memory slots were specified but maximum memory size (0x{maximum:x}) is equal to the"
            " initial memory size"
        )
    if refused:
        raise ConfigError(f"invalid value of maxmem: {refused} (0x{size:x})")
    if maximum == size:
        return
    if (slots or 0) > MOST_SLOTS:
        raise ConfigError(f"unsupported amount of memory slots: {slots}")
    if maximum % _PAGE:
        raise ConfigError("maximum memory size must by aligned to multiple of 4096 bytes")
