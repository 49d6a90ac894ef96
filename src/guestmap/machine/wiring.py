"""A board, an accelerator and its CPUs: how they are connected, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from guestmap.accel import InterruptChip, RunLoop
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from guestmap.accel import Accelerator
    from guestmap.machine.board import Board
    from guestmap.machine.config import MachineConfig

_CHIP = "kernel-irqchip"


def check_smm(board: Board, accelerator: Accelerator) -> None:
    """Refuse a system management mode that no CPU enters: firmware would wait for it for ever.

    Raises:
        UnsupportedError: the board has it, and the accelerator's CPU has not.
    """
    can = accelerator.capabilities
    if board.smm_memory is not None and can.runs_code and not can.smm:
        accelerator.close()
        raise UnsupportedError(
            f"engine {accelerator.name!r} has no system management mode, and the machine has it:"
            " make one with -M pc,smm=off"
        )


def loop_of(accelerator: Accelerator, board: Board) -> RunLoop:
    """Return what runs the CPUs that the accelerator has."""
    vcpus = accelerator.vcpus
    if len(vcpus) == 1:
        return RunLoop(vcpus[0], board.clock)
    from guestmap.accel.several import SeveralLoops

    return SeveralLoops(vcpus, board.clock)


def wire_cpus(board: Board, loops: Sequence[RunLoop]) -> None:
    """Connect a board's pins to the CPUs that run: interrupts, SMI, INIT and STARTUP."""
    for loop, pin in zip(loops, board.pins, strict=False):
        pin.on_change = loop.interrupts_changed
        loop.vcpu.smm_memory = board.smm_memory
    if board.smm_memory is not None:
        board.on_smi = lambda cpu: _told(loops, cpu, lambda loop: loop.vcpu.raise_smi())
    board.on_init = lambda cpu: _told(loops, cpu, RunLoop.init)
    board.on_startup = lambda cpu, vector: _told(loops, cpu, lambda loop: loop.startup(vector))


def _told(loops: Sequence[RunLoop], cpu: int, tell: Callable[[RunLoop], None]) -> None:
    """Tell a CPU something; one that nobody runs hears nothing."""
    if cpu < len(loops):
        tell(loops[cpu])


def chip_of(config: MachineConfig) -> InterruptChip:
    """Return who is to have the interrupt controllers; of most boards, the board."""
    if _CHIP not in {each.name for each in config.board.options}:
        return InterruptChip.MACHINE
    return InterruptChip(config.option(_CHIP))
