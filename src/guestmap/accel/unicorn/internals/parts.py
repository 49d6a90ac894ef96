"""What is used of one instance's inside: each part found, tried, and only then relied on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.binding import UcError, uc_api, x86
from guestmap.accel.unicorn.internals import trials
from guestmap.accel.unicorn.internals.bench import Bench
from guestmap.accel.unicorn.internals.exceptions import NativeExceptions
from guestmap.accel.unicorn.internals.library import Library, Refused
from guestmap.accel.unicorn.internals.lines import CollectedLines
from guestmap.accel.unicorn.internals.machine_code import MachineCode
from guestmap.accel.unicorn.internals.overwritten import OverwrittenCode
from guestmap.accel.unicorn.internals.stores import PAGES, FastStores
from guestmap.accel.unicorn.internals.structures import LiveState, Structures
from guestmap.accel.unicorn.internals.system_calls import SystemCalls
from guestmap.accel.unicorn.state import PAGING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.accel.unicorn.internals.findings import Findings
    from guestmap.accel.unicorn.leaving import Leaving
    from guestmap.accel.unicorn.window import InterruptWindow

_MODE_32, _MODE_64 = 4, 8
_HF_LMA = 1 << 14

PARTS = (
    "registers", "halts", "long mode", "exceptions", "system calls", "interrupts", "A20", "stores",
    "overwritten code", "whole blocks",
)  # fmt: skip
"""What can be done by way of the library's inside, or in the documented way."""


class Internals:
    """The parts of one instance that its trials have proved.

    Args:
        uc: the instance, in its initial state, with nothing mapped at 0.
        library, findings: what it is made by.
        leaving: how it is made to leave.
        window: its interrupt request.

    Attributes:
        state: its registers.
        refused: the parts that are left to the documented way, and why.
        exceptions, system_calls, stores, overwritten: what is there of these; None where it was
            refused.

    Raises:
        Refused: not even the registers.
    """

    def __init__(
        self, uc: Any, library: Library, findings: Findings, leaving: Leaving,
        window: InterruptWindow,
    ) -> None:  # fmt: skip
        self._uc = uc
        self._structures = structures = Structures(uc, library, findings)
        self._code = MachineCode(library.handle)
        self.state = LiveState(structures)
        self.refused: dict[str, str] = {}
        self.exceptions: NativeExceptions | None = None
        self.system_calls: SystemCalls | None = None
        self.stores: FastStores | None = None
        self.overwritten: OverwrittenCode | None = None
        self._set_a20: Callable[[int, int], None] | None = None
        with Bench(uc, structures, self.state) as bench:
            trials.flags(bench)
            self._bench, self._leaving, self._window = bench, leaving, window
            for part, prove in (
                ("halts", self._prove_halts),
                ("long mode", self._prove_long_mode),
                ("exceptions", self._prove_exceptions),
                ("system calls", self._prove_system_calls),
                ("interrupts", self._prove_interrupts),
                ("A20", self._prove_a20),
                ("stores", self._prove_stores),
                ("whole blocks", self._prove_whole_blocks),
                ("overwritten code", self._prove_overwritten),
            ):
                self._prove(part, prove)
            if "long mode" not in self.refused:
                bench.grow_tlb()
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Forget what the trials left behind."""
        self.forget_code()
        if self.exceptions is not None:
            self.exceptions.forget_counts()
        if self.system_calls is not None:
            self.system_calls.count = 0

    def _prove(self, part: str, prove: Callable[[], None]) -> None:
        reason = self._structures.findings.refused.get(part, "")
        if not reason:
            try:
                prove()
            except (Refused, UcError) as error:
                reason = str(error)
        if reason:
            self.refused[part] = reason
            import logging

            logging.getLogger(__name__).warning(
                "Unicorn's inside is not used for %s: %s", part, reason
            )

    def _prove_whole_blocks(self) -> None:
        if self.stores is None:
            raise Refused("stores are done in the documented way")
        leaving, cell = self._leaving, self._structures.whole_blocks()
        cell.value = 1
        leaving.stop_before_access = self._stop_before_access
        try:
            trials.whole_blocks(self._bench, leaving)
        except (Refused, UcError):
            cell.value = 0
            leaving.stop_before_access = lambda _stop: None
            raise
        leaving.whole_blocks = cell

    def _stop_before_access(self, stop: bool) -> None:
        """Where addresses are translated: else what a port write changes is there at once."""
        if self.stores is not None:
            self.stores.stop_before_access(stop and bool(self.state.control(0) & PAGING))

    def _prove_halts(self) -> None:
        trials.halts(self._bench, self._leaving)

    def _prove_long_mode(self) -> None:
        trials.long_mode(self._bench)

    def _prove_exceptions(self) -> None:
        flag = self._leaving.flag_address
        if not flag:
            raise Refused("the CPU is not made to leave by machine code")
        part = NativeExceptions(self._structures, self._code, flag)
        hooks = part.install(self._uc)
        try:
            trials.exceptions(self._bench, part)
        except (Refused, UcError):
            self._unhook(hooks)
            raise
        self.exceptions = part

    def _prove_system_calls(self) -> None:
        part = SystemCalls(self._structures, self._code, self.state)
        hooks = part.install(self._uc)
        try:
            trials.system_calls(self._bench, part, faults=self.exceptions is not None)
        except (Refused, UcError):
            self._unhook(hooks)
            raise
        self.system_calls = part

    def _prove_interrupts(self) -> None:
        request, bit = self._structures.request()
        self._window.use(request, bit)
        try:
            trials.interrupts(self._bench, self._window)
        except (Refused, UcError):
            request.value = 0
            self._window.use(None, 0)
            raise

    def _prove_a20(self) -> None:
        set_a20 = self._structures.gate()
        for level, mask in ((0, 0xFFEFFFFF), (1, 0xFFFFFFFF)):
            set_a20(self._structures.cpu, level)
            if self.state.a20_mask != mask:
                raise Refused("the A20 gate does not move")
        self._set_a20 = set_a20

    def _prove_stores(self) -> None:
        part = FastStores(self._structures, self._code)
        part.install()
        try:
            trials.stores(self._bench, part)
        except (Refused, UcError):
            part.remove()
            raise
        self.stores = part

    def _prove_overwritten(self) -> None:
        if self.stores is None:
            raise Refused("stores are done in the documented way")
        if self._leaving.whole_blocks is None:
            raise Refused("a run may end in the middle of a block")
        flag, code = self._leaving.flag_address, self._code
        part = OverwrittenCode(self._structures, code, self.stores.table, PAGES, flag)
        part.install()
        try:
            trials.overwritten(self._bench, part, self._leaving)
        except (Refused, UcError):
            part.remove()
            raise
        self.overwritten = part

    def _unhook(self, hooks: list[int]) -> None:
        for hook in hooks:
            self._code.unhook(self._uc, hook)

    # -- between two runs --------------------------------------------------------------------------

    def begin(self) -> None:
        """Prepare a run from ``state.pc``."""
        long_mode = self.state.hflags & _HF_LMA and "long mode" not in self.refused
        self._structures.mode.value = _MODE_64 if long_mode else _MODE_32
        self._structures.halted.value = 0

    def end(self) -> None:
        """End a run."""
        self._structures.mode.value = _MODE_32

    @contextmanager
    def wide_registers(self) -> Iterator[None]:
        """Have the library's interface show registers of 64 bits, for a ``with`` block."""
        before, self._structures.mode.value = self._structures.mode.value, _MODE_64
        try:
            yield
        finally:
            self._structures.mode.value = before

    def set_msr(self, number: int, value: int) -> bool:
        """Set all bits of a model specific register; False where it was not found."""
        if number not in self._structures.findings.msrs:
            return False
        self._structures.msr(number).value = value
        return True

    def has(self, part: str) -> bool:
        """Tell whether a part is used."""
        return part not in self.refused

    @property
    def halted(self) -> bool:
        """Whether the last run ended with HLT."""
        return bool(self._structures.halted.value)

    def set_a20(self, enabled: bool) -> bool:
        """Open or close the A20 gate, at any time; False where that was refused."""
        if self._set_a20 is None:
            return False
        self._set_a20(self._structures.cpu, int(enabled))
        return True

    def collect_lines(
        self, port: int, otherwise: Callable[[int, int, int, int], None]
    ) -> CollectedLines:
        """Collect what is written to a port; all other OUT call a function from now on.

        Raises:
            Refused: it cannot be.
        """
        lines = CollectedLines(self._code, port, otherwise)
        self._code.hook(self._uc, uc_api.UC_HOOK_INSN, lines.hook, x86.UC_X86_INS_OUT)
        return lines

    def forget_code(self) -> None:
        """Note that there is no translated code any more, and nothing in the TLB."""
        if self.stores is not None:
            self.stores.forget()
        if self.overwritten is not None:
            self.overwritten.forget()
