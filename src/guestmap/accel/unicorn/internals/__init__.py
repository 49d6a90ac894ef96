"""What Unicorn keeps to itself, as far as one build of it lets itself be used.

The one room in which anything is taken for granted that Unicorn's documentation does not promise.
What is here is found by experiment (:mod:`~.exploring`, in a process of its own the first time:
:mod:`~.known`), proved on each instance before it is relied on (:mod:`~.trials`), and can be done
without: each part has a documented way, which is slower, or knows no 64-bit guests.

=============== ==================================================================================
registers       in place, without copies (:mod:`~.structures`)
whole blocks    a run ends between two blocks of code, never within
halts           HLT is told, not guessed
long mode       a run goes on at all 64 bits of RIP
exceptions      delivered by the library's own code, in every mode (:mod:`~.exceptions`)
system calls    SYSCALL and SYSENTER (:mod:`~.system_calls`)
interrupts      one word asks for one
A20             by the library's own function
stores          as fast as loads, with self-modifying code seen (:mod:`~.stores`)
overwritten     a page that code was in is somebody's data by now (:mod:`~.overwritten`)
=============== ==================================================================================

Reading order: ``parts`` is the front, ``library`` and ``machine_code`` are the tools.
"""

from __future__ import annotations

from guestmap.accel.unicorn.internals.known import known
from guestmap.accel.unicorn.internals.library import Library, Refused
from guestmap.accel.unicorn.internals.parts import PARTS, Internals

__all__ = ["PARTS", "Internals", "Library", "Refused", "known"]
