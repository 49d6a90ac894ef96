"""What a vCPU is: registers, an INTR pin, and a way into the guest, and out of it when kicked.

A :class:`guestmap.accel.loop.RunLoop` runs it. Only :meth:`Vcpu.kick`, :meth:`Vcpu.set_a20` and
:meth:`Vcpu.knows_interrupts` may be called from any thread at any moment. Everything else is for
the thread that runs it (device callbacks, observers), for whoever was given the turn, or for when
nothing runs.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

from guestmap.accel.turn import Alone, Turn
from guestmap.base import StateError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from guestmap.accel.debug import CpuProbe
    from guestmap.accel.exits import Exit
    from guestmap.accel.following import CpuFollower
    from guestmap.accel.types import Register, Segment, SegmentRegister, SoftwareInterrupt
    from guestmap.accel.vcpu_state import VcpuState
    from guestmap.memory import AddressSpace


InterruptObserver: TypeAlias = "tuple[Callable[[SoftwareInterrupt], None], Collection[int]]"
"""Who hears of ``INT n``, and of which."""

ALL_VECTORS = range(256)

RESET_SMBASE = 0x30000
"""Where a CPU's system management handler has its base after RESET#."""


class InterruptSource(Protocol):
    """The interrupt controller, as a CPU's INTR pin and acknowledge cycle see it.

    Whoever changes :attr:`pending` calls :meth:`RunLoop.interrupts_changed` afterwards.
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


class Activity(Enum):
    """What a vCPU is going to do (Intel SDM, volume 3, section 25.4.2: "Activity state")."""

    ACTIVE = "active"  # execute
    RETRYING = "retrying"  # execute; an interrupt waits that it must be offered again and again
    HALTED = "halted"  # wait for an interrupt
    HALTED_FOR_GOOD = "halted for good"  # wait, with interrupts off


class Vcpu(ABC):
    """A CPU of a machine, in reset when it is made.

    Args:
        engine: the accelerator's name, for messages.
        number: which one it is.

    Attributes:
        smm_memory: what it sees in system management mode; None for a machine without. Set it
            before the first run.
        notify: called, in any thread, when there is something to prepare before it goes on.
        turn: whose turn it is at the machine; the loop that runs it says so.
        closed: whether its accelerator is.
        starts_itself: whether the accelerator carries INIT and STARTUP messages out.
    """

    starts_itself = False

    def __init__(self, engine: str, number: int) -> None:
        self.engine = engine
        self.number = number
        self.smm_memory: AddressSpace | None = None
        self.notify: Callable[[], None] = lambda: None
        self.turn: Turn = Alone()
        self.closed = False
        self._on_software_interrupt: list[InterruptObserver] = []
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._inside = False

    # -- running -----------------------------------------------------------------------------------

    @abstractmethod
    def prepare(self) -> Activity:
        """Do what is to be done before the next :meth:`run`, and tell what that will do.

        That is: make the memory map what it shall be, and offer the interrupt that is pending.

        Raises:
            HostError: the host refuses what the machine has changed already.
        """

    @abstractmethod
    def run(self) -> Exit:
        """Let the guest execute until something comes up.

        Accesses of devices are carried out meanwhile, on the address spaces.

        Raises:
            Exception: whatever a device callback raised.
        """

    @abstractmethod
    def kick(self) -> None:
        """Have :meth:`run` return soon; from any thread. One that is not running may be missed."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have it be the calling thread's alone, to run, for the length of a ``with`` block.

        Raises:
            StateError: another one has it, or it is closed.
        """
        with self._lock:
            self.check_idle()
            self._thread = threading.get_ident()
        try:
            yield
        finally:
            self._thread = None

    def check_idle(self) -> None:
        """Check that nobody runs it.

        Raises:
            StateError: somebody does, or it is closed.
        """
        if self.closed:
            raise StateError(f"engine {self.engine!r} is closed")
        if self._thread is not None:
            raise StateError(f"engine {self.engine!r} runs: stop it first")

    def check_outside(self) -> None:
        """Check that it is not in the guest: who asks has the turn, or nobody runs it.

        Raises:
            StateError: it is in the guest, or closed.
        """
        if self.closed:
            raise StateError(f"engine {self.engine!r} is closed")
        if self._inside:
            raise StateError(f"engine {self.engine!r} runs: stop it first")

    @property
    def in_guest(self) -> bool:
        """Whether the caller was called, directly or not, by the guest's executing."""
        return self._inside and self._thread == threading.get_ident()

    # -- pins --------------------------------------------------------------------------------------

    @abstractmethod
    def knows_interrupts(self) -> bool:
        """Take note that the interrupt source's ``pending`` changed; False: prepare it for that."""

    @abstractmethod
    def set_a20(self, enabled: bool) -> None:
        """Open or close the A20 gate, for the next access: closed, address bit 20 reads as 0."""

    def raise_smi(self) -> None:
        """Have it take a system management interrupt, soon; from any thread.

        One that comes in the mode waits for its end; several that wait are one. Without the mode
        (:class:`Capabilities`) nothing happens.
        """

    @property
    def in_smm(self) -> bool:
        """Whether it is in system management mode."""
        return False

    @abstractmethod
    def reset(self) -> None:
        """Put it into its state after RESET#: CS base FFFF0000h, EIP FFF0h.

        It must be outside the guest; a run that is on its way to its end may not have returned.

        Raises:
            StateError: it is in the guest.
        """

    # -- registers ---------------------------------------------------------------------------------

    @abstractmethod
    def read_register(self, register: Register) -> int:
        """Return a register.

        Raises:
            UnsupportedError: there is no CPU.
        """

    @abstractmethod
    def write_register(self, register: Register, value: int) -> None:
        """Set a register; it must not run.

        Raises:
            StateError: it runs.
            UnsupportedError: there is no CPU.
        """

    @abstractmethod
    def read_segment(self, register: SegmentRegister) -> Segment:
        """Return a segment register with its hidden part.

        Raises:
            UnsupportedError: there is no CPU.
        """

    @abstractmethod
    def write_segment(self, register: SegmentRegister, segment: Segment) -> None:
        """Set a segment register and its hidden part; it must not run.

        Raises:
            StateError: it runs.
            UnsupportedError: there is no CPU, or hidden parts cannot be set on this host.
        """

    @abstractmethod
    def save(self) -> VcpuState | None:
        """Return all that it knows; None where there is no CPU. It must be outside the guest.

        Raises:
            StateError: it is in the guest.
            UnsupportedError: not all of it can be seen on this host.
        """

    @abstractmethod
    def load(self, state: VcpuState) -> None:
        """Go on from what was saved, by whatever accelerator; it must be outside the guest.

        Raises:
            StateError: it is in the guest.
            UnsupportedError: there is no CPU, or none that can be made so on this host.
        """

    def collect_lines(self, port: int, take: Callable[[bytes], None]) -> None:
        """Have bytes that are written to a port be taken several at a time, where that is quicker.

        They are taken before the byte that ends a line reaches the port, and before the vCPU is
        outside the guest; else each goes to the port. To be asked for before the first run.
        """

    def observe_software_interrupts(
        self,
        observer: Callable[[SoftwareInterrupt], None],
        vectors: Collection[int] = ALL_VECTORS,
    ) -> None:
        """Call ``observer`` before each ``INT n`` takes effect, in the thread that runs it.

        An accelerator that cannot see them (hardware) never calls.

        Args:
            observer: is given each.
            vectors: of those that it wants; others cost next to nothing.
        """
        self._on_software_interrupt.append((observer, frozenset(vectors)))

    def follow(self, follower: CpuFollower) -> None:  # noqa: ARG002 - of those that can
        """Tell somebody of its modes, stacks and interrupts from now on, until it is closed.

        Raises:
            UnsupportedError: this accelerator does not tell what its guest does.
        """
        raise UnsupportedError(
            f"engine {self.engine!r} does not tell of modes and stacks: engine 'unicorn' does"
        )

    @property
    def probe(self) -> CpuProbe:
        """What watches it.

        Raises:
            UnsupportedError: this accelerator does not tell what its guest does.
        """
        raise UnsupportedError(
            f"engine {self.engine!r} does not tell of accesses and instructions: engine 'unicorn'"
            " does"
        )
