"""The memory map of Unicorn, with its rules, and nothing behind it."""

from __future__ import annotations

from typing import Any, NamedTuple

from unicorn import unicorn_const as uc_api

from guestmap.accel.unicorn.binding import UcError

PAGE = 0x1000


class Mapped(NamedTuple):
    """One region: host memory, or (``host`` None) a window whose accesses are told."""

    start: int
    size: int
    host: int | None
    writable: bool


class FakeUnicorn:
    """Takes the calls of a mapper and refuses what Unicorn 2 refuses.

    Attributes:
        fail_at: the number of the next call (1 is the first) that is refused; 0 for none.
        dropped: ranges of translated code that were dropped.
    """

    def __init__(self) -> None:
        self.regions: dict[int, Mapped] = {}
        self.dropped: list[tuple[int, int]] = []
        self.fail_at = 0

    def _called(self) -> None:
        if self.fail_at:
            self.fail_at -= 1
            if not self.fail_at:
                raise UcError(uc_api.UC_ERR_NOMEM)

    def _place(self, region: Mapped) -> None:
        self._called()
        end = region.start + region.size
        if region.start % PAGE or region.size % PAGE or not region.size:
            raise UcError(uc_api.UC_ERR_ARG)
        if any(r.start < end and region.start < r.start + r.size for r in self.regions.values()):
            raise UcError(uc_api.UC_ERR_MAP)
        self.regions[region.start] = region

    def mem_map_ptr(self, start: int, size: int, perms: int, host: int) -> None:
        self._place(Mapped(start, size, host, bool(perms & uc_api.UC_PROT_WRITE)))

    def mmio_map(
        self, start: int, size: int, _read: Any, read_data: int, _write: Any, write_data: int,
        *, guard: bool = True,
    ) -> None:  # fmt: skip
        assert read_data == write_data == start
        assert not guard
        self._place(Mapped(start, size, None, writable=True))

    def mem_unmap(self, start: int, size: int) -> None:
        self._called()
        if start not in self.regions or self.regions[start].size != size:
            raise UcError(uc_api.UC_ERR_NOMEM)
        del self.regions[start]

    def mem_protect(self, start: int, size: int, perms: int) -> None:
        self._called()
        assert self.regions[start].size == size
        writable = bool(perms & uc_api.UC_PROT_WRITE)
        self.regions[start] = self.regions[start]._replace(writable=writable)

    def ctl_remove_cache(self, start: int, end: int) -> None:
        self._called()
        self.dropped.append((start, end))

    def page(self, address: int) -> tuple[int, bool] | None:
        """Return the host address and whether it is writable; None where no memory is mapped."""
        for each in self.regions.values():
            if each.start <= address < each.start + each.size and each.host is not None:
                return each.host + address - each.start, each.writable
        return None
