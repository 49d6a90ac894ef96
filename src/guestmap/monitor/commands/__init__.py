"""The commands, a module for each subject; a command is declared where it is carried out."""

from __future__ import annotations

from guestmap.monitor.claim import MACHINE_S_OWN, QemuClaim
from guestmap.monitor.command import CommandTable
from guestmap.monitor.commands import (
    balloon,
    block,
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


def command_table(claim: QemuClaim = MACHINE_S_OWN) -> CommandTable:
    """Return all commands and events.

    Args:
        claim: the QEMU that the monitor says it is.
    """
    return CommandTable(
        (
            *identity.commands(claim),
            *schema.COMMANDS,
            *state.COMMANDS,
            *console.COMMANDS,
            *cpus.commands(claim),
            *pci.COMMANDS,
            *tree.COMMANDS,
            *objects.COMMANDS,
            *memory.COMMANDS,
            *balloon.COMMANDS,
            *block.COMMANDS,
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
        claim,
    )
