"""Unicorn as an accelerator: one x86 CPU, and what this build of the library lets it do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guestmap.accel.accelerator import Accelerator
from guestmap.accel.counters import Counters
from guestmap.accel.types import Capabilities, EngineStatistics
from guestmap.accel.unicorn.internals import PARTS
from guestmap.accel.unicorn.vcpu import UnicornVcpu
from guestmap.base import ConfigError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.accel.in_vain import InVain
    from guestmap.accel.vcpu import InterruptSource
    from guestmap.memory import AddressSpace, MemoryListener

INTERNALS_VARIABLE = "GUESTMAP_UNICORN"
"""Environment variable: ``documented`` leaves the library's inside alone."""


def _wants_internals() -> bool:
    wanted = os.environ.get(INTERNALS_VARIABLE, "")
    if wanted not in {"", "internals", "documented"}:
        raise ConfigError(f"{INTERNALS_VARIABLE}={wanted!r}: say internals or documented")
    return wanted != "documented"


class UnicornAccelerator(Accelerator):
    """One x86 CPU: in all modes, or without long mode (see :class:`Capabilities`).

    Args:
        memory, io: what the CPU sees.
        interrupts: its INTR pin, alone.
        hidden_state: False makes it use nothing but the documented interface of Unicorn, as it does
            where the probe of the CPU structure fails (see :class:`Capabilities`).
        internals: False makes it leave the library's inside alone (:mod:`~.internals`); None does
            what the environment says.

    Raises:
        ConfigError: the environment asks for something that is not there.
        UnsupportedError: more than one CPU is asked for.
    """

    name = "unicorn"
    has_smm = True

    def __init__(
        self,
        memory: AddressSpace,
        io: AddressSpace,
        interrupts: Sequence[InterruptSource],
        *,
        hidden_state: bool = True,
        internals: bool | None = None,
    ) -> None:
        if len(interrupts) != 1:
            raise UnsupportedError(f"engine 'unicorn' runs one CPU, not {len(interrupts)}")
        if internals is None:
            internals = _wants_internals()
        self._counters = Counters()
        self._vcpu = UnicornVcpu(
            memory, io, interrupts[0], self._counters,
            hidden_state=hidden_state, internals=internals,
        )  # fmt: skip
        self._vcpu.mapper.follow(memory)

    @property
    def capabilities(self) -> Capabilities:
        """What the probe of this build of Unicorn found."""
        found = self._vcpu.cpu.window is not None
        inside = self._vcpu.cpu.internals
        return Capabilities(
            runs_code=True,
            exact_interrupts=found,
            exceptions=found,
            reset_vector=found,
            a20=found,
            smm=found,
            long_mode=inside is not None
            and all(inside.has(part) for part in ("exceptions", "long mode", "system calls")),
        )

    @property
    def parts(self) -> dict[str, str]:
        """How each part of the CPU is done: "internals", or why it is done otherwise."""
        cpu = self._vcpu.cpu
        if cpu.internals is None:
            return dict.fromkeys(PARTS, f"documented: {cpu.documented}")
        why = {part: f"documented: {reason}" for part, reason in cpu.internals.refused.items()}
        return dict.fromkeys(PARTS, "internals") | why

    @property
    def listener(self) -> MemoryListener:
        """The mapper of the CPU."""
        return self._vcpu.mapper

    @property
    def in_vain(self) -> InVain:
        """What its guest did in vain, in memory."""
        return self._vcpu.in_vain

    def vcpu(self, number: int = 0) -> UnicornVcpu:
        """Return the CPU."""
        if number:
            raise ConfigError(f"there is no vCPU {number}: engine 'unicorn' has one")
        return self._vcpu

    def statistics(self) -> EngineStatistics:
        """Return the counts of this moment."""
        self._vcpu.count_exceptions()
        return self._counters.freeze()

    def close(self) -> None:
        """Let go of the address spaces and of the host's memory."""
        if self._vcpu.closed:
            return
        self._vcpu.check_idle()
        self._vcpu.closed = True
        self._vcpu.mapper.leave()
        self._vcpu.mapper.release()
