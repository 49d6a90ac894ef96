"""What all display adapters have in common: memory, and a picture of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from guestmap.hw.declare import HAS_AML, declare
from guestmap.hw.device import IoRegion
from guestmap.hw.pci.device import PciFunction
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE
from guestmap.hw.vga.screen import ScreenPicture, picture
from guestmap.hw.vga.state import VgaState
from guestmap.hw.vga.text import ScreenText, read_text
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.pci.bus import PciBus
    from guestmap.hw.pci.identity import PciIdentity
    from guestmap.memory import MemoryRegion

PCI_VGA = declare("pci-vga", PCI_DEVICE, abstract=True, interfaces=(*HAS_AML, *IS_PCI))

VgaStateT = TypeVar("VgaStateT", bound=VgaState)


class DisplayAdapter(PciFunction[VgaStateT]):
    """A VGA on PCI.

    Args:
        state: its registers, at power-on.
        bus: the bus that it sits on.
        devfn: slot << 3 | function.
        identity: what it says it is.
        memory_size: bytes of its memory.
        multifunction: whether the slot has more functions.

    Attributes:
        vram: its memory, ``vga.vram``.
        window: where a CPU reaches it through registers, A0000h.
        on_touch: called after each write of a register, and where all of them are others.

    Raises:
        ConfigError: the slot is taken.
    """

    CHOICES: ClassVar[tuple[str, ...]] = ("multifunction",)
    hotpluggable = False
    window: MemoryRegion

    def __init__(
        self,
        state: VgaStateT,
        bus: PciBus,
        devfn: int,
        identity: PciIdentity,
        memory_size: int,
        *,
        multifunction: bool = False,
    ) -> None:
        super().__init__(state, bus, devfn, identity, multifunction=multifunction)
        self.on_touch: Callable[[], None] = lambda: None
        self.vram = self.make_ram("vga.vram", memory_size)

    @classmethod
    def plugged(cls, bus: PciBus, devfn: int, choices: dict[str, Any]) -> DisplayAdapter[Any]:
        """Make one as the user wants it."""
        make: Any = cls
        adapter: DisplayAdapter[Any] = make(bus, devfn, **choices)
        return adapter

    @property
    def memory(self) -> memoryview:
        """The bytes of its memory."""
        assert self.vram.buffer is not None
        return self.vram.buffer

    @property
    def written(self) -> Callable[[int, int], None]:
        """What is told of each write to its memory: offset and bytes, which must be in it."""
        assert self.vram.ram_block is not None
        return self.vram.ram_block.written

    def touched(self) -> None:
        """Note that the screen may show something else."""
        self.on_touch()

    def reset(self) -> None:
        """Reset the registers; the memory stays."""
        super().reset()
        self.touched()

    def load(self, state: VgaStateT) -> None:
        """Go on from there."""
        super().load(state)
        self.touched()

    def text(self) -> ScreenText | None:
        """Return what a text screen shows now; None for one with a picture."""
        return read_text(self.state, self.memory)

    def picture(self, *, cursor: bool = True) -> ScreenPicture:
        """Return what the screen shows now, with the cursor of text or without."""
        return picture(self.state, self.memory, cursor=cursor)


def byte_block(
    name: str,
    size: int,
    read: Callable[[int], int],
    write: Callable[[int, int], None],
    *,
    write_pair: Callable[[int, int], bool] = lambda _offset, _value: False,
    write_run: Callable[[int, bytes], bool] | None = None,
    move_run: Callable[[int, int, int, int], bool] | None = None,
) -> IoRegion:
    """Return a block of registers, or of memory behind them, that is accessed byte by byte.

    Args:
        name: the region's.
        size: bytes.
        read: ``(offset) -> byte``.
        write: ``(offset, byte)``.
        write_pair: ``(offset, two bytes) -> whether that was done``; else they go one by one.
        write_run: ``(offset, bytes) -> whether that was done``; see :class:`MemoryRegionOps`.
        move_run: ``(to, from, count, size) -> whether that was done``, likewise.
    """

    def read_all(offset: int, size: int) -> int:
        if size == 1:
            return read(offset)
        return sum(read(offset + at) << 8 * at for at in range(size))

    def write_all(offset: int, value: int, size: int) -> None:
        if size == 1:
            write(offset, value)
            return
        if size == 2 and write_pair(offset, value):
            return
        for at in range(size):
            write(offset + at, value >> 8 * at & 0xFF)

    ops = MemoryRegionOps(
        read=read_all,
        write=write_all,
        endianness=Endianness.LITTLE,
        impl=AccessSizes(min=1, max=4),
        like_memory=True,
        write_run=write_run,
        move_run=move_run,
    )
    return IoRegion(name, size, ops)
