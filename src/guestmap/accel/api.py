"""What an engine is: it runs a CPU on two address spaces until something ends the run.

A machine makes one engine, gives it the memory and the I/O address space, the interrupt
controller's output and a clock, and calls :meth:`Engine.run`. All device callbacks, timers
included, are made in the thread that runs the CPU, one at a time.

Only five methods may be called from any thread at any moment: :meth:`Engine.stop`,
:meth:`Engine.request_reset`, :meth:`Engine.kick`, :meth:`Engine.attend` and
:meth:`Engine.statistics`. Everything else is for the thread that runs the CPU (device callbacks,
observers), for whoever was given the turn (:attr:`Engine.turn`), or for when nothing runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, Self

from guestmap.accel.turn import Alone, Turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from guestmap.accel.types import (
        Capabilities,
        EngineStatistics,
        Exit,
        Register,
        Segment,
        SegmentRegister,
        SoftwareInterrupt,
    )
    from guestmap.base import Clock
    from guestmap.memory import AddressSpace


class InterruptSource(Protocol):
    """The interrupt controller, as the CPU's INTR pin and acknowledge cycle see it.

    Whoever changes :attr:`pending` calls :meth:`Engine.kick` afterwards.
    """

    @property
    def pending(self) -> bool:
        """Whether the INTR line is high."""

    def acknowledge(self) -> int:
        """Run the acknowledge cycle: return the 8-bit vector; spurious where nothing is pending."""


class NoInterrupts:
    """An INTR line that is never raised."""

    pending = False

    def acknowledge(self) -> int:
        """Return the vector that a pulled-up data bus reads as."""
        return 0xFF


class Engine(ABC):
    """A CPU engine, in reset when it is made. Close it, or use it as a context manager.

    Attributes:
        turn: who else may be at the machine; replace it before the first run.
    """

    name: str

    def __init__(
        self, memory: AddressSpace, io: AddressSpace, interrupts: InterruptSource, clock: Clock
    ) -> None:
        self.memory = memory
        self.io = io
        self.interrupts = interrupts
        self.clock = clock
        self.turn: Turn = Alone()
        self._on_software_interrupt: list[Callable[[SoftwareInterrupt], None]] = []
        self._on_halt: list[Callable[[], None]] = []

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this engine can do on this host."""

    @property
    def parts(self) -> dict[str, str]:
        """How each part of the CPU is done, where an engine has a choice: for people."""
        return {}

    @abstractmethod
    def run(self) -> Exit:
        """Run the CPU until something ends the run; call again to go on.

        Raises:
            StateError: it runs already, or is closed.
            Exception: whatever a device callback raised.
        """

    @abstractmethod
    def stop(self) -> None:
        """End the run with STOPPED, soon; from any thread; where nothing runs, the next run."""

    @abstractmethod
    def request_reset(self) -> None:
        """End the run with RESET, soon; from any thread."""

    @abstractmethod
    def reset(self) -> None:
        """Put the CPU into its state after RESET#: CS base FFFF0000h, EIP FFF0h.

        Raises:
            StateError: it runs.
        """

    @abstractmethod
    def kick(self) -> None:
        """Say that the interrupt source's ``pending`` changed; from any thread."""

    @abstractmethod
    def attend(self) -> None:
        """Have the CPU leave the guest and give way (:class:`Turn`), soon; from any thread."""

    @abstractmethod
    def set_a20(self, enabled: bool) -> None:
        """Open or close the A20 gate: closed, address bit 20 reads as 0."""

    @abstractmethod
    def read_register(self, register: Register) -> int:
        """Return a register.

        Raises:
            UnsupportedError: the engine has no CPU.
        """

    @abstractmethod
    def write_register(self, register: Register, value: int) -> None:
        """Set a register; the CPU must not run.

        Raises:
            StateError: it runs.
            UnsupportedError: the engine has no CPU.
        """

    @abstractmethod
    def read_segment(self, register: SegmentRegister) -> Segment:
        """Return a segment register with its hidden part.

        Raises:
            UnsupportedError: the engine has no CPU.
        """

    @abstractmethod
    def write_segment(self, register: SegmentRegister, segment: Segment) -> None:
        """Set a segment register and its hidden part; the CPU must not run.

        Raises:
            StateError: it runs.
            UnsupportedError: the engine has no CPU, or cannot set hidden parts on this host.
        """

    @abstractmethod
    def statistics(self) -> EngineStatistics:
        """Return the counts of this moment."""

    def close(self) -> None:
        """Let go of the address spaces and of the host's memory. Closing twice is allowed."""

    def observe_software_interrupts(self, observer: Callable[[SoftwareInterrupt], None]) -> None:
        """Call ``observer`` before each ``INT n`` takes effect, in the thread that runs the CPU."""
        self._on_software_interrupt.append(observer)

    def observe_halts(self, observer: Callable[[], None]) -> None:
        """Call ``observer`` after each HLT, before the CPU waits, in the thread that runs it."""
        self._on_halt.append(observer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
