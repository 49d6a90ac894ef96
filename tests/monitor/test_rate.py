from guestmap.machine.events import MachineEvent
from guestmap.monitor.feed import EventFeed
from guestmap.monitor.rate import LIMITS, RateLimiter


def balloon(actual: int) -> MachineEvent:
    return MachineEvent("BALLOON_CHANGE", {"actual": actual}, actual)


def test_what_has_no_limit_always_goes() -> None:
    limiter = RateLimiter()
    assert all(limiter.offer(MachineEvent("ACPI_DEVICE_OST", None, 0), 1.0) for _ in range(100))
    assert limiter.deadline() is None


def test_the_first_goes_and_the_newest_follows_after_the_interval() -> None:
    limiter = RateLimiter()
    assert limiter.offer(balloon(1), 10.0)
    assert not limiter.offer(balloon(2), 10.1)
    assert not limiter.offer(balloon(3), 10.9)
    assert limiter.deadline() == 11.0
    assert limiter.due(10.99) == []
    assert limiter.due(11.0) == [balloon(3)]
    # ... which starts another interval.
    assert limiter.deadline() == 12.0
    assert not limiter.offer(balloon(4), 11.5)
    assert limiter.due(11.6) == []
    assert limiter.due(12.0) == [balloon(4)]
    assert limiter.due(13.0) == []
    assert limiter.deadline() is None
    assert limiter.offer(balloon(5), 13.0)


def test_each_device_has_a_limit_of_its_own() -> None:
    def resized(path: str, size: int) -> MachineEvent:
        return MachineEvent("MEMORY_DEVICE_SIZE_CHANGE", {"qom-path": path, "size": size}, 0)

    limiter = RateLimiter()
    assert limiter.offer(resized("/a", 1), 0.0)
    assert limiter.offer(resized("/b", 1), 0.5)
    assert not limiter.offer(resized("/b", 2), 0.6)
    assert not limiter.offer(resized("/a", 2), 0.7)
    assert limiter.due(2.0) == [resized("/a", 2), resized("/b", 2)]


def test_qemu_s_limits_are_there() -> None:
    seconds = {name: limit.interval_s for name, limit in LIMITS.items() if name[:2] != "X_"}
    assert set(seconds.values()) == {1.0}
    assert len(seconds) == 7


def test_a_flood_is_dropped_beyond_the_capacity_and_counted() -> None:
    woken = []
    feed = EventFeed(lambda: woken.append(None), capacity=3)
    for number in range(5):
        feed.put(balloon(number))
    assert len(woken) == 1
    assert feed.dropped == 2
    assert feed.take() == [balloon(0), balloon(1), balloon(2)]
    assert feed.take() == []
    feed.put(balloon(9))
    assert len(woken) == 2
