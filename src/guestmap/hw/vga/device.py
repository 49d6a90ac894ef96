"""The standard VGA on PCI (1234:1111): QEMU's ``VGA``, with Bochs' display interface.

Its memory is BAR 0, all of it in a line; the legacy window at A0000h shows 128 KiB of it through
the planes' registers, but for chain-4 with all planes open: then the window is memory itself, the
alias ``vga.chain4`` (QEMU docs/specs/standard-vga). BAR 2 has the ports again, for who has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import MIB
from guestmap.hw.declare import SWITCH, declare, fact, setting
from guestmap.hw.device import Place
from guestmap.hw.pci import registers as pci
from guestmap.hw.pci.identity import PciIdentity
from guestmap.hw.portio import PortEntry, port_places
from guestmap.hw.vga import registers as reg
from guestmap.hw.vga.adapter import PCI_VGA, DisplayAdapter, byte_block
from guestmap.hw.vga.dispi import Dispi
from guestmap.hw.vga.mmio import VgaMmio
from guestmap.hw.vga.planes import WINDOW_BASE, WINDOW_SIZE, VgaPlanes
from guestmap.hw.vga.ports import VgaPorts
from guestmap.hw.vga.runs import VgaRuns
from guestmap.hw.vga.state import VgaState
from guestmap.qom import BOOL, UINT32

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.hw.pci.bus import PciBus
    from guestmap.memory import MemoryRegion
    from guestmap.qom import JsonValue

_IDENTITY = PciIdentity(0x1234, 0x1111, 0x0300, revision=2)
_MEMORY_BAR, _MMIO_BAR = 0, 2
_MEMORY_SIZE = 16 * MIB
_WINDOW_PRIORITY, _CHAIN_4_PRIORITY = 1, 2
_CHAIN_4 = ((0xA0000, 0x20000), (0xA0000, 0x10000), (0xB0000, 0x8000), (0xB8000, 0x8000))
"""Where memory shows itself in chain-4, by bits 2 and 3 of the graphics controller's register 6."""
_WIDTH, _HEIGHT = 1280, 800
"""What the display says of itself that it shows best, in dots."""


class StandardVga(DisplayAdapter[VgaState]):
    """The standard VGA.

    Args:
        bus: the bus that it sits on.
        devfn: slot << 3 | function.

    Attributes:
        window: the legacy window, ``vga-lowmem``.

    Raises:
        ConfigError: the slot is taken.
    """

    TYPE = declare(
        "VGA",
        PCI_VGA,
        setting("vgamem_mb", UINT32, 16),
        setting("mmio", BOOL, True, SWITCH),
        setting("qemu-extended-regs", BOOL, True, SWITCH),
        setting("edid", BOOL, True, SWITCH),
        setting("xres", UINT32, 0),
        setting("yres", UINT32, 0),
        setting("xmax", UINT32, 0),
        setting("ymax", UINT32, 0),
        setting("refresh_rate", UINT32, 0),
        setting("global-vmstate", BOOL, False),
        fact("big-endian-framebuffer", BOOL, False),
        user_creatable=True,
        hotpluggable=False,
    )
    ROM_FILE = "vgabios-stdvga.bin"

    def __init__(self, bus: PciBus, devfn: int, *, multifunction: bool = False) -> None:
        super().__init__(
            VgaState(), bus, devfn, _IDENTITY, _MEMORY_SIZE, multifunction=multifunction
        )
        self._ports = VgaPorts(self._registers, self._map, self.touched)
        planes = VgaPlanes(self._registers, self.memory, self.written)
        runs = VgaRuns(self._registers, self.memory, self.written, planes)
        self._dispi = Dispi(
            self._registers, self.memory, self._map,
            lambda size: self.written(0, size),
        )  # fmt: skip
        self._shown: tuple[int, int, int] | None = None
        self._chain_4: MemoryRegion | None = None
        with self.changing("VGA windows"):
            window = byte_block(
                "vga-lowmem", WINDOW_SIZE, planes.read, planes.write,
                write_pair=runs.write_pair, write_run=runs.write, move_run=runs.move,
            )  # fmt: skip
            self.window = self.make(window)
            bus.memory_region.add_subregion(WINDOW_BASE, self.window, _WINDOW_PRIORITY)
            self.place_blocks()
        self.add_bar(_MEMORY_BAR, self.vram, pci.BAR_PREFETCH)
        mmio = VgaMmio(self._registers, self._ports, self._dispi, (_WIDTH, _HEIGHT))
        self.add_bar(_MMIO_BAR, self.make(mmio.region()))

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value; the size that its EDID tells is what nobody chose."""
        told = {"xres": _WIDTH, "yres": _HEIGHT}
        return told[name] if name in told else super().value(name, fallback)

    def _registers(self) -> VgaState:
        return self.state

    # -- what answers where ------------------------------------------------------------------------

    def places(self) -> tuple[Place, ...]:
        """Return the ports ``vga``, 3B0h to 3DFh as far as there are any, and ``vbe``, 1CEh."""

        def entry(first: int, count: int) -> PortEntry:
            return PortEntry(
                first - reg.BASE, count, 1,
                lambda offset: self._ports.read(reg.BASE + offset),
                lambda offset, value: self._ports.write(reg.BASE + offset, value),
            )  # fmt: skip

        def pair(first: int) -> PortEntry:
            """Return an index and its data register, written at once."""
            return PortEntry(
                first - reg.BASE, 1, 2,
                lambda _: self._ports.read(first) | self._ports.read(first + 1) << 8,
                lambda _, value: self._ports.write_pair(first, value),
            )  # fmt: skip

        ports = [
            *map(pair, (0x3B4, 0x3C4, 0x3CE, 0x3D4)), entry(0x3B4, 2), entry(0x3BA, 1),
            entry(0x3C0, 16), entry(0x3D4, 2), entry(0x3DA, 1),
        ]  # fmt: skip
        dispi = self._dispi
        index = PortEntry(
            0, 1, 2, lambda _: dispi.read_index(), lambda _, value: dispi.write_index(value)
        )
        data = [
            PortEntry(at, 1, 2, lambda _: dispi.read(), lambda _, value: dispi.write(value))
            for at in (1, 2)
        ]
        return (*port_places("vga", reg.BASE, ports), *port_places("vbe", 0x1CE, [index, *data]))

    # -- the map -----------------------------------------------------------------------------------

    def _map(self) -> None:
        """Show the memory itself in the window where registers would pass every byte through."""
        self.touched()
        sequencer = self.state.in_force
        is_open = sequencer[reg.SEQ_MAP_MASK] & reg.MAP_MASK_ALL == reg.MAP_MASK_ALL
        wanted = None
        if is_open and sequencer[reg.SEQ_MEMORY_MODE] & reg.MEMORY_CHAIN_4:
            mode = self.state.graphics[reg.GFX_MISC] >> 2 & 3
            base, size = _CHAIN_4[mode]
            wanted = base, size, self.state.bank if mode == 1 else 0
        if wanted == self._shown:
            return
        self._shown = wanted
        pci_memory = self.bus.memory_region
        with self.changing(f"{self.address} VGA: chain-4 {'on' if wanted else 'off'}"):
            if self._chain_4 is not None:
                pci_memory.del_subregion(self._chain_4)
                self._chain_4 = None
            if wanted is not None:
                base, size, offset = wanted
                self._chain_4 = self.alias("vga.chain4", self.vram, offset, size)
                pci_memory.add_subregion(base, self._chain_4, _CHAIN_4_PRIORITY)

    def shown_regions(self) -> Iterable[MemoryRegion]:
        """Return its regions; the window is not in the order of its making."""
        yield from super().shown_regions()
        yield self.window

    def reset(self) -> None:
        """Reset the registers; the memory stays."""
        super().reset()
        self._map()

    def load(self, state: VgaState) -> None:
        """Go on from there: the window is what the registers say."""
        super().load(state)
        self._map()
