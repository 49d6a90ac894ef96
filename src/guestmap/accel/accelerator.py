"""What an accelerator is: it has a machine's memory map, and vCPUs that execute on it.

A machine opens one accelerator on its memory and I/O address spaces, and runs each vCPU in a
:class:`guestmap.accel.loop.RunLoop` of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Self

from guestmap.accel.irqchip import InterruptChip

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from guestmap.accel.in_vain import InVain
    from guestmap.accel.irqchip import Irqchip
    from guestmap.accel.memory_slot import MemorySlot
    from guestmap.accel.types import Capabilities, EngineStatistics
    from guestmap.accel.vcpu import Vcpu
    from guestmap.memory import MemoryListener


class Accelerator(ABC):
    """An accelerator, with its vCPUs in reset when it is made. Close it, or use it in a ``with``.

    The address spaces that it is made on must stay for as long as it does.

    Attributes:
        OPTIONS: what can be set, as people name it, and as its constructor does; numbers all.
        name: what it is asked for by.
        has_smm: whether its vCPUs have a system management mode, as a rule; see
            :attr:`capabilities`.
        CHIPS: who can have the interrupt controllers.
        irqchip: the accelerator's interrupt controllers; None where the machine has all.
        runs_several: whether it runs more than one CPU.
        may_stand_still: whether there are guests whose instruction never ends on it.
        left_out: why others that were asked for before it are not used, a line each.
    """

    OPTIONS: ClassVar[Mapping[str, str]] = MappingProxyType({})
    name: str
    left_out: tuple[str, ...] = ()
    may_stand_still = False
    CHIPS: ClassVar[frozenset[InterruptChip]] = frozenset({InterruptChip.MACHINE})
    irqchip: Irqchip | None = None
    has_smm: ClassVar[bool] = False
    runs_several: ClassVar[bool] = False

    @staticmethod
    def check_worth() -> None:
        """Find out whether this host has anything better, which may take a while.

        Raises:
            UnsupportedError: it has.
            HostError: it cannot be found out: what is needed is not there.
        """

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What it can do on this host."""

    @property
    def parts(self) -> dict[str, str]:
        """How each part of a CPU is done, where there is a choice: for people."""
        return {}

    @property
    def listener(self) -> MemoryListener | None:
        """What keeps its memory map in step with the machine's; None where it has no map."""
        return None

    @property
    def in_vain(self) -> InVain | None:
        """What its guest did in vain; None where it does not tell."""
        return None

    @property
    def vcpus(self) -> tuple[Vcpu, ...]:
        """All that it runs."""
        return (self.vcpu(),)

    @abstractmethod
    def vcpu(self, number: int = 0) -> Vcpu:
        """Return a vCPU; the same one each time.

        Raises:
            ConfigError: there are not that many.
        """

    @abstractmethod
    def statistics(self) -> EngineStatistics:
        """Return the counts of this moment; from any thread."""

    def memory_slots(self) -> tuple[MemorySlot, ...]:
        """Return what it has mapped, by address, where that is slots; in a steady memory system."""
        return ()

    def close(self) -> None:
        """Let go of the address spaces and of the host's memory. Closing twice is allowed.

        Raises:
            StateError: a vCPU runs.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
