"""Engines by name; each is imported when somebody asks for it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, HostError, UnsupportedError

if TYPE_CHECKING:
    from guestmap.accel.api import Engine, InterruptSource
    from guestmap.base import Clock
    from guestmap.memory import AddressSpace

ENGINES = {
    "unicorn": ("guestmap.accel.unicorn.engine", "UnicornEngine"),
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
        UnsupportedError: a library that it needs is not installed.
        HostError: a library that it needs is installed and cannot be loaded.
    """
    if name not in ENGINES:
        raise ConfigError(f"there is no engine {name!r}: choose one of {', '.join(ENGINES)}")
    module_name, class_name = ENGINES[name]
    try:
        module = import_module(module_name)
    except ImportError as error:
        if (error.name or "").partition(".")[0] == __name__.partition(".")[0]:
            raise  # a mistake of ours is no missing library
        if isinstance(error, ModuleNotFoundError):
            raise UnsupportedError(
                f"engine {name!r} needs a library that is not installed ({error}):"
                f" pip install 'guestmap[{name}]'"
            ) from error
        raise HostError(
            f"engine {name!r} needs a library that is installed and cannot be loaded: {error}"
        ) from error
    engine: Engine = getattr(module, class_name)(memory, io, interrupts, clock)
    return engine
