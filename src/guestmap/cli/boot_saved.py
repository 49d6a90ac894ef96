"""Saved machines on the command line: ``--save``, ``--restore`` and ``--snapshots``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.machine.phases import Phase
from guestmap.machine.run_state import RunState
from guestmap.machine.vm import VirtualMachine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from guestmap.cli.boot_options import BootOptions
    from guestmap.cli.boot_told import Silence
    from guestmap.machine import Event, MachineConfig

_OF_THE_MACHINE = (
    "machine", "ram", "bios", "max_ram_below_4g", "device", "object_", "smp", "numa", "option_rom",
    "kernel", "initrd", "append", "kernel_entry", "vga", "vapic", "defaults",
    "drive", "disk", "cdrom",
)  # fmt: skip
"""Parameters that say what machine is made."""
_ORDER = {phase: place for place, phase in enumerate(Phase)}


def check_saving(options: BootOptions, *, managed: bool) -> None:
    """Refuse what makes no sense together, before anything is done.

    Raises:
        ConfigError: a saved machine is to be another one, or nobody could say when to save.
        HostError: there is no place for the file.
    """
    if options.save is not None and managed:
        raise ConfigError(
            "--save is for a machine that nobody manages: leave it out, or --qmp; with --qmp and"
            " --snapshots there is savevm"
        )
    if options.save is not None:
        from guestmap.base.whole_file import refuse_unwritable

        refuse_unwritable(options.save)
    if options.restore is None:
        return
    given = [options.given[name] for name in _OF_THE_MACHINE if name in options.given]
    if given:
        words = ", ".join(given)
        raise ConfigError(f"--restore makes the machine that was saved: leave out {words}")


def make_machine(
    config: MachineConfig,
    restore: Path | None,
    engine: str,
    observer: Callable[[Event], None],
) -> VirtualMachine:
    """Make a machine anew, or one that was saved.

    Args:
        config: what it is made from, where it is made anew.
        restore: the file of one that was saved.
        engine: what runs its CPU; "" for Unicorn, or what ran the one that was saved.
        observer: hears each event.
    """
    if restore is None:
        return VirtualMachine(config, engine=engine or "unicorn", observer=observer)
    from guestmap.machine import saved

    return saved.restore(restore, engine=engine, observer=observer)


def keep_snapshots(vm: VirtualMachine, folder: Path | None) -> None:
    """Let ``savevm`` and its like use a folder.

    Raises:
        HostError: it cannot be made.
    """
    if folder is not None:
        from guestmap.machine.saved.snapshots import Snapshots

        vm.snapshots = Snapshots(folder)


def save_machine(vm: VirtualMachine, path: Path | None, told: Silence) -> None:
    """Save a machine whose run is over, where that was asked for.

    One whose CPU cannot go on is not: why is told by whoever looks at how the run ended.

    Raises:
        StateError, UnsupportedError, HostError: it cannot be saved.
    """
    if path is not None and vm.state is not RunState.INTERNAL_ERROR:
        from guestmap.machine.saved import save

        save(vm, path)
        told.say(f"saved in {path}: guestmap boot --restore {path} goes on from here")


def is_there(vm: VirtualMachine, until: Phase) -> bool:
    """Tell whether a machine is where its run was to end already.

    Raises:
        ConfigError: it was saved later than that.
    """
    present = vm.phases.phase
    if present is None or present is until:
        return present is until
    if _ORDER[present] > _ORDER[until]:
        raise ConfigError(
            f"the saved machine is in phase {str(present)!r}: it was in {str(until)!r} before that"
        )
    return False
