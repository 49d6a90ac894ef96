"""Accelerators by name; each is imported when somebody asks for it."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from guestmap.accel.irqchip import InterruptChip
from guestmap.base import ConfigError, HostError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from guestmap.accel.accelerator import Accelerator
    from guestmap.accel.types import Processor
    from guestmap.accel.vcpu import InterruptSource
    from guestmap.memory import AddressSpace

ACCELERATORS = {
    "unicorn": ("guestmap.accel.unicorn.accelerator", "UnicornAccelerator"),
    "kvm": ("guestmap.accel.kvm.accelerator", "KvmAccelerator"),
    "none": ("guestmap.accel.none", "NoAccelerator"),
}
"""Name -> module and class."""


def open_accelerator(
    name: str,
    memory: AddressSpace,
    io: AddressSpace,
    interrupts: Sequence[InterruptSource],
    *,
    processors: Sequence[Processor] = (),
    few_will_do: bool = False,
    chip: InterruptChip = InterruptChip.MACHINE,
) -> Accelerator:
    """Return a new accelerator, its vCPUs in reset.

    Args:
        name: which, with its options behind commas (``kvm,dirty-ring-size=4096``); or several,
            with a colon between two (QEMU's ``accel=kvm:tcg``): the first that this host has, and
            does well, is taken, or else the last.
        memory: what the vCPUs see.
        io: their ports.
        interrupts: the INTR pin of each vCPU.
        processors: what each tells of itself; none for cores of one socket.
        chip: who is to have the interrupt controllers.
        few_will_do: an accelerator that runs one CPU alone is given the first.

    Raises:
        ConfigError: there is no accelerator of that name.
        UnsupportedError: a library that it needs is not installed; it has not that many vCPUs.
        HostError: a library that it needs is installed and cannot be loaded.
    """
    *first, last = name.split(":")
    accelerator: Accelerator

    def made(each: str) -> Any:
        kind = _load(each)
        if chip not in kind.CHIPS:
            raise UnsupportedError(
                f"engine {kind.name!r} has no interrupt controllers, the board has:"
                f" kernel-irqchip={chip.value} is for engine 'kvm'"
            )
        if kind.runs_several:
            options = _options(each, kind)
            return kind(memory, io, interrupts, processors=processors, chip=chip, **options)
        pins = interrupts[:1] if few_will_do else interrupts
        return kind(memory, io, pins, **_options(each, kind))

    left_out: list[str] = []
    for each in first:
        try:
            _load(each).check_worth()
            accelerator = made(each)
        except (HostError, UnsupportedError) as error:
            left_out.append(f"engine {each!r} is left out: {error}")
        else:
            break
    else:
        accelerator = made(last)
    accelerator.left_out = tuple(left_out)
    return accelerator


def has_smm(name: str) -> bool:
    """Tell whether each accelerator of a name, or several, has a system management mode.

    Raises:
        ConfigError, HostError, UnsupportedError: as :func:`open_accelerator`; the last one alone.
    """
    *first, last = name.split(":")
    found = _load(last).has_smm
    for each in first:
        with suppress(HostError, UnsupportedError):
            found = found and _load(each).has_smm
    return bool(found)


def _options(name: str, kind: Any) -> dict[str, int]:
    """Return the options behind a name, as the constructor has them."""
    _, *words = name.split(",")
    given: dict[str, int] = {}
    for word in words:
        option, _, value = word.partition("=")
        if option not in kind.OPTIONS:
            there = ", ".join(kind.OPTIONS) or "none at all"
            raise ConfigError(f"engine {kind.name!r} has no option {option!r}: it has {there}")
        if not (value.isascii() and value.isdecimal()):
            raise ConfigError(f"engine {kind.name!r}: {option} is a number, not {value!r}")
        given[kind.OPTIONS[option]] = int(value)
    return given


def _load(name: str) -> Any:
    name = name.partition(",")[0]
    if name not in ACCELERATORS:
        raise ConfigError(f"there is no engine {name!r}: choose one of {', '.join(ACCELERATORS)}")
    module_name, class_name = ACCELERATORS[name]
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
    return getattr(module, class_name)
