"""The Cirrus Logic CL-GD5446 on PCI (1013:00b8): QEMU's ``cirrus-vga``.

Its BAR 0 has the memory in a line, and 16 MiB behind it a window for the blitter's bytes; BAR 1 has
ports and the blitter's registers. Where registers would pass every byte through, the memory itself
is in the windows: all of it in BAR 0, and two banks of it, ``vga.bank0`` and ``vga.bank1``, at
A0000h (QEMU hw/display/cirrus_vga.c; the CL-GD5446's technical reference).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import MIB
from guestmap.hw.declare import declare, setting
from guestmap.hw.device import IoRegion, Place, Space
from guestmap.hw.pci import registers as pci
from guestmap.hw.pci.identity import PciIdentity
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE
from guestmap.hw.vga import registers as vga
from guestmap.hw.vga.adapter import DisplayAdapter, byte_block
from guestmap.hw.vga.cirrus import registers as reg
from guestmap.hw.vga.cirrus.blitter import Blitter
from guestmap.hw.vga.cirrus.cursor import with_cursor
from guestmap.hw.vga.cirrus.ports import CirrusPorts
from guestmap.hw.vga.cirrus.state import CirrusState
from guestmap.hw.vga.cirrus.windows import CirrusWindows
from guestmap.hw.vga.planes import WINDOW_BASE, WINDOW_SIZE, VgaPlanes
from guestmap.hw.vga.runs import VgaRuns
from guestmap.qom import BOOL, UINT32

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.hw.pci.bus import PciBus
    from guestmap.hw.vga.screen import ScreenPicture
    from guestmap.memory import MemoryRegion

_IDENTITY = PciIdentity(0x1013, 0x00B8, 0x0300)
_MEMORY_BAR, _MMIO_BAR = 0, 1
_BAR_SIZE, _BLIT_AT, _BLIT_SIZE, _MMIO_SIZE = 32 * MIB, 16 * MIB, 4 * MIB, 4096
_PORTS, _FIRST_MMIO_PORT, _MMIO_PORTS, _REGISTERS_AT = 0x30, 0x3C0, 0x20, 0x100
_WINDOW_PRIORITY, _MEMORY_PRIORITY = 1, 1
_BANK_SIZE = 0x8000


class CirrusVga(DisplayAdapter[CirrusState]):
    """The CL-GD5446.

    Args:
        bus: the bus that it sits on.
        devfn: slot << 3 | function.
        multifunction: whether the slot has more functions.

    Raises:
        ConfigError: the slot is taken.
    """

    TYPE = declare(
        "cirrus-vga",
        PCI_DEVICE,
        setting("vgamem_mb", UINT32, 4),
        setting("blitter", BOOL, True),
        setting("global-vmstate", BOOL, False),
        interfaces=IS_PCI,
        user_creatable=True,
        hotpluggable=False,
    )
    ROM_FILE = "vgabios-cirrus.bin"
    OUTLIVES_RESET = (
        *DisplayAdapter.OUTLIVES_RESET,
        "paper", "ink", "banks", "cursor_palette", "cursor_x", "cursor_y", "blit", "buffer",
    )  # fmt: skip

    def __init__(self, bus: PciBus, devfn: int, *, multifunction: bool = False) -> None:
        super().__init__(
            CirrusState(), bus, devfn, _IDENTITY, reg.MEMORY_SIZE, multifunction=multifunction
        )
        written = self.written
        blitter = Blitter(self._registers, self.memory, written, self._map)
        self._ports = CirrusPorts(self._registers, self._map, self.touched, blitter)
        planes = VgaPlanes(self._registers, self.memory, written)
        self._windows = CirrusWindows(
            self._registers, self.memory, written,
            planes=planes,
            runs=VgaRuns(self._registers, self.memory, written, planes),
            ports=self._ports, blitter=blitter,
        )  # fmt: skip
        with self.changing("VGA windows"):
            self._make_legacy()
            self.place_blocks()
            self._make_bars()

    def _registers(self) -> CirrusState:
        return self.state

    # -- what answers where ------------------------------------------------------------------------

    def _make_legacy(self) -> None:
        windows = self._windows
        self.window = self.make(
            IoRegion("cirrus-lowmem-container", WINDOW_SIZE, None, is_container=True)
        )
        low = byte_block(
            "cirrus-low-memory", WINDOW_SIZE, windows.read_low, windows.write_low,
            write_pair=windows.write_low_pair, write_run=windows.write_low_run,
            move_run=windows.move_low_run,
        )  # fmt: skip
        self.low = self.make(low)
        self.window.add_subregion(0, self.low)
        self.banks = tuple(
            self.alias(f"vga.bank{number}", self.vram, 0, _BANK_SIZE) for number in (0, 1)
        )
        for number, bank in enumerate(self.banks):
            bank.set_enabled(False)
            self.window.add_subregion(number * _BANK_SIZE, bank, _MEMORY_PRIORITY)
        self.bus.memory_region.add_subregion(WINDOW_BASE, self.window, _WINDOW_PRIORITY)

    def _make_bars(self) -> None:
        windows = self._windows
        linear = byte_block(
            "cirrus-linear-io", reg.MEMORY_SIZE, windows.read_linear, windows.write_linear
        )
        blit = byte_block(
            "cirrus-bitblt-mmio", _BLIT_SIZE, lambda _: 0xFF,
            lambda _, value: windows.write_blit(value),
        )  # fmt: skip
        mmio = byte_block("cirrus-mmio", _MMIO_SIZE, self._read_mmio, self._write_mmio)
        inner = ((0, linear), (_BLIT_AT, blit))
        self.bar = self.make(IoRegion("cirrus-pci-bar0", _BAR_SIZE, None, inner, is_container=True))
        self.add_bar(_MEMORY_BAR, self.bar, pci.BAR_PREFETCH)
        self.add_bar(_MMIO_BAR, self.make(mmio))

    def places(self) -> tuple[Place, ...]:
        """Return the ports ``cirrus-io``, 3B0h to 3DFh."""
        ports = byte_block(
            "cirrus-io", _PORTS,
            lambda offset: self._ports.read(vga.BASE + offset),
            lambda offset, value: self._ports.write(vga.BASE + offset, value),
        )  # fmt: skip
        return (Place(Space.IO, vga.BASE, ports),)

    def _read_mmio(self, offset: int) -> int:
        if offset >= _REGISTERS_AT:
            return self._ports.read_mmio(offset - _REGISTERS_AT)
        return self._ports.read(_FIRST_MMIO_PORT + offset) if offset < _MMIO_PORTS else 0

    def _write_mmio(self, offset: int, value: int) -> None:
        if offset >= _REGISTERS_AT:
            self._ports.write_mmio(offset - _REGISTERS_AT, value)
        elif offset < _MMIO_PORTS:
            self._ports.write(_FIRST_MMIO_PORT + offset, value)

    # -- the map -----------------------------------------------------------------------------------

    def _map(self) -> None:
        """Show the memory itself in the windows where registers would pass every byte through."""
        state = self.state
        is_fed = state.blit.is_fed
        control = state.sequencer[reg.SEQ_CONTROL] & reg.CONTROL_MMIO_LINEAR
        passes = not (is_fed or state.shift or state.writes_wide)
        state.is_mapped = passes and control != reg.CONTROL_MMIO_LINEAR
        has_banks = state.is_mapped and state.is_extended
        state.shown = [bank[0] if has_banks else -1 for bank in state.banks]
        self._show()

    def _show(self) -> None:
        """Have the map show what the state says that it shows."""
        state = self.state
        with self.changing(f"{self.address} Cirrus windows"):
            is_there = self.vram.container is not None
            if state.is_mapped and not is_there:
                self.bar.add_subregion(0, self.vram, _MEMORY_PRIORITY)
            elif is_there and not state.is_mapped:
                self.bar.del_subregion(self.vram)
            for bank, begin in zip(self.banks, state.shown, strict=True):
                if begin >= 0:
                    bank.set_alias_offset(begin)
                bank.set_enabled(begin >= 0)

    def shown_regions(self) -> Iterable[MemoryRegion]:
        """Return its regions; windows and memory are not in the order of their making."""
        yield from super().shown_regions()
        yield from (self.window, self.low, *self.banks, self.vram)

    def reset(self) -> None:
        """Reset the registers; the memory stays, and what the blitter was about."""
        super().reset()
        self._show()

    def load(self, state: CirrusState) -> None:
        """Go on from there, with the windows as they were."""
        super().load(state)
        self._show()

    def picture(self, *, cursor: bool = True) -> ScreenPicture:
        """Return what the screen shows now, with the cursor of text or without."""
        shown = super().picture(cursor=cursor)
        is_graphics = self.state.graphics[vga.GFX_MISC] & vga.MISC_GRAPHICS
        if not is_graphics or not self.state.attribute_index & vga.PALETTE_VISIBLE:
            return shown
        return with_cursor(self.state, self.memory, shown)
