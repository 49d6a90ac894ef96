"""``-m``: how much RAM there is, how much may come, and in how many DIMMs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from guestmap.base import MIB, ConfigError
from guestmap.machine.options import (
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
        size = to_memory_size("size", values["size"], MIB) if "size" in values else 0
        size = -(-size // _STEP) * _STEP
        slots = to_wrapped("slots", values["slots"]) if "slots" in values else None
        maximum = to_memory_size("maxmem", values["maxmem"]) if "maxmem" in values else None
        check_hotplug(size or default, slots, maximum)
        return cls(size or None, slots or 0, maximum or 0)

    @staticmethod
    def check(text: str) -> dict[str, str]:
        """Return the values of one ``-m``, each of which can be what it stands for.

        Raises:
            ConfigError: QEMU's refusal, in its words.
        """
        with option("m", text):
            given = last_values(split_options(text, "size"), ("size", "slots", "maxmem"))
            if "size" in given:
                to_memory_size("size", given["size"], MIB)
            if "slots" in given:
                to_wrapped("slots", given["slots"])
            if "maxmem" in given:
                to_memory_size("maxmem", given["maxmem"])
        return given


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
