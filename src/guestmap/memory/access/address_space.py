"""Address spaces: what a CPU or a bus master sees, and its way in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.memory.access.bounce import BouncePool
from guestmap.memory.access.cache import MemoryRegionCache
from guestmap.memory.access.copy import accepts_piece
from guestmap.memory.access.find import cropped, find_in
from guestmap.memory.access.mapping import Mapping, map_memory
from guestmap.memory.access.scalar_access import ScalarAccess
from guestmap.memory.access.translate import ADDRESS_MASK, locate
from guestmap.memory.map.ops import ATTRS_UNSPECIFIED, MemTxAttrs
from guestmap.memory.map.section import MemoryRegionSection

if TYPE_CHECKING:
    from guestmap.memory.access.dispatch import Dispatch
    from guestmap.memory.hear.listener import MemoryListener
    from guestmap.memory.hear.listeners import Listeners
    from guestmap.memory.map.region import MemoryRegion


class AddressSpace(ScalarAccess):
    """A root region, seen flat: what a CPU or a bus master accesses memory through."""

    __slots__ = ("_listeners",)

    def __init__(
        self, name: str, root: MemoryRegion, dispatch: Dispatch, listeners: Listeners
    ) -> None:
        super().__init__(name, root, dispatch)
        self._listeners = listeners

    def find(self, address: int, size: int | None = None) -> MemoryRegionSection | None:
        """Return what shows at ``address``, or None where nothing does.

        Nothing is accessed or translated: behind an IOMMU this is the IOMMU's region.

        Args:
            address: where.
            size: with a size, the lowest section in that many bytes, cut to them; without, the
                whole section that answers at ``address``.
        """
        if type(address) is not int:
            self.check_number("address", address)
        if size is not None:
            self.check_number("size", size)
            return find_in(self, address, size)
        view = self.source.view
        found = view.find(address)
        return None if found is None else MemoryRegionSection.of(found, self, view)

    def translate(
        self,
        address: int,
        is_write: bool = False,
        length: int = 1 << 64,
        attrs: MemTxAttrs = ATTRS_UNSPECIFIED,
    ) -> MemoryRegionSection | None:
        """Return where an access goes, through all IOMMUs on its way; None where nobody answers.

        The section begins with the byte at ``address``, and is as long as the following addresses
        lead to the following bytes: at most ``length``, the rest of its range, and the rest of each
        IOMMU's page. ``view`` and the address are those at the end of the way.

        Raises:
            ConfigError: the address is no whole number.
        """
        if type(address) is not int:
            self.check_number("address", address)
        view, found, at, room = locate(self.source.view, address, length, is_write, attrs)
        if found is None:
            return None
        section = MemoryRegionSection.of(found, self, view)
        return cropped(section, at, min(at + room, found.end))

    def access_valid(
        self,
        address: int,
        length: int,
        is_write: bool,
        attrs: MemTxAttrs = ATTRS_UNSPECIFIED,
    ) -> bool:
        """Tell whether everybody on the way would take an access, without making it.

        Raises:
            ConfigError: address and length are no whole numbers, or the length cannot be.
        """
        self.check_run("access", address, length)
        view, done = self.source.view, 0
        while done < length:
            at = (address + done) & ADDRESS_MASK
            piece, accepted = accepts_piece(view, at, length - done, is_write, attrs, self.dispatch)
            if not accepted:
                return False
            done += piece
        return True

    @property
    def listeners(self) -> tuple[MemoryListener, ...]:
        """Who is told of changes, lowest priority first."""
        return tuple(self._listeners.on(self))

    def register_listener(self, listener: MemoryListener) -> None:
        """Tell ``listener`` the whole view as added now, and every change from now on.

        Raises:
            StateError: it is registered already.
        """
        self._listeners.add(self, listener)

    def unregister_listener(self, listener: MemoryListener) -> None:
        """Tell ``listener`` that everything goes, and nothing more after that.

        Raises:
            StateError: it is not registered here.
        """
        self._listeners.remove(self, listener)

    # -- longer access ---------------------------------------------------------------------------

    def map(
        self,
        address: int,
        length: int,
        is_write: bool,
        attrs: MemTxAttrs = ATTRS_UNSPECIFIED,
    ) -> Mapping | None:
        """Return up to ``length`` bytes at ``address`` as a buffer, until it is unmapped.

        Memory is mapped itself, and stays while it is, whatever happens to the map. Anything else
        is copied, as far as there are bounce buffers: see :attr:`bounce`.

        Returns:
            None if there is no bounce buffer free: try again when ``bounce.wait(...)`` calls.

        Raises:
            ConfigError: no whole numbers.
        """
        self.check_number("address", address)
        self.check_number("length", length)
        return map_memory(self, address, length, is_write, attrs)

    def cache(self, address: int, length: int, is_write: bool) -> MemoryRegionCache:
        """Return a window on up to ``length`` bytes for frequent access.

        Raises:
            ConfigError: no whole numbers, or ``length`` is not positive.
        """
        self.check_number("address", address)
        self.check_number("length", length)
        return MemoryRegionCache(self, address, length, is_write)

    @property
    def bounce(self) -> BouncePool:
        """The bounce buffers of :meth:`map`; made on first use."""
        return self.dispatch.bounce_pools.setdefault(self, BouncePool())

    def forget_bounce_buffers(self) -> None:
        """Let the bounce buffers go with the address space."""
        self.dispatch.bounce_pools.pop(self, None)

    def __repr__(self) -> str:
        return f"<AddressSpace {self.name}, root {self.root.name}>"
