"""What one build of the library looks like inside: plain numbers, the same in every process."""

from __future__ import annotations

import json
from dataclasses import asdict, field
from typing import Any

from guestmap.accel.unicorn.internals.library import Refused
from guestmap.accel.unicorn.layout import Layout
from guestmap.base.dataclass import dataclass

MSRS = {
    "STAR": 0xC0000081, "LSTAR": 0xC0000082, "CSTAR": 0xC0000083, "FMASK": 0xC0000084,
    "EFER": 0xC0000080, "SYSENTER_CS": 0x174, "SYSENTER_ESP": 0x175, "SYSENTER_EIP": 0x176,
}  # fmt: skip
"""The registers of SYSCALL and SYSENTER (Intel SDM volume 4, AMD APM volume 2, appendix A)."""

VERSION = 1
"""Of what is looked for; what another version found is looked for again."""


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
        set_page: from the library's base: the jump slot of the function that makes a TLB entry.
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
    request: int = 0
    virtual_request: int = 0
    msrs: dict[int, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the findings as text."""
        return json.dumps({"version": VERSION, **asdict(self)})


def from_json(text: str) -> Findings:
    """Return findings from text.

    Raises:
        Refused: the text says that nothing was found; its reason.
        ValueError: it is damaged, or was written by another version.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        if content.pop("version") != VERSION:
            raise ValueError("another version")
        if isinstance(reason := content.get("nothing"), str):
            raise Refused(reason)
        layout = Layout(**_numbers(content.pop("layout")))
        msrs = {int(number): int(at) for number, at in content.pop("msrs").items()}
        refused = {str(part): str(why) for part, why in content.pop("refused").items()}
        fill = tuple(map(int, content.pop("tlb_fill")))
        known = Findings(layout, **_numbers(content), tlb_fill=fill, msrs=msrs, refused=refused)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"damaged: {error}") from error
    return known


def nothing(reason: str) -> str:
    """Return the text that says that nothing was found."""
    return json.dumps({"version": VERSION, "nothing": reason})


def _numbers(content: dict[str, Any]) -> dict[str, int]:
    if not all(type(value) is int for value in content.values()):
        raise ValueError("damaged: a number is wanted")
    return content
