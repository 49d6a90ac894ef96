"""The values that go in and out of a CPU."""

from __future__ import annotations

from enum import Enum

from guestmap.base.dataclass import dataclass
from guestmap.base.named_tuple import NamedTuple


class Register(Enum):
    """The registers that have a number for a value."""

    EAX = "eax"
    EBX = "ebx"
    ECX = "ecx"
    EDX = "edx"
    ESI = "esi"
    EDI = "edi"
    EBP = "ebp"
    ESP = "esp"
    EIP = "eip"
    EFLAGS = "eflags"
    CR0 = "cr0"
    CR2 = "cr2"
    CR3 = "cr3"
    CR4 = "cr4"


class SegmentRegister(Enum):
    """Segment registers and descriptor tables; GDTR and IDTR have base and limit only."""

    ES = "es"
    CS = "cs"
    SS = "ss"
    DS = "ds"
    FS = "fs"
    GS = "gs"
    LDTR = "ldtr"
    TR = "tr"
    GDTR = "gdtr"
    IDTR = "idtr"


class Segment(NamedTuple):
    """A segment register with its hidden part.

    ``flags`` are bits 32-63 of the descriptor, as in the second doubleword of a GDT entry.
    """

    selector: int
    base: int
    limit: int
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; what it cannot, it does as near as it can.

    Attributes:
        runs_code: there is a CPU at all.
        exact_interrupts: an interrupt is taken at the first instruction boundary that allows it.
        exceptions: faults reach the guest's handlers in protected mode, with their error codes.
        reset_vector: the CPU starts at FFFFFFF0h with CS base FFFF0000h.
        a20: the A20 gate can be closed.
        long_mode: 64-bit guests run.
        smm: there is a system management mode.
    """

    runs_code: bool
    exact_interrupts: bool
    exceptions: bool
    reset_vector: bool
    a20: bool
    long_mode: bool = False
    smm: bool = False


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """Counts since the engine was made.

    Attributes:
        entries: how often the CPU was entered.
        maps, unmaps: operations on the engine's memory map.
        open_windows: groups of pages that were mapped because the guest touched what is not memory.
        invalidations: ranges of translated code that were dropped because somebody else wrote.
        port_reads, port_writes, mmio_reads, mmio_writes: accesses that reached an address space.
        rom_writes: writes that a read-only range swallowed.
        interrupts, software_interrupts, exceptions: how many of each the guest took.
        halts: HLT instructions.
        strings: string instructions of which many accesses were made in one go.
    """

    entries: int = 0
    maps: int = 0
    unmaps: int = 0
    open_windows: int = 0
    invalidations: int = 0
    port_reads: int = 0
    port_writes: int = 0
    mmio_reads: int = 0
    mmio_writes: int = 0
    rom_writes: int = 0
    interrupts: int = 0
    software_interrupts: int = 0
    exceptions: int = 0
    halts: int = 0
    strings: int = 0


class Processor(NamedTuple):
    """What a CPU tells of itself, and of those beside it, by CPUID.

    Attributes:
        apic_id: of its local APIC after RESET#.
        cores: of its socket.
        threads: of its core.
    """

    apic_id: int = 0
    cores: int = 1
    threads: int = 1


class SoftwareInterrupt(NamedTuple):
    """An ``INT n`` instruction, seen before its handler runs: the firmware's call interface.

    Attributes:
        vector: n.
        eax, ebx, ecx, edx: the arguments.
        cs, eip: the instruction after ``INT n``.
        real_mode: the handler comes from the real-mode vector table.
    """

    vector: int
    eax: int
    ebx: int
    ecx: int
    edx: int
    cs: int
    eip: int
    real_mode: bool
