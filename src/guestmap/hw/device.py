"""The contract of every device: its type, its places, its wires, its state.

A device is one module. It declares its type once (:mod:`guestmap.hw.declare`), says which registers
it wants to have where, keeps everything that a guest can change in one dataclass, and knows how it
is after a reset. The board places it, the object tree shows it, a saved machine holds its state;
none of them knows what it is. A device gets a clock, interrupt lines and, if it is a bus master, an
address space. It never sees the memory system.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from guestmap.base import ConfigError
from guestmap.base.bounds import bounded
from guestmap.base.dataclass import dataclass
from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from guestmap.base import IrqLine, Timer
    from guestmap.hw.declare import DeclaredType
    from guestmap.hw.placement import Changing
    from guestmap.memory import MemoryRegion, MemoryRegionOps
    from guestmap.qom import JsonValue

if TYPE_CHECKING:
    U8 = int
    U16 = int
    U32 = int
    U64 = int
else:
    U8 = bounded(int, ge=0, le=0xFF)
    U16 = bounded(int, ge=0, le=0xFFFF)
    U32 = bounded(int, ge=0, le=0xFFFF_FFFF)
    U64 = bounded(int, ge=0)
"""A number of a state; no saved integer needs more than 64 bits."""
Ns = int
"""A time on the machine's clock, in ns."""


class Space(Enum):
    """An address space of the processor."""

    MEMORY = "memory"
    IO = "I/O"


@dataclass(frozen=True, slots=True)
class IoRegion:
    """A block of registers, as a device describes it.

    Attributes:
        name: of the memory region that it becomes.
        size: in bytes.
        ops: what answers; None where nobody does.
        inner: blocks that lie over it: offset and block.
        is_container: nothing of it answers but what is inside.
    """

    name: str
    size: int
    ops: MemoryRegionOps | None
    inner: tuple[tuple[int, IoRegion], ...] = ()
    is_container: bool = False


class Place(NamedTuple):
    """Where a device wants a block of registers."""

    space: Space
    address: int
    region: IoRegion
    priority: int = 0
    mapped: bool = True
    """Whether it is there from the start; the device puts it there otherwise."""


@dataclass(slots=True)
class Stateless:
    """The state of a device that has none."""


StateT = TypeVar("StateT")


class RegisterBlock(Generic[StateT]):
    """Registers with a state: a device, or a part of one that has no name of its own.

    Args:
        state: as it is at power-on; its class makes such a one without arguments.

    Attributes:
        OUTLIVES_RESET: the fields of its state that a reset leaves alone.
        state: all that a guest, or time, has made of it: what is saved, and what a reset forgets.
        regions: what its :meth:`places` have become, in their order; empty until it is placed.
        changing: returns the transaction in which it changes the map; the board's, once placed.
    """

    OUTLIVES_RESET: ClassVar[tuple[str, ...]] = ()

    def __init__(self, state: StateT) -> None:
        self.state = state
        self.regions: Sequence[MemoryRegion] = ()
        self.changing: Changing = nullcontext

    def places(self) -> Iterable[Place]:
        """Return which registers it wants where, in the order in which QEMU makes them."""
        return ()

    @property
    def blocks(self) -> Mapping[str, RegisterBlock[Any]]:
        """Registers that it consists of: placed after its own, kept in its state's fields."""
        return {}

    def shown_regions(self) -> Iterable[MemoryRegion]:
        """Return the regions that there are now, in the order in which QEMU makes them."""
        yield from self.regions
        for block in self.blocks.values():
            yield from block.shown_regions()

    def reset(self) -> None:
        """Go back to the state at power-on, but for what outlives a reset."""
        fresh = type(self.state)()
        for name in self.OUTLIVES_RESET:
            setattr(fresh, name, getattr(self.state, name))
        self.state = fresh

    def save(self) -> StateT:
        """Return a copy of the state, with all that it takes to go on from here."""
        for name, block in self.blocks.items():
            setattr(self.state, name, block.save())
        return _copy(self.state)

    def load(self, state: StateT) -> None:
        """Go on from a state that such registers were saved in.

        Interrupt lines are not driven: their levels are saved by whom they lead to.

        Raises:
            ConfigError: they can be in no such state.
        """
        import msgspec

        try:
            self.state = _copy(state)
        except msgspec.ValidationError as error:
            raise ConfigError(f"saved state of {self.title}: {error}") from error
        for name, block in self.blocks.items():
            saved = getattr(self.state, name)
            if saved is None:
                raise ConfigError(f"saved state of {self.title}: there is no {name}")
            block.load(saved)

    @property
    def title(self) -> str:
        """What messages call it."""
        return type(self).__name__


class DeviceModel(RegisterBlock[StateT]):
    """A device of the machine, which has its place in the object tree.

    Args:
        state: see :class:`RegisterBlock`.
        settings: what it was made with where that is not the default, by the properties' names.

    Attributes:
        TYPE: its declared type.
    """

    TYPE: ClassVar[DeclaredType]

    def __init__(self, state: StateT, settings: Mapping[str, JsonValue] | None = None) -> None:
        super().__init__(state)
        self.settings: Mapping[str, JsonValue] = settings if settings is not None else {}

    @property
    def wires(self) -> Mapping[str, IrqLine]:
        """Its interrupt lines, in and out, by the names that its type gives them."""
        return {}

    @property
    def parts(self) -> Mapping[str, DeviceModel[Any]]:
        """Devices that it consists of, by name; they are saved and shown on their own."""
        return {}

    @property
    def peers(self) -> Mapping[str, DeviceModel[Any]]:
        """Other devices that properties of its type are links to, by those properties' names."""
        return {}

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value; ``fallback`` where the device knows nothing better."""
        return self.settings.get(name, fallback)

    @property
    def title(self) -> str:
        """Its type's name."""
        return f"a device {self.TYPE.name}"


def _copy(state: StateT) -> StateT:
    import msgspec

    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=type(state))


# -- what states have in common --------------------------------------------------------------------


def levels(lines: Iterable[IrqLine]) -> list[bool]:
    """Return the levels of interrupt lines, as the device that they lead to saves them."""
    return [line.level for line in lines]


def restore_levels(lines: Sequence[IrqLine], saved: Sequence[bool]) -> None:
    """Give lines the levels that they were saved with; nobody hears of an edge.

    Raises:
        ConfigError: they are not as many.
    """
    if len(lines) != len(saved):
        raise ConfigError(f"the saved state has {len(saved)} interrupt lines, not {len(lines)}")
    for line, level in zip(lines, saved, strict=True):
        line.level = level


def rearm(timer: Timer, deadline_ns: Ns | None) -> None:
    """Arm a timer as it was when its deadline was saved."""
    if deadline_ns is None:
        timer.cancel()
    else:
        timer.arm(deadline_ns)
