"""``info registers`` and ``$NAME``: what is in the CPU.

The layout of the lines is QEMU's; debug, FPU and SSE registers are not shown, because the vCPUs
do not tell them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel import Register, Segment, SegmentRegister

if TYPE_CHECKING:
    from guestmap.accel import Vcpu
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext

_GENERAL = {
    name: Register(alias)
    for alias, names in {
        "eax": ("eax",), "ecx": ("ecx",), "edx": ("edx",), "ebx": ("ebx",), "esp": ("esp", "sp"),
        "ebp": ("ebp", "fp"), "esi": ("esi",), "edi": ("edi",), "eflags": ("eflags",),
        "eip": ("eip",),
    }.items()
    for name in names
}  # fmt: skip
_SEGMENTS = {name: SegmentRegister(name) for name in ("cs", "ds", "es", "ss", "fs", "gs")}
_LONG_MODE_ONLY = frozenset(f"r{number}" for number in range(8, 16))

_FLAGS = (("D", 10), ("O", 11), ("S", 7), ("Z", 6), ("A", 4), ("P", 2), ("C", 0))
_PROTECTED = 1
_SHOWN = 0x00FFFF00  # of the descriptor: not the parts of its base
_PRESENT, _NOT_SYSTEM, _CODE, _BIG = 1 << 15, 1 << 12, 1 << 11, 1 << 22
_SYSTEM_TYPES = (
    "Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16",
    "TrapGate16", "Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved",
    "IntGate32", "TrapGate32",
)  # fmt: skip
"""System descriptors by type (Intel SDM, volume 3, table 3-2), in QEMU's words."""

_RESET_SEGMENTS = {
    SegmentRegister.CS: Segment(0xF000, 0xFFFF0000, 0xFFFF, 0x9B00),
    SegmentRegister.LDTR: Segment(0, 0, 0xFFFF, 0x8200),
    SegmentRegister.TR: Segment(0, 0, 0xFFFF, 0x8B00),
}
_RESET_DATA = Segment(0, 0, 0xFFFF, 0x9300)
_RESET = {Register.EIP: 0xFFF0, Register.EFLAGS: 2, Register.CR0: 0x60000010}


def register_value(context: HmpContext, name: str) -> int | None:
    """Return what ``$name`` is in an expression; None where there is no such register."""
    vcpu = context.vm.vcpu
    if not context.vm.accelerator.capabilities.runs_code:
        return None
    if name in _GENERAL:
        return vcpu.read_register(_GENERAL[name])
    if name in _LONG_MODE_ONLY:
        return 0
    if name == "pc":
        base = vcpu.read_segment(SegmentRegister.CS).base
        return base + vcpu.read_register(Register.EIP)
    segment, dot, part = name.partition(".")
    if segment not in _SEGMENTS:
        return None
    value = vcpu.read_segment(_SEGMENTS[segment])
    if not dot:
        return value.selector
    return {"base": value.base, "limit": value.limit}.get(part)


def info_registers(context: HmpContext, values: Values) -> str:
    """Show one CPU or all; those that the engine does not run wait as after a reset."""
    cpus = context.board.cpus
    if values.get("all"):
        return "".join(f"\nCPU#{cpu}\n{_cpu(context, cpu)}" for cpu in range(cpus))
    asked = values.get("vcpu", 0)
    assert isinstance(asked, int)
    if asked >> 31:
        asked = 0  # a negative number, which is the current CPU
    if not cpus:
        return "No CPU available\n"
    if asked >= cpus:
        return f"CPU#{asked} not available\n"
    return f"\nCPU#{asked}\n{_cpu(context, asked)}"


def _cpu(context: HmpContext, cpu: int) -> str:
    vcpus = context.vm.vcpus
    return registers_text(vcpus[cpu] if cpu < len(vcpus) else None)


def registers_text(vcpu: Vcpu | None) -> str:
    """Return the lines of one CPU; without a vCPU, of one that waits."""
    return _Lines(vcpu).text()


class _Lines:
    """Makes the lines of one CPU."""

    def __init__(self, vcpu: Vcpu | None) -> None:
        self.vcpu = vcpu

    def value(self, register: Register) -> int:
        if self.vcpu is not None:
            return self.vcpu.read_register(register)
        return _RESET.get(register, 0)

    def segment(self, register: SegmentRegister) -> Segment:
        if self.vcpu is not None:
            return self.vcpu.read_segment(register)
        return _RESET_SEGMENTS.get(register, _RESET_DATA)

    def text(self) -> str:
        cs, flags = self.segment(SegmentRegister.CS), self.value(Register.EFLAGS)
        shown = "".join(letter if flags >> bit & 1 else "-" for letter, bit in _FLAGS)
        protected = self.value(Register.CR0) & _PROTECTED
        state = (
            f"EIP={self.value(Register.EIP):08x} EFL={flags:08x} [{shown}]"
            f" CPL={cs.selector & 3 if protected else 0} II=0 A20=1"
            f" SMM={int(self.vcpu is not None and self.vcpu.in_smm)}"
            f" HLT={int(self.vcpu is None)}"
        )
        lines = [
            self._row("EAX", "EBX", "ECX", "EDX"),
            self._row("ESI", "EDI", "EBP", "ESP"),
            state,
            *(self._segment(name) for name in ("ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR")),
            *(self._table(name) for name in ("GDT", "IDT")),
            self._row("CR0", "CR2", "CR3", "CR4"),
        ]
        return "".join(f"{line}\n" for line in lines)

    def _row(self, *names: str) -> str:
        return " ".join(f"{name}={self.value(Register[name]):08x}" for name in names)

    def _segment(self, name: str) -> str:
        each = self.segment(SegmentRegister[{"LDT": "LDTR"}.get(name, name)])
        flags = each.flags & _SHOWN
        text = f"{name:<3}={each.selector:04x} {each.base:08x} {each.limit:08x} {flags:08x}"
        if not self.value(Register.CR0) & _PROTECTED or not each.flags & _PRESENT:
            return text
        return f"{text} DPL={flags >> 13 & 3} {_kind(flags)}"

    def _table(self, name: str) -> str:
        each = self.segment(SegmentRegister[f"{name}R"])
        return f"{name}=     {each.base:08x} {each.limit:08x}"


def _kind(flags: int) -> str:
    """Describe a present descriptor, in protected mode."""
    if not flags & _NOT_SYSTEM:
        return _SYSTEM_TYPES[flags >> 8 & 15]
    accessed = "A" if flags & 1 << 8 else "-"
    if flags & _CODE:
        size, letters = "CS32" if flags & _BIG else "CS16", "CR"
    else:
        size, letters = "DS  " if flags & _BIG else "DS16", "EW"
    marks = (letters[0] if flags & 1 << 10 else "-") + (letters[1] if flags & 1 << 9 else "-")
    return f"{size} [{marks}{accessed}]"
