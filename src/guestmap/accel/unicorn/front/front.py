"""An address space in front of any Unicorn instance."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from unicorn import unicorn_const as uc_api

from guestmap.accel.counters import Counters
from guestmap.accel.unicorn.front.accesses import Accesses
from guestmap.accel.unicorn.front.instance import Instance, UcError
from guestmap.accel.unicorn.front.mapper import FrontMapper
from guestmap.accel.unicorn.front.unmapped import UnmappedAccess
from guestmap.accel.unicorn.front.windows import LAST_PAGES
from guestmap.accel.unicorn.pieces import PAGE
from guestmap.base import ConfigError, HostError, StateError, UnsupportedError

if TYPE_CHECKING:
    from guestmap.memory import AddressSpace

OnUnmapped = Callable[[UnmappedAccess], int | None]

_BAD_ACCESSES = (
    uc_api.UC_HOOK_MEM_READ_UNMAPPED
    | uc_api.UC_HOOK_MEM_WRITE_UNMAPPED
    | uc_api.UC_HOOK_MEM_FETCH_UNMAPPED
    | uc_api.UC_HOOK_MEM_WRITE_PROT
    | uc_api.UC_HOOK_MEM_FETCH_PROT
)
_FETCHES = frozenset({uc_api.UC_MEM_FETCH_UNMAPPED, uc_api.UC_MEM_FETCH_PROT})


def attach(uc: Any, space: AddressSpace, *, unmapped: OnUnmapped | None = None) -> Front:
    """Let the CPU of a Unicorn instance see ``space``, from now on and as it changes.

    RAM and ROM are mapped where they are whole pages, straight from their host memory; accesses of
    anything else go to ``space``: devices of any size, and all of a page that is not one piece of
    memory throughout, its RAM included. What a device callback changes shows at the guest's next
    access. Code that was translated from memory which Python or a device writes is dropped.

    As with Unicorn itself, one thread at a time: the one that runs the CPU changes the map and
    writes memory, in callbacks or while the CPU is stopped.

    Args:
        uc: a ``Uc`` of any architecture, with nothing mapped where ``space`` shows something, and
            with the CPU's own translation of addresses (``UC_TLB_CPU``, as it is by default).
        space: what it shall see, at the addresses of Unicorn's own functions: the physical ones.
        unmapped: called with each access that nobody takes; what it returns is what a read gets
            (None: 0), and what it raises comes out of ``emu_start``. By default that is
            :class:`UnmappedError`.

    Returns:
        what takes it away again: close it, or use it in a ``with`` statement.

    Raises:
        ConfigError: something is mapped where ``space`` shows memory, or ``uc`` is no ``Uc``.
        UnsupportedError: the CPU's pages are larger than 4 KiB.
    """
    return Front(uc, space, unmapped)


class Front:
    """What :func:`attach` returns.

    Attributes:
        uc: the Unicorn instance.
        space: what it sees.
    """

    def __init__(self, uc: Any, space: AddressSpace, unmapped: OnUnmapped | None) -> None:
        if not hasattr(uc, "ctl_get_arch"):
            raise ConfigError(f"cannot attach {space.name!r} to {uc!r}: give a unicorn.Uc")
        self.uc = uc
        self.space = space
        self._instance = Instance(uc)
        self._check()
        self._accesses = Accesses(self._instance, space, unmapped)
        self._mapper = FrontMapper(
            self._instance,
            space,
            self,
            Counters(),
            self._accesses.callbacks,
            answers=unmapped is not None,
        )
        self._accesses.catch_up = self._catch_up
        self._start: Callable[..., None] = uc.emu_start
        uc.emu_start = self._emu_start
        self._hook = uc.hook_add(_BAD_ACCESSES, self._on_bad_access)
        self._closed = False
        try:
            space.register_listener(self._mapper)
        except BaseException:
            self._let_go()
            raise

    def _check(self) -> None:
        if self.uc.ctl_get_page_size() > PAGE:
            size = self.uc.ctl_get_page_size()
            raise UnsupportedError(f"this CPU's pages have 0x{size:x} bytes: 0x{PAGE:x} are known")
        for low, high, _ in self.uc.mem_regions():
            taken = self.space.find(low, high - low + 1)
            if taken is not None:
                start = taken.offset_within_address_space
                raise ConfigError(
                    f"cannot attach {self.space.name!r}: region {taken.region.name!r} at"
                    f" 0x{start:x}-0x{start + taken.size - 1:x} is where Unicorn has memory mapped"
                    f" already, at 0x{low:x}-0x{high:x}: unmap that first"
                )

    def close(self) -> None:
        """Take everything out of the instance that :func:`attach` put in; again, do nothing.

        Raises:
            StateError: called from a device callback.
        """
        if self._closed:
            return
        if self._accesses.busy is not None:
            raise StateError("cannot detach in the middle of an access: stop the CPU first")
        self._closed = True
        if self._mapper in self.space.listeners:  # else the memory system was closed
            self.space.unregister_listener(self._mapper)
        self._let_go()

    def _let_go(self) -> None:
        self.uc.emu_start = self._start
        self._mapper.close_windows()
        self.uc.hook_del(self._hook)
        self._mapper.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- what the mapper and Unicorn ask -----------------------------------------------------------

    def may_settle(self) -> bool:
        """Tell whether the map may be changed now; in an access, change it but for its window."""
        busy = self._accesses.busy
        if busy is None:
            self._accesses.late = False
            return True
        self._catch_up(busy)
        return False

    def _catch_up(self, busy: tuple[int, int]) -> None:
        self._mapper.settle(busy)
        self._accesses.late = self._mapper.unsettled

    def _emu_start(self, *args: Any, **kwargs: Any) -> None:
        """Do what Unicorn's does, and raise what a callback raised, which Unicorn does not."""
        if self._accesses.late and self._accesses.busy is None:
            self._mapper.settle()
        try:
            self._start(*args, **kwargs)
        except UcError as error:
            failure = self._accesses.take_failure()
            if failure is None:
                raise
            raise failure from error
        failure = self._accesses.take_failure()
        if failure is not None:
            raise failure

    def _on_bad_access(
        self, _uc: Any, kind: int, address: int, size: int, value: int, _data: object
    ) -> bool:
        """Tell Unicorn whether to go on."""
        try:
            if kind in _FETCHES:
                self._check_fetch(address, size)
            if kind == uc_api.UC_MEM_WRITE_PROT:
                if self._mapper.is_rom_device(address):
                    self._accesses.store(address, size, value)
            elif kind != uc_api.UC_MEM_FETCH_PROT:
                if address & -PAGE in LAST_PAGES:  # else a window were open
                    self._tell_of_nobody(kind, address, size, value)
                self._open_window(address)
        except BaseException as error:  # noqa: BLE001 - raised again when the CPU has left
            self._accesses.fail(error)
            return False
        return True

    def _tell_of_nobody(self, kind: int, address: int, size: int, value: int) -> None:
        """Tell of an access in one of the last pages, where a window is open if there is somebody.

        Opened now, it would not be found.
        """
        if kind == uc_api.UC_MEM_WRITE_UNMAPPED:
            self._accesses.store(address, size, value)
        elif kind == uc_api.UC_MEM_READ_UNMAPPED:
            self._accesses.load(address, size)

    def _open_window(self, address: int) -> None:
        if not self._mapper.open_window(address):
            raise HostError(
                f"the page at 0x{address & -PAGE:x} cannot be given to {self.space.name!r}:"
                " Unicorn has something mapped in it"
            )

    def _check_fetch(self, address: int, size: int) -> None:
        """Raise where there is nothing to execute, or where Unicorn cannot execute it."""
        found = self.space.find(address)
        if found is None:
            self._accesses.nobody("fetch", address, size)
        elif not self._instance.fetches_from_devices:
            raise UnsupportedError(
                f"the guest executes code at 0x{address:x}, in region {found.region.name!r}: on"
                " this CPU, Unicorn executes only pages of 4 KiB that are one piece of memory"
            )
