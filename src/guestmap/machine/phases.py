"""Which phase the firmware is in, told from what it says and does.

The phases are those of SeaBIOS's "Execution and code flow" document. What shows that one has begun
is a table: a line of the debug log (the first that SeaBIOS writes in the phase), a software
interrupt, a halt, a reset.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from guestmap.base.named_tuple import NamedTuple
from guestmap.base.pattern import pattern


class Phase(StrEnum):
    """A phase of SeaBIOS, in the order in which a start goes through them."""

    RESET = "reset"
    RESUME = "resume"
    PREINIT = "preinit"
    INIT = "init"
    SETUP = "setup"
    PREPBOOT = "prepboot"
    BOOT = "boot"
    RUNTIME = "runtime"
    HALT = "halt"


DESCRIPTIONS = {
    Phase.RESET: "the CPU starts at the reset vector, FFFFFFF0h",
    Phase.RESUME: "the firmware was entered again: it finds out what for",
    Phase.PREINIT: "POST: code that runs before the firmware moves itself",
    Phase.INIT: "POST: internal variables and interfaces",
    Phase.SETUP: "POST: hardware and drivers",
    Phase.PREPBOOT: "POST: interfaces made final",
    Phase.BOOT: "INT 19h or 18h: looking for something to start",
    Phase.RUNTIME: "what was started runs, and calls the firmware",
    Phase.HALT: "the CPU waits for interrupts that bring nothing more",
}

_LINES: tuple[tuple[str, Phase], ...] = (
    ("SeaBIOS (version ", Phase.PREINIT),
    ("Relocating init from ", Phase.INIT),
    ("Moving pm_base to ", Phase.SETUP),
    ("=== PCI bus & bridge init ===", Phase.SETUP),
    ("Space available for UMB: ", Phase.PREPBOOT),
    ("enter handle_18:", Phase.BOOT),
    ("enter handle_19:", Phase.BOOT),
    ("In resume ", Phase.RESUME),
    ("Jump to resume vector", Phase.RUNTIME),
)
"""What a line begins with that shows a phase."""

_BOOTING = "Booting from "
_ENTERED = pattern(_BOOTING + "[0-9a-f]{4}:[0-9a-f]{4}")
"""Of the lines that begin so, the one that is written as what was found is entered."""

_GAVE_UP = "No bootable device."
"""After this line the firmware halts in a loop; a halt before it only waits for hardware."""

BOOT_INTERRUPTS = frozenset({0x18, 0x19})
"""Software interrupts that begin to look for something to start."""

_MOST_CHANGES = 10_000
_ORDER = {phase: place for place, phase in enumerate(Phase)}


class PhaseChange(NamedTuple):
    """A phase that began at ``time_ns`` of the machine's time, and what showed it."""

    phase: Phase
    time_ns: int
    evidence: str


class PhaseTracker:
    """Turns what a machine shows into phases. Knows no machine and no engine.

    Args:
        now_ns: the machine's time.
        on_change: hears of each phase as it begins.
        halts: whether the firmware halts when it has given up; else it only says so.

    Attributes:
        changes: the newest phases, oldest first.
        gave_up: whether the firmware has said that it finds nothing to start.
    """

    def __init__(
        self,
        now_ns: Callable[[], int],
        on_change: Callable[[PhaseChange], None] = lambda _change: None,
        *,
        halts: bool = True,
    ) -> None:
        self._halts = halts
        self._now_ns = now_ns
        self._on_change = on_change
        self.changes: list[PhaseChange] = []
        self.gave_up = False

    def restore(self, changes: list[PhaseChange], *, gave_up: bool) -> None:
        """Go on from phases that were saved; nobody hears of them."""
        self.changes = changes[-_MOST_CHANGES:]
        self.gave_up = gave_up

    @property
    def phase(self) -> Phase | None:
        """The phase that the firmware is in; None before the first reset."""
        return self.changes[-1].phase if self.changes else None

    def reset(self, reason: str) -> None:
        """The CPU starts at the reset vector."""
        self._enter(Phase.RESET, reason)

    def line(self, text: str) -> None:
        """The firmware wrote a line to its debug log."""
        if text.startswith(_GAVE_UP):
            self.gave_up = True
            if not self._halts:
                self._advance(Phase.HALT, f"log: {text}")
        for beginning, phase in _LINES:
            if text.startswith(beginning):
                self._advance(phase, f"log: {text}")
        if text.startswith(_BOOTING) and _ENTERED.match(text):
            self._advance(Phase.RUNTIME, f"log: {text}")

    def interrupt(self, vector: int) -> None:
        """The guest executed a software interrupt."""
        if vector in BOOT_INTERRUPTS:
            self._advance(Phase.BOOT, f"INT {vector:02X}h")

    def halted(self, *, for_good: bool = False) -> None:
        """The CPU executed HLT; ``for_good``: with interrupts off."""
        if for_good or self.gave_up:
            self._advance(Phase.HALT, "HLT with interrupts off" if for_good else "HLT")

    def _advance(self, phase: Phase, evidence: str) -> None:
        """Enter a phase that comes later than the present one; a banner line repeated is none."""
        present = self.phase
        later = present is None or _ORDER[phase] > _ORDER[present]
        again = phase is Phase.RESUME or (present is Phase.RUNTIME and phase is Phase.BOOT)
        if later or again:
            self._enter(phase, evidence)

    def _enter(self, phase: Phase, evidence: str) -> None:
        if phase is not Phase.HALT:
            self.gave_up = False
        change = PhaseChange(phase, self._now_ns(), evidence)
        self.changes.append(change)
        if len(self.changes) > _MOST_CHANGES:  # a guest may reset itself for ever
            del self.changes[: _MOST_CHANGES // 2]
        self._on_change(change)
