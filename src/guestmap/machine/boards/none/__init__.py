"""The empty machine: two address spaces, RAM where some is asked for, and nothing else.

As QEMU's ``-M none`` (hw/core/null-machine.c): for looking at what every machine has, and for
programs that put a machine together through a monitor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guestmap.machine.boards.declare import STRING, BoardOption, BoardType

if TYPE_CHECKING:
    from guestmap.machine.boards.none.board import EmptyMachine


def _load() -> type[EmptyMachine]:
    from guestmap.machine.boards.none.board import EmptyMachine

    return EmptyMachine


NONE: Final = BoardType(
    name="none",
    description="empty machine",
    load=_load,
    ram_id="ram",
    options=(
        BoardOption(
            "memory-backend", STRING, "Set RAM backendValid value is ID of hostmem based backend",
            "", "memory_backend",
        ),
    ),
    passed_over=frozenset({
        "append", "boot", "confidential-guest-support", "dt-compatible", "dtb", "dump-guest-core",
        "dumpdtb", "firmware", "graphics", "initrd", "kernel", "mem-merge", "memory",
        "memory-encryption", "phandle-start", "smp", "suppress-vmdesc", "usb",
    }),
)  # fmt: skip
