"""The commands, a module for each subject; a command is declared where it is carried out."""

from __future__ import annotations

from guestmap.monitor.command import CommandTable
from guestmap.monitor.commands import (
    balloon,
    console,
    cpus,
    identity,
    managers,
    memory,
    migration,
    objects,
    ours,
    pci,
    schema,
    state,
    trace,
    tree,
)


def command_table() -> CommandTable:
    """Return all commands and events."""
    return CommandTable(
        (
            *identity.COMMANDS,
            *schema.COMMANDS,
            *state.COMMANDS,
            *console.COMMANDS,
            *cpus.COMMANDS,
            *pci.COMMANDS,
            *tree.COMMANDS,
            *objects.COMMANDS,
            *memory.COMMANDS,
            *balloon.COMMANDS,
            *managers.COMMANDS,
            *migration.COMMANDS,
            *ours.COMMANDS,
            *trace.COMMANDS,
        ),
        (
            *state.EVENTS,
            *objects.EVENTS,
            *memory.EVENTS,
            *balloon.EVENTS,
            *migration.EVENTS,
            *trace.EVENTS,
        ),
    )
