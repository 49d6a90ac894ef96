"""Watching a CPU that Unicorn executes: hooks, which are there only while something is watched.

A memory hook makes the library keep the instruction pointer exact, for device callbacks too. A stop
is asked for in such a hook and honoured before the next instruction: stopping inside one would have
it done twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.accel.debug import CpuProbe, WatchKind, access_of
from guestmap.accel.exits import Exit, ExitReason
from guestmap.accel.unicorn.binding import uc_api

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from guestmap.accel.debug import GuestAccess, Watchpoint
    from guestmap.accel.unicorn.cpu import Cpu
    from guestmap.accel.unicorn.hooks import Hooks

_LONGEST = 16
"""Bytes of an access: one that begins before a range may reach into it."""
_TOP = (1 << 64) - 1
_EXECUTE = frozenset({WatchKind.EXECUTE})


class UnicornProbe(CpuProbe):
    """The probe of one CPU.

    Args:
        cpu: the CPU.
        hooks: its callbacks.
        check_outside: raises StateError while it is in the guest.
        end: ends its run.
    """

    def __init__(
        self,
        cpu: Cpu,
        hooks: Hooks,
        check_outside: Callable[[], None],
        end: Callable[[Exit], None],
    ) -> None:
        self._cpu = cpu
        self._hooks = hooks
        self._check_outside = check_outside
        self._end = end
        self._stands: tuple[int, int] | None = None  # before an instruction that was told of
        self._told: list[Watchpoint] = []  # who has heard of it
        self._handles: list[Any] = []
        self._readers: list[Watchpoint] = []
        self._stepped = 0  # instructions that were begun since a step was asked for

    def watch(self, points: Collection[Watchpoint], *, stepping: bool = False) -> None:
        """Watch these ranges, and no others, from now on."""
        self._check_outside()
        self._unhook()
        self._told.clear()
        if any(each.may_stop and each.kinds - _EXECUTE for each in points):
            # First: what is to be stopped before is not told of.
            self._cpu.leaving.look_at_each_instruction()
        self._cpu.leaving.end_within_blocks(stepping or bool(points))
        self._stepped = 0
        if stepping:
            self._hook(uc_api.UC_HOOK_CODE, self._step, 0, _TOP)
        for point in points:
            self._hook_point(point)
        self._readers = [each for each in points if WatchKind.READ in each.kinds]
        self._hooks.hear_read = self._device_read if self._readers else None
        self._cpu.forget_code()

    def begin(self) -> None:
        """Take note that a run begins: what it stood before is not told of again."""
        if self._told and self._stands != self._hooks.instruction():  # it was moved elsewhere
            self._told.clear()

    def _hook_point(self, point: Watchpoint) -> None:
        kinds = 0
        if WatchKind.READ in point.kinds:
            kinds |= uc_api.UC_HOOK_MEM_READ
        if WatchKind.WRITE in point.kinds:
            kinds |= uc_api.UC_HOOK_MEM_WRITE
        if kinds:
            low = max(point.first - _LONGEST + 1, 0)
            self._hook(kinds, self._memory_hook(point), low, point.last)
        if WatchKind.EXECUTE in point.kinds:
            self._hook(uc_api.UC_HOOK_CODE, self._code_hook(point), point.first, point.last)

    def _hook(self, kind: int, callback: Callable[..., None], first: int, last: int) -> None:
        self._handles.append(self._cpu.uc.hook_add(kind, callback, None, first, last))

    def _unhook(self) -> None:
        for handle in self._handles:
            self._cpu.uc.hook_del(handle)
        self._handles.clear()
        self._cpu.leaving.look_at_each_block()

    # -- what Unicorn calls ------------------------------------------------------------------------

    def _memory_hook(self, point: Watchpoint) -> Callable[..., None]:
        def accessed(
            _uc: Any, kind: int, address: int, size: int, value: int, _data: object
        ) -> None:
            if not point.covers(address, size):
                return
            if kind == uc_api.UC_MEM_WRITE:
                self._tell(point, WatchKind.WRITE, address, size, value)
            elif self._hooks.is_memory(address):  # else the device's answer is told
                self._tell(point, WatchKind.READ, address, size, self._hooks.peek(address, size))

        return accessed

    def _device_read(self, address: int, size: int, value: int) -> None:
        for point in self._readers:
            if point.covers(address, size):
                self._tell(point, WatchKind.READ, address, size, value)

    def _code_hook(self, point: Watchpoint) -> Callable[..., None]:
        def executed(_uc: Any, address: int, size: int, _data: object) -> None:
            if point in self._told:  # the run begins with it
                self._told.remove(point)
                return
            access = self._access(WatchKind.EXECUTE, address, size, None)
            if self._ask(point, access):
                self._stands = self._hooks.instruction()
                self._told.append(point)
                self._stop(f"instruction at 0x{address:x}")
                self._cpu.uc.emu_stop()

        return executed

    def _step(self, _uc: Any, address: int, _size: int, _data: object) -> None:
        self._stepped += 1
        if self._stepped == 2:  # the next run is no step
            self._stop(f"step to 0x{address:x}")
            self._cpu.uc.emu_stop()

    def _tell(
        self, point: Watchpoint, kind: WatchKind, address: int, size: int, value: int
    ) -> None:
        mask = (1 << 8 * size) - 1
        if self._ask(point, self._access(kind, address, size, value & mask)):
            self._stop(f"access to 0x{address:x}")
            self._cpu.leaving.ask()

    def _ask(self, point: Watchpoint, access: GuestAccess) -> bool:
        try:
            return point.hear(access)
        except BaseException as error:  # noqa: BLE001 - raised again when the CPU has left
            self._hooks.fail(error)
            return False

    def _stop(self, message: str) -> None:
        self._end(Exit(ExitReason.DEBUG, message))

    def _access(self, kind: WatchKind, address: int, size: int, value: int | None) -> GuestAccess:
        view = self._hooks.memory.view
        return access_of(view, kind, address, size, value, self._hooks.instruction())
