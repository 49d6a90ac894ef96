"""Engines by name; each is imported when somebody asks for it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, UnsupportedError

if TYPE_CHECKING:
    from guestmap.accel.api import Engine, InterruptSource
    from guestmap.base import Clock
    from guestmap.memory import AddressSpace

ENGINES = {
    "unicorn": ("guestmap.accel.unicorn", "UnicornEngine"),
    "none": ("guestmap.accel.none", "NoCpuEngine"),
}
"""Name -> module and class."""


def open_engine(
    name: str,
    memory: AddressSpace,
    io: AddressSpace,
    interrupts: InterruptSource,
    clock: Clock,
) -> Engine:
    """Return a new engine in reset.

    Raises:
        ConfigError: there is no engine of that name.
        UnsupportedError: the library that it needs is not installed.
    """
    if name not in ENGINES:
        raise ConfigError(f"there is no engine {name!r}: choose one of {', '.join(ENGINES)}")
    module_name, class_name = ENGINES[name]
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise UnsupportedError(
            f"engine {name!r} needs a library that is not installed ({error}):"
            f" pip install 'guestmap[{name}]'"
        ) from error
    engine: Engine = getattr(module, class_name)(memory, io, interrupts, clock)
    return engine
