"""IOMMU regions: memory that answers an access by saying where it goes.

The vocabulary is QEMU's (``IOMMUMemoryRegionClass``, ``IOMMUTLBEntry``, ``IOMMUNotifier`` in
include/exec/memory.h): a device's address space has an IOMMU region where its bus ends; each access
is translated, page by page, into another address space, where another IOMMU may wait. Whoever
keeps translations (a device with a cache, VFIO with mappings in the host) registers a notifier.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError, StateError
from guestmap.memory.map.checks import checked_kind
from guestmap.memory.map.iommu_entry import IommuEntry, IommuNotify, IommuPerm

if TYPE_CHECKING:
    from guestmap.memory.map.ops import MemTxAttrs
    from guestmap.memory.map.region import MemoryRegion

_LAST = ADDRESS_SPACE_SIZE - 1


class IommuNotifier:
    """Somebody who wants to hear of changed translations.

    Attributes:
        callback: called with each entry; for an unmapped one with ``perm`` NONE.
        flags: the kinds of events to hear of.
        start, end: first and last offset in the region that matter.
        index: which of the region's translations (:meth:`IommuTranslator.attrs_to_index`).
    """

    __slots__ = ("callback", "end", "flags", "index", "start")

    def __init__(
        self,
        callback: Callable[[IommuEntry], None],
        flags: IommuNotify,
        *,
        start: int = 0,
        end: int = _LAST,
        index: int = 0,
    ) -> None:
        self.callback = callback
        self.flags = flags
        self.start = start
        self.end = end
        self.index = index

    def tell(self, entry: IommuEntry) -> None:
        """Call back with the part of ``entry`` that lies in the notifier's range, if any does."""
        start = max(entry.iova, self.start)
        end = min(entry.iova + entry.mask, self.end)
        if start <= end:
            translated = entry.translated + start - entry.iova
            self.callback(entry._replace(iova=start, translated=translated, mask=end - start))


class IommuTranslator:
    """Base class of the hardware behind an IOMMU region: override :meth:`translate` at least.

    A guest programs it, so it must answer every address, and must not raise. It may read its
    tables from guest memory; an access that comes back to the translator while it translates
    (its tables lie behind itself) is refused.

    Attributes:
        min_page_size: bytes of the smallest page; a power of two. Permissions do not change
            within one.
        num_indexes: how many translations exist side by side (QEMU's ``num_indexes``).
    """

    min_page_size = 4096
    num_indexes = 1

    def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
        """Return where an access at ``offset`` of the region goes; None for nowhere.

        Args:
            offset: bytes from the start of the region.
            access: READ or WRITE; NONE for whoever only wants to know.
            index: see :meth:`attrs_to_index`.
        """
        raise NotImplementedError

    def attrs_to_index(self, attrs: MemTxAttrs) -> int:  # noqa: ARG002  (for those who override)
        """Return which translation an access with these attributes uses."""
        return 0

    def notify_flag_changed(self, old: IommuNotify, new: IommuNotify) -> None:
        """Hear that all notifiers together want other events than before.

        Raises:
            ConfigError: it cannot tell of these events; the notifier is not registered.
        """

    def replay(self, iommu: Iommu, notifier: IommuNotifier) -> None:
        """Tell a notifier every translation that allows something, as MAP events.

        This one asks for every page in the notifier's range, or for every entry where they are
        larger. Translators of a large and mostly empty space know better what they hold.
        """
        offset, last = notifier.start, min(notifier.end, iommu.region.size - 1)
        while offset <= last:
            entry = self.translate(offset, IommuPerm.NONE, notifier.index)
            page = self.min_page_size - 1
            if entry is not None:
                page |= entry.mask
                if entry.perm:
                    notifier.tell(entry)
            offset = (offset | page) + 1


class Iommu:
    """What makes a region an IOMMU region.

    Attributes:
        region: it.
        translator: the hardware.
        notifiers: in order of registration.
    """

    __slots__ = ("_translating", "notifiers", "region", "translator")

    def __init__(self, region: MemoryRegion, translator: IommuTranslator) -> None:
        size = translator.min_page_size
        if size < 1 or size & (size - 1):
            raise ConfigError(
                f"IOMMU region {region.name!r}: a page of 0x{size:x} bytes is no power of two"
            )
        self.region = region
        self.translator = translator
        self.notifiers: tuple[IommuNotifier, ...] = ()
        self._translating: list[int] = []

    def translate(self, offset: int, access: IommuPerm, attrs: MemTxAttrs) -> IommuEntry | None:
        """Return the entry for an access, or None where there is none or it does not allow it."""
        thread = get_ident()
        if thread in self._translating:
            return None  # the translator's tables lie behind itself
        self._translating.append(thread)
        try:
            index = self.translator.attrs_to_index(attrs)
            entry = self.translator.translate(offset, access, index)
        finally:
            self._translating.remove(thread)
        return entry if entry is not None and entry.perm & access == access else None

    # -- notifiers -------------------------------------------------------------------------------

    @property
    def flags(self) -> IommuNotify:
        """The events that somebody wants to hear of."""
        flags = IommuNotify.NONE
        for each in self.notifiers:
            flags |= each.flags
        return flags

    def register(self, notifier: IommuNotifier) -> None:
        """Tell ``notifier`` of events from now on; :meth:`replay` tells what there is already.

        Raises:
            ConfigError: no events, an empty range, an index that the translator has not, or the
                translator cannot tell of these events.
            StateError: it is registered already.
        """
        self.region.check_open()
        what = f"notifier of IOMMU region {self.region.name!r}:"
        checked_kind(what, notifier, IommuNotifier)
        problem = ""
        if not notifier.flags:
            problem = "it wants to hear of no event"
        elif not 0 <= notifier.start <= notifier.end:
            problem = f"its range 0x{notifier.start:x} to 0x{notifier.end:x} is empty"
        elif not 0 <= notifier.index < self.translator.num_indexes:
            problem = f"index {notifier.index} is not one of {self.translator.num_indexes}"
        if problem:
            raise ConfigError(f"{what} {problem}")
        if notifier in self.notifiers:
            raise StateError(f"this notifier of {self.region.name!r} is registered already")
        self._set((*self.notifiers, notifier))

    def unregister(self, notifier: IommuNotifier) -> None:
        """Tell ``notifier`` no more.

        Raises:
            StateError: it is not registered.
        """
        if notifier not in self.notifiers:
            raise StateError(f"this notifier of {self.region.name!r} is not registered")
        self._set(tuple(each for each in self.notifiers if each is not notifier))

    def _set(self, notifiers: tuple[IommuNotifier, ...]) -> None:
        before = self.notifiers
        old, self.notifiers = self.flags, notifiers
        new = self.flags
        try:
            if new != old:
                self.translator.notify_flag_changed(old, new)
        except BaseException:
            self.notifiers = before
            raise

    def notify(self, kind: IommuNotify, entry: IommuEntry, index: int = 0) -> None:
        """Tell of an event whoever wants to hear of it: the translator calls this.

        Raises:
            ConfigError: no entry, or an unmapped one that allows something.
        """
        checked_kind(f"IOMMU region {self.region.name!r}:", entry, IommuEntry)
        unmaps = kind & (IommuNotify.UNMAP | IommuNotify.DEVIOTLB_UNMAP)
        if unmaps and entry.perm:
            raise ConfigError(
                f"IOMMU region {self.region.name!r}: what is unmapped at 0x{entry.iova:x}"
                f" cannot allow {entry.perm!r}"
            )
        for each in self.notifiers:
            if each.flags & kind and each.index == index:
                each.tell(entry)

    def replay(self, notifier: IommuNotifier) -> None:
        """Tell ``notifier`` what is translated now."""
        self.translator.replay(self, notifier)
