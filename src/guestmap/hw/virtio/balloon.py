"""The memory balloon (virtio 1.2, section 5.5): the guest gives pages back when it is asked to.

Three queues: pages that the guest gives, pages that it takes again, and its statistics. A page is a
number of 32 bits; what is no page of RAM is passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any, Final

from guestmap.base import ConfigError
from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import ON_OFF_AUTO, SWITCH, declare, fact, secret, setting
from guestmap.hw.device import U32, U64, DeviceModel, Ns, Stateless, rearm
from guestmap.hw.pci.kind import IS_PCI
from guestmap.hw.virtio.device import VirtioState
from guestmap.hw.virtio.pci import VIRTIO_PCI, VirtioPci
from guestmap.hw.virtio.queue import QueueElement
from guestmap.qom import BOOL, INT, STR, JsonValue, Property, Unset, link, opaque

if TYPE_CHECKING:
    from guestmap.base import Clock, Timer
    from guestmap.hw.pci.bus import PciBus

PAGE_SHIFT: Final = 12
_INFLATE, _DEFLATE, _STATS = 0, 1, 2
_STATS_QUEUE, _PAGE_POISON = 1 << 1, 1 << 4
_CONFIGURATION = struct.Struct("<4I")
_STATISTIC = struct.Struct("<HQ")
_UNKNOWN = 0xFFFF_FFFF_FFFF_FFFF
_SECOND_NS = 1_000_000_000
_LONGEST_S = 0xFFFF_FFFF
STATISTICS = (
    "swap-in", "swap-out", "major-faults", "minor-faults", "free-memory", "total-memory",
    "available-memory", "disk-caches", "htlb-pgalloc", "htlb-pgfail",
)  # fmt: skip
"""What a guest tells, by the numbers of the specification."""

_RING = (
    setting("indirect_desc", BOOL, True, SWITCH),
    setting("event_idx", BOOL, True, SWITCH),
    setting("notify_on_empty", BOOL, True, SWITCH),
    setting("any_layout", BOOL, True, SWITCH),
    setting("iommu_platform", BOOL, False, SWITCH),
    setting("packed", BOOL, False, SWITCH),
    setting("queue_reset", BOOL, True, SWITCH),
    setting("use-started", BOOL, True),
    setting("use-disabled-flag", BOOL, True),
    setting("x-disable-legacy-check", BOOL, False),
)
_OF_A_BALLOON = (
    setting("deflate-on-oom", BOOL, False, SWITCH),
    setting("free-page-hint", BOOL, False, SWITCH),
    setting("page-poison", BOOL, True, SWITCH),
    setting("free-page-reporting", BOOL, False, SWITCH),
    setting("qemu-4-0-config-size", BOOL, False),
)


def _of_the_backend(each: Property) -> Property:
    """Return a setting of the balloon itself as the transport shows it."""
    value = None if isinstance(each.default, Unset) else each.default
    return fact(each.name, each.type, value, each.description, default=each.default)


def _balloon(device: Any) -> VirtioBalloon:
    """Return the balloon that an object of the tree stands for, or is a part of."""
    hardware = device.hardware
    found: VirtioBalloon = hardware.balloon if isinstance(hardware, BalloonBackend) else hardware
    return found


_STATS_OF_GUEST = (
    Property(
        "guest-stats",
        opaque("guest statistics"),
        lambda device: _balloon(device).statistics(),
    ),
    Property(
        "guest-stats-polling-interval",
        INT,
        lambda device: _balloon(device).state.interval_s,
        lambda device, value: _balloon(device).poll_every(value),
    ),
    fact("iothread", link("iothread"), ""),
)


@dataclass(slots=True)
class BalloonState(VirtioState):
    """The balloon.

    Attributes:
        pages: how many the guest is to give; actual: how many it says that it has given.
        poison: what the guest fills free pages with.
        asked: the statistics' element, kept until they are wanted again: its head, what may be
            read; told: bytes of it that were read.
        statistics: as the guest told them last; told_at_s: when, in seconds since 1970.
        interval_s: how often they are wanted, 0 for never; next_ns: when they are next.
    """

    pages: U32 = 0
    actual: U32 = 0
    poison: U32 = 0
    asked: tuple[int, tuple[tuple[U64, U32], ...]] | None = None
    told: U32 = 0
    statistics: Annotated[list[U64], Meta(min_length=10, max_length=10)] = field(
        default_factory=lambda: [_UNKNOWN] * len(STATISTICS)
    )
    told_at_s: U64 = 0
    interval_s: U32 = 0
    next_ns: Ns | None = None


VIRTIO_DEVICE = declare("virtio-device", "device", *_RING, abstract=True, bus="virtio-bus")


class BalloonBackend(DeviceModel[Stateless]):
    """What QEMU shows behind the transport: the balloon itself."""

    TYPE = declare(
        "virtio-balloon-device", VIRTIO_DEVICE, *_OF_A_BALLOON, *_STATS_OF_GUEST,
        secret("legacy-iothread", STR),
        bus="virtio-pci-bus",
    )  # fmt: skip

    def __init__(self, balloon: VirtioBalloon) -> None:
        super().__init__(Stateless())
        self.balloon = balloon


BALLOON_PCI_BASE = declare("virtio-balloon-pci-base", VIRTIO_PCI, abstract=True)


class VirtioBalloon(VirtioPci[BalloonState]):
    """The balloon.

    Args:
        bus: the bus that it sits on.
        devfn: slot << 3 | function.
        multifunction: whether its slot has further functions.

    Attributes:
        ram: returns the bytes of RAM that the machine has, with all that is plugged in.
        discard: gives the page at an address back to the host; False for what is no RAM.
        on_change: called with the bytes that the guest has, when it says so.
        now_s: returns seconds since 1970.
        on_remove: called when it leaves the machine.
    """

    TYPE = declare(
        "virtio-balloon-pci", BALLOON_PCI_BASE,
        setting("disable-legacy", ON_OFF_AUTO, "auto", "on/off/auto"),
        setting("disable-modern", BOOL, False),
        *(_of_the_backend(each) for each in (*_RING, *_OF_A_BALLOON)),
        *_STATS_OF_GUEST,
        interfaces=IS_PCI,
        buses=(("virtio-pci-bus", "virtio-bus"),),
        user_creatable=True,
    )  # fmt: skip
    CHOICES = ("multifunction",)
    NAME = "virtio-balloon"
    DEVICE_ID, LEGACY_ID = 5, 2
    FEATURES = _STATS_QUEUE | _PAGE_POISON
    QUEUES = (128, 128, 128)
    CONFIG = _CONFIGURATION.size
    OUTLIVES_RESET = (
        *VirtioPci.OUTLIVES_RESET, "pages", "actual", "told", "statistics", "told_at_s",
        "interval_s", "next_ns",
    )  # fmt: skip

    def __init__(self, bus: PciBus, devfn: int, *, multifunction: bool = False) -> None:
        super().__init__(BalloonState(), bus, devfn, multifunction=multifunction)
        self._backend = BalloonBackend(self)
        self._timer: Timer | None = None
        self.ram: Callable[[], int] = lambda: 0
        self.discard: Callable[[int], object] = lambda _address: None
        self.on_change: Callable[[int], object] = lambda _bytes: None
        self.now_s: Callable[[], int] = lambda: 0
        self.on_remove: Callable[[], object] = lambda: None

    @classmethod
    def plugged(cls, bus: PciBus, devfn: int, choices: dict[str, Any]) -> VirtioBalloon:
        """Make one as the user wants it."""
        return cls(bus, devfn, **choices)

    @property
    def parts(self) -> Mapping[str, DeviceModel[Any]]:
        """What QEMU shows behind the transport."""
        return {"virtio-backend": self._backend}

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value."""
        return "off" if name == "disable-legacy" else super().value(name, fallback)

    def wind(self, clock: Clock) -> None:
        """Have statistics be asked for as the machine's time goes on."""
        self._timer = clock.timer(self._poll)
        self._clock = clock

    def remove(self) -> None:
        """Leave the machine."""
        super().remove()
        if self._timer is not None:
            self._timer.cancel()
        self.on_remove()

    # -- what whoever manages the machine wants ----------------------------------------------------

    def aim(self, target: int) -> None:
        """Ask the guest to have so many bytes, at most all that there are."""
        ram = self.ram()
        self.state.pages = ram - min(target, ram) >> PAGE_SHIFT & 0xFFFF_FFFF
        self.configuration_changed()

    @property
    def left(self) -> int:
        """Bytes that the guest has, as it says."""
        return self.ram() - (self.state.actual << PAGE_SHIFT)

    def statistics(self) -> dict[str, JsonValue]:
        """Return what the guest told last, as QEMU's ``guest-stats``."""
        state = self.state
        told = {f"stat-{name}": state.statistics[n] for n, name in enumerate(STATISTICS)}
        return {"stats": told, "last-update": state.told_at_s}

    def poll_every(self, seconds: int) -> None:
        """Want statistics so often from now on; 0 for never.

        Raises:
            ConfigError: no time that can be, in QEMU's words.
        """
        if seconds < 0:
            raise ConfigError("timer value must be greater than zero")
        if seconds > _LONGEST_S:
            raise ConfigError("timer value is too big")
        state = self.state
        if seconds == state.interval_s:
            return
        is_first, state.interval_s = not state.interval_s, seconds
        self._wait(0 if is_first else seconds)

    def _wait(self, seconds: int) -> None:
        if self._timer is None:
            return
        if self.state.interval_s:
            self._timer.arm(self._clock.now_ns() + seconds * _SECOND_NS)
        else:
            self._timer.cancel()

    def _poll(self) -> None:
        """Give the guest its element back, which asks for new statistics."""
        state = self.state
        if state.asked is None or not state.started:
            self._wait(state.interval_s)
            return
        element, state.asked = QueueElement(*state.asked), None
        self.give_back(_STATS, element, state.told)

    # -- queues ------------------------------------------------------------------------------------

    def serve(self, number: int) -> None:
        """Take pages, or statistics."""
        if number == _STATS:
            self._take_statistics()
            return
        while (element := self.take(number)) is not None:
            data = self.virtqueue(number).read(element)
            if number == _INFLATE:
                for (page,) in struct.iter_unpack("<I", data[: len(data) & ~3]):
                    self.discard(page << PAGE_SHIFT)
            self.give_back(number, element)

    def _take_statistics(self) -> None:
        state = self.state
        element = self.take(_STATS)
        if element is not None:
            if state.asked is not None:
                self.give_back(_STATS, QueueElement(*state.asked))
            state.asked = (element.head, element.readable)
            data = self.virtqueue(_STATS).read(element)
            whole = data[: len(data) - len(data) % _STATISTIC.size]
            state.statistics = [_UNKNOWN] * len(STATISTICS)
            for tag, value in _STATISTIC.iter_unpack(whole):
                if tag < len(STATISTICS):
                    state.statistics[tag] = value
            state.told, state.told_at_s = len(whole), self.now_s()
        if state.interval_s:
            self._wait(state.interval_s)

    def forget(self) -> None:
        """Forget the element that was kept, and what free pages are filled with."""
        self.state.asked, self.state.poison = None, 0

    # -- configuration -----------------------------------------------------------------------------

    def configuration(self) -> bytes:
        """Return pages wanted, pages given, no hint, and the poison."""
        state = self.state
        return _CONFIGURATION.pack(state.pages, state.actual, 0, state.poison)

    def configured(self, data: bytes) -> None:
        """Take how many pages the guest has given."""
        state = self.state
        _, actual, _, poison = _CONFIGURATION.unpack(data)
        is_other, state.actual = actual != state.actual, actual
        if is_other:
            self.on_change(self.left)
        state.poison = poison if self.has(_PAGE_POISON) else 0

    # -- saving ------------------------------------------------------------------------------------

    def save(self) -> BalloonState:
        """Return the registers, and when statistics are wanted next."""
        self.state.next_ns = self._timer.deadline_ns if self._timer is not None else None
        return super().save()

    def load(self, state: BalloonState) -> None:
        """Go on from there."""
        super().load(state)
        if self._timer is not None:
            rearm(self._timer, self.state.next_ns)
