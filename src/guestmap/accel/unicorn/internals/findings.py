"""What one build of the library looks like inside: plain numbers, the same in every process."""

from __future__ import annotations

from dataclasses import field, fields

from guestmap.accel.unicorn.internals.library import Refused
from guestmap.accel.unicorn.layout import Layout
from guestmap.base.dataclass import dataclass

MSRS = {
    "STAR": 0xC0000081, "LSTAR": 0xC0000082, "CSTAR": 0xC0000083, "FMASK": 0xC0000084,
    "EFER": 0xC0000080, "SYSENTER_CS": 0x174, "SYSENTER_ESP": 0x175, "SYSENTER_EIP": 0x176,
}  # fmt: skip
"""The registers of SYSCALL and SYSENTER (Intel SDM volume 4, AMD APM volume 2, appendix A)."""

VERSION = 2
"""Of what is looked for, and its text; what another version found is looked for again."""

_FIRST_LINE = f"guestmap {VERSION}"
_NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Findings:
    """Byte offsets.

    Attributes:
        layout: of the CPU's registers (CPUX86State), and of contexts.
        cpu: in ``uc_struct``: the pointer to CPUState.
        mode: in ``uc_struct``: the mode that the instance was opened with, 4 bytes.
        registers: from CPUState to CPUX86State, which begins with EAX.
        pointer: in CPUState: the pointer to CPUX86State.
        halted: in CPUState: 4 bytes, 1 after HLT.
        cpu_class: in CPUState: the pointer to the class, which is each instance's own.
        tlb_fill: in the class: the pointers to the function that fills the TLB.
        find_mapping: in ``uc_struct``: the pointer to what finds what is mapped at an address.
        set_page: from the library's base: the jump slot of the function that makes a TLB entry.
        whole_blocks: in ``uc_struct``: 1 byte, 1 has a run end between two blocks of code alone.
        request: in CPUState: ``interrupt_request``, 4 bytes.
        virtual_request: the bit of it that asks for a virtual interrupt.
        msrs: of model specific registers in CPUX86State, by number.
        refused: parts that do not work in this build, and why.
    """

    layout: Layout
    cpu: int
    mode: int
    registers: int
    pointer: int
    halted: int
    cpu_class: int = 0
    tlb_fill: tuple[int, ...] = ()
    set_page: int = 0
    find_mapping: int = 0
    whole_blocks: int = 0
    request: int = 0
    virtual_request: int = 0
    msrs: dict[int, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the findings as lines of a name and what it says."""
        said = {f"layout.{each.name}": getattr(self.layout, each.name) for each in fields(Layout)}
        said |= {name: getattr(self, name) for name in _NUMBERS}
        said |= {"tlb_fill": " ".join(map(str, self.tlb_fill))}
        said |= {f"msrs.{number}": at for number, at in self.msrs.items()}
        said |= {f"refused.{part}": _in_one_line(why) for part, why in self.refused.items()}
        return "\n".join((_FIRST_LINE, *(f"{name}: {what}" for name, what in said.items()), ""))


_NUMBERS = (
    "cpu", "mode", "registers", "pointer", "halted", "cpu_class", "set_page", "find_mapping",
    "whole_blocks",
    "request", "virtual_request",
)  # fmt: skip


def from_text(text: str) -> Findings:
    """Return findings from text.

    Raises:
        Refused: the text says that nothing was found; its reason.
        ValueError: it is damaged, or was written by another version.
    """
    first, *lines = text.splitlines() or [""]
    if first != _FIRST_LINE:
        raise ValueError("another version")
    said: dict[str, dict[str, str]] = {}
    for line in lines:
        name, _, what = line.partition(": ")
        group, _, rest = name.rpartition(".")
        said.setdefault(group, {})[rest] = what
    plain = said.get("", {})
    if _NOTHING in plain:
        raise Refused(plain[_NOTHING])
    fill = tuple(map(int, plain.pop("tlb_fill", "").split()))
    msrs = {int(number): int(at) for number, at in said.get("msrs", {}).items()}
    try:
        layout = Layout(**_numbers(said.get("layout", {})))
        return Findings(
            layout, **_numbers(plain), tlb_fill=fill, msrs=msrs, refused=said.get("refused", {})
        )
    except TypeError as error:
        raise ValueError(f"damaged: {error}") from error


def nothing(reason: str) -> str:
    """Return the text that says that nothing was found."""
    return f"{_FIRST_LINE}\n{_NOTHING}: {_in_one_line(reason)}\n"


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _numbers(said: dict[str, str]) -> dict[str, int]:
    return {name: int(what) for name, what in said.items()}
