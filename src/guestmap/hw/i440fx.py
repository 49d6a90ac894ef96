"""The host bridge of a PC: Intel 82441FX (i440FX), 8086:1237.

Its programmable attribute map (PAM, registers 59h-5Fh) decides for thirteen segments between C0000h
and FFFFFh who answers: RAM, or what is on the PCI bus; SMRAM (72h) does so for A0000h-BFFFFh.
Register layout: Intel 82441FX data sheet (290549), PAM and SMRAM. As in QEMU 7.2, a segment whose
reads and writes differ cannot be shown exactly: "write only" answers as RAM in both directions;
D_LCK is not modelled, and a reset leaves the registers alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import GIB, MIB
from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.declare import declare
from guestmap.hw.device import IoRegion
from guestmap.hw.pci import PciFunction, PciIdentity
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE, PciState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.hw.pci import PciBus
    from guestmap.memory import MemoryRegion

PAM, PAM_REGISTERS = 0x59, 7
SMRAM = 0x72
RAM_SIZE = 0x57

_IDENTITY = PciIdentity(0x8086, 0x1237, 0x0600, revision=2)
_PRIORITY = 1
_BIOS, _BIOS_SIZE = 0xF0000, 0x10000
_EXPANSION, _EXPANSION_SIZE = 0xC0000, 0x4000
_SEGMENTS = 13
_MODES = ("PCI", "read-only RAM", "write-only RAM", "RAM")
"""What PAM bits 1 (write enable) and 0 (read enable) make of a segment."""
_VGA, _VGA_SIZE = 0xA0000, 0x20000
_SMRAM_OPEN, _SMRAM_ENABLE = 1 << 6, 1 << 3
_SMRAM_RESET = 0x02
_RAM_UNIT = 8 * MIB


class PamSegment(NamedTuple):
    """One segment of the attribute map.

    Attributes:
        register: of the attribute, in configuration space.
        shift: of its two bits in the register.
        start, size: addresses that it covers.
        aliases: by mode 0 to 3; exactly one is enabled.
    """

    register: int
    shift: int
    start: int
    size: int
    aliases: tuple[MemoryRegion, MemoryRegion, MemoryRegion, MemoryRegion]

    @property
    def shown(self) -> int:
        """The mode whose alias is enabled."""
        return next(mode for mode, alias in enumerate(self.aliases) if alias.enabled)


class I440FX(PciFunction[PciState]):
    """The host bridge, with the windows it puts over the system memory.

    Args:
        bus: the root bus.
        system: what the processor sees (``system``); windows go into it at priority 1.
        ram: all of the machine's RAM, as one region.

    Attributes:
        smram: ``smram``, a container for the processor's system management view, which shows the
            RAM below the VGA window; enabled by G_SMRAME.
        smram_window: ``smram-region``, which shows the VGA window's place on the PCI bus.
        segments: the attribute map, F0000h first.
    """

    TYPE = declare("i440FX", PCI_DEVICE, interfaces=IS_PCI, hotpluggable=False)
    hotpluggable = False

    def __init__(self, bus: PciBus, system: MemoryRegion, ram: MemoryRegion) -> None:
        super().__init__(PciState(), bus, 0, _IDENTITY)
        self.config.set(SMRAM, _SMRAM_RESET)
        self.config.set(RAM_SIZE, min(255, ram.size // _RAM_UNIT))
        pci = bus.memory_region
        with self.changing("i440FX windows"):
            self.smram_window = self.alias("smram-region", pci, _VGA, _VGA_SIZE)
            system.add_subregion(_VGA, self.smram_window, _PRIORITY)
            self.smram = self.make(IoRegion("smram", 4 * GIB, None, is_container=True))
            low = self.alias("smram-low", ram, _VGA, _VGA_SIZE)
            self.smram.add_subregion(_VGA, low)
            self.segments = tuple(self._segment(n, system, ram) for n in range(_SEGMENTS))
            self._update()

    def shown_regions(self) -> Iterable[MemoryRegion]:
        """Return its view of the memory, and the windows of SMRAM."""
        yield from super().shown_regions()
        yield self.smram_window
        yield self.smram

    def load(self, state: PciState) -> None:
        """Go on from there: the attribute map is what the registers say."""
        super().load(state)
        self._update(PAM, SMRAM + 1 - PAM)

    def _segment(self, index: int, system: MemoryRegion, ram: MemoryRegion) -> PamSegment:
        if index == 0:
            start, size = _BIOS, _BIOS_SIZE
        else:
            start, size = _EXPANSION + (index - 1) * _EXPANSION_SIZE, _EXPANSION_SIZE
        pci = self.bus.memory_region

        def alias(name: str, target: MemoryRegion) -> MemoryRegion:
            region = self.alias(name, target, start, size)
            region.set_enabled(False)
            return region

        # QEMU's names: the write-only mode is called after the PCI bus that it should read from.
        modes = (
            alias("pam-pci", pci),
            alias("pam-rom", ram),
            alias("pam-pci", ram),
            alias("pam-ram", ram),
        )
        modes[1].set_readonly(True)
        for region in modes:
            system.add_subregion(start, region, _PRIORITY)
        modes[0].set_enabled(True)
        shift = 4 if index % 2 == 0 else 0
        return PamSegment(PAM + (index + 1) // 2, shift, start, size, modes)

    def config_write(self, offset: int, value: int, size: int) -> None:
        """Take a configuration write; the attribute map and SMRAM show at once."""
        self.write_header(offset, value, size)
        end = offset + size
        if (offset < PAM + PAM_REGISTERS and end > PAM) or offset <= SMRAM < end:
            self._update(offset, size)

    def _update(self, offset: int = PAM, size: int = PAM_REGISTERS) -> None:
        data, end = self.config.data, offset + size
        moves: list[tuple[PamSegment, int, int]] = []
        for segment in self.segments:
            if offset <= segment.register < end:
                mode = data[segment.register] >> segment.shift & 3
                if not segment.aliases[mode].enabled:
                    moves.append((segment, segment.shown, mode))
        smram = data[SMRAM]
        is_open, is_enabled = bool(smram & _SMRAM_OPEN), bool(smram & _SMRAM_ENABLE)
        pci_shown = not is_open
        if (
            not moves
            and self.smram_window.enabled == pci_shown
            and self.smram.enabled == is_enabled
        ):
            return
        with self.changing(self._cause(moves, offset, size)):
            for segment, shown, mode in moves:
                segment.aliases[shown].set_enabled(False)
                segment.aliases[mode].set_enabled(True)
            self.smram_window.set_enabled(pci_shown)
            self.smram.set_enabled(is_enabled)

    def _runs(self, moves: list[tuple[PamSegment, int, int]]) -> list[tuple[int, int, str, str]]:
        """Return start, end and both modes in words; neighbours that change alike are one."""
        runs: list[tuple[int, int, str, str]] = []
        for segment, old, new in sorted(moves, key=lambda move: move[0].start):
            start, end = segment.start, segment.start + segment.size
            words = (self._word(old, start), self._word(new, start))
            if runs and runs[-1][1] == start and runs[-1][2:] == words:
                start = runs.pop()[0]
            runs.append((start, end, *words))
        return runs

    def _word(self, mode: int, start: int) -> str:
        """Return a mode in a word; the PCI bus by what it has there, where that is ROM."""
        if mode == 0:
            pci = self.bus.memory_region.children.within(start, start + 1)
            if any(child.enabled and child.mtree_type() == "rom" for child in pci):
                return "ROM"
        return _MODES[mode]

    def _cause(self, moves: list[tuple[PamSegment, int, int]], offset: int, size: int) -> str:
        data = self.config.data
        parts = []
        written = range(max(offset, PAM), min(offset + size, PAM + PAM_REGISTERS))
        if written:
            values = " ".join(f"{data[register]:02X}h" for register in written)
            changes = "; ".join(
                f"{start:05X}-{end - 1:05X} {old} -> {new}"
                for start, end, old, new in self._runs(moves)
            )
            parts.append(f"PAM {written.start:02X}h <- {values}: {changes}")
        if offset <= SMRAM < offset + size:
            smram = data[SMRAM]
            window = "RAM" if smram & _SMRAM_OPEN else "PCI"
            smm = "on" if smram & _SMRAM_ENABLE else "off"
            parts.append(f"SMRAM 72h <- {smram:02X}h: A0000-BFFFF {window}, SMRAM {smm}")
        return ", ".join(parts)
