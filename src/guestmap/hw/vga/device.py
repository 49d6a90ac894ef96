"""The standard VGA on PCI (1234:1111): QEMU's ``VGA``, with Bochs' display interface.

Its memory is BAR 0, all of it in a line; the legacy window at A0000h shows 128 KiB of it through
the planes' registers, but for chain-4 with all planes open: then the window is memory itself, the
alias ``vga.chain4`` (QEMU docs/specs/standard-vga). BAR 2 has the ports again, for who has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import MIB
from guestmap.hw.declare import HAS_AML, SWITCH, declare, fact, setting
from guestmap.hw.device import IoRegion, Place
from guestmap.hw.pci import registers as pci
from guestmap.hw.pci.device import PciFunction
from guestmap.hw.pci.identity import PciIdentity
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE
from guestmap.hw.portio import PortEntry, port_places
from guestmap.hw.vga import registers as reg
from guestmap.hw.vga.dispi import Dispi
from guestmap.hw.vga.edid import edid
from guestmap.hw.vga.planes import WINDOW_BASE, WINDOW_SIZE, VgaPlanes
from guestmap.hw.vga.ports import VgaPorts
from guestmap.hw.vga.screen import ScreenPicture, picture
from guestmap.hw.vga.state import BIG, LITTLE, VgaState
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps
from guestmap.memory.map import UNASSIGNED_IO_OPS
from guestmap.qom import BOOL, UINT32

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.hw.pci.bus import PciBus
    from guestmap.memory import MemoryRegion
    from guestmap.qom import JsonValue

_IDENTITY = PciIdentity(0x1234, 0x1111, 0x0300, revision=2)
_MEMORY_BAR, _MMIO_BAR = 0, 2
_MEMORY_SIZE, _MMIO_SIZE = 16 * MIB, 4096
_PORTS_AT, _PORTS_SIZE, _FIRST_PORT = 0x400, 0x20, 0x3C0
_DISPI_AT, _DISPI_SIZE = 0x500, 2 * 11
_EXTENDED_AT, _EXTENDED_SIZE = 0x600, 8
_WINDOW_PRIORITY, _CHAIN_4_PRIORITY = 1, 2
_CHAIN_4 = ((0xA0000, 0x10000), (0xA0000, 0x10000), (0xB0000, 0x8000), (0xB8000, 0x8000))
"""Where memory shows itself in chain-4, by bits 2 and 3 of the graphics controller's register 6."""
_IDENTITY_SIZE, _WIDTH, _HEIGHT = 0x180, 1280, 800
_ORDER, _WORD = 4, 4
_BYTES = AccessSizes(min=1, max=1)
_WIDEST = AccessSizes(min=1, max=4)

PCI_VGA = declare("pci-vga", PCI_DEVICE, abstract=True, interfaces=(*HAS_AML, *IS_PCI))


class StandardVga(PciFunction[VgaState]):
    """The standard VGA.

    Args:
        bus: the bus that it sits on.
        devfn: slot << 3 | function.

    Attributes:
        vram: its memory, ``vga.vram``.
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
    hotpluggable = False

    def __init__(self, bus: PciBus, devfn: int) -> None:
        super().__init__(VgaState(), bus, devfn, _IDENTITY)
        self.vram = self.make_ram("vga.vram", _MEMORY_SIZE)
        assert self.vram.buffer is not None
        self._ports = VgaPorts(self._registers, self._map)
        self._planes = VgaPlanes(self._registers, self.vram.buffer, self.vram.ram_written)
        self._dispi = Dispi(
            self._registers, self.vram.buffer, self._map,
            lambda size: self.vram.ram_written(0, size),
        )  # fmt: skip
        self._shown: tuple[int, int, int] | None = None
        self._chain_4: MemoryRegion | None = None
        with self.changing("VGA windows"):
            window = IoRegion("vga-lowmem", WINDOW_SIZE, self._window_ops())
            self.window = self.make(window)
            bus.memory_region.add_subregion(WINDOW_BASE, self.window, _WINDOW_PRIORITY)
            self.place_blocks()
        self.add_bar(_MEMORY_BAR, self.vram, pci.BAR_PREFETCH)
        self.add_bar(_MMIO_BAR, self.make(self._mmio()))

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

        ports = [
            entry(0x3B4, 2), entry(0x3BA, 1), entry(0x3C0, 16), entry(0x3D4, 2), entry(0x3DA, 1),
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

    def _window_ops(self) -> MemoryRegionOps:
        planes = self._planes
        return MemoryRegionOps(
            read=lambda offset, _size: planes.read(offset),
            write=lambda offset, value, _size: planes.write(offset, value),
            endianness=Endianness.LITTLE,
            impl=_BYTES,
        )

    def _mmio(self) -> IoRegion:
        """Return ``vga.mmio``, 4 KiB: the display's identity, the ports, Bochs' registers."""
        halves = AccessSizes(min=1, max=2)
        ports = MemoryRegionOps(
            read=self._read_port, write=self._write_port, endianness=Endianness.LITTLE,
            valid=_WIDEST, impl=halves,
        )  # fmt: skip
        words = AccessSizes(min=2, max=2)
        dispi = MemoryRegionOps(
            read=self._read_dispi, write=self._write_dispi, endianness=Endianness.LITTLE,
            valid=_WIDEST, impl=words,
        )  # fmt: skip
        blob = edid(_WIDTH, _HEIGHT)
        identity = MemoryRegionOps(
            read=lambda offset, size: int.from_bytes(blob[offset : offset + size], "little"),
            endianness=Endianness.LITTLE, valid=_WIDEST, impl=_WIDEST,
        )  # fmt: skip
        extended = MemoryRegionOps(
            read=self._read_extended, write=self._write_extended,
            endianness=Endianness.LITTLE, valid=_WIDEST, impl=_WIDEST,
        )  # fmt: skip
        return IoRegion(
            "vga.mmio", _MMIO_SIZE, UNASSIGNED_IO_OPS,
            (
                (0, IoRegion("edid", _IDENTITY_SIZE, identity)),
                (_PORTS_AT, IoRegion("vga ioports remapped", _PORTS_SIZE, ports)),
                (_DISPI_AT, IoRegion("bochs dispi interface", _DISPI_SIZE, dispi)),
                (_EXTENDED_AT, IoRegion("qemu extended regs", _EXTENDED_SIZE, extended)),
            ),
        )  # fmt: skip

    def _read_port(self, offset: int, size: int) -> int:
        port = _FIRST_PORT + offset
        low = self._ports.read(port)
        return low if size == 1 else low | self._ports.read(port + 1) << 8

    def _write_port(self, offset: int, value: int, size: int) -> None:
        port = _FIRST_PORT + offset
        self._ports.write(port, value & 0xFF)
        if size > 1:
            self._ports.write(port + 1, value >> 8 & 0xFF)

    def _read_dispi(self, offset: int, _size: int) -> int:
        self._dispi.write_index(offset >> 1)
        return self._dispi.read()

    def _write_dispi(self, offset: int, value: int, _size: int) -> None:
        self._dispi.write_index(offset >> 1)
        self._dispi.write(value)

    def _read_extended(self, offset: int, size: int) -> int:
        if size != _WORD:
            return 0
        return _EXTENDED_SIZE if offset == 0 else self.state.byte_order if offset == _ORDER else 0

    def _write_extended(self, offset: int, value: int, size: int) -> None:
        if size == _WORD and offset == _ORDER and value in (LITTLE, BIG):
            self.state.byte_order = value

    # -- the map -----------------------------------------------------------------------------------

    def _map(self) -> None:
        """Show the memory itself in the window where registers would pass every byte through."""
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

    def picture(self, *, cursor: bool = True) -> ScreenPicture:
        """Return what the screen shows now, with the cursor of text or without."""
        assert self.vram.buffer is not None
        return picture(self.state, self.vram.buffer, cursor=cursor)
