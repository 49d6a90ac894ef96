"""Whatever a driver does: nothing is raised, nothing grows, and no notification takes for ever."""

from __future__ import annotations

import random
import struct

import msgspec
import pytest

from guestmap.hw.virtio.queue import (
    MOST_BYTES,
    MOST_DESCRIPTORS,
    QueueElement,
    QueueState,
    Virtqueue,
    Work,
)
from tests.hw.virtio.test_balloon_qemu import Beside
from tests.hw.virtio.traffic import PAGES, PLACED, RING, WINDOW, anything, commands


@pytest.mark.parametrize("seed", range(3))
def test_a_driver_may_do_anything(seed: int) -> None:
    device, rng = Beside(), random.Random(seed)
    for line in PLACED:
        device.answer(line)
    for _ in range(2_000):
        for line in (*commands(rng, 1), anything(rng)):
            device.answer(line)
    assert len(msgspec.msgpack.encode(device.balloon.save())) < 100_000


def test_what_is_read_at_a_notification_has_an_end() -> None:
    """One descriptor of four GiB, and 65,535 elements that are it."""
    device = Beside()
    given: list[int] = []
    device.balloon.discard = given.append
    for line in PLACED:
        device.answer(line)
    device.system.write(RING, struct.pack("<QIHH", PAGES, 0xFFFF_FFFF, 0, 0))
    device.system.store(RING + 0x802, 2, 0xFFFF)
    for offset, size, value in (
        (8, 4, 1), (12, 4, 1), (24, 2, 1), (32, 4, RING), (40, 4, RING + 0x800),
        (48, 4, RING + 0x1000), (28, 2, 1), (20, 1, 0x0F), (0x3000, 2, 0),
    ):  # fmt: skip
        device.system.store(WINDOW + offset, size, value)
    assert device.system.load(RING + 0x1002, 2) == 0xFFFF
    assert len(given) == MOST_BYTES // 4
    assert MOST_DESCRIPTORS > 0xFFFF


def test_who_heard_nothing_for_half_a_round_hears_next() -> None:
    """QEMU 7.2, hw/virtio/virtio.c, virtqueue_split_flush."""
    device = Beside()
    state = QueueState(8, RING, RING + 0x800, RING + 0x1000, in_use=3)
    queue = Virtqueue(
        state, device.system, Work(), has_event_index=True, notifies_when_empty=False
    )  # fmt: skip
    device.system.store(RING + 0x800 + 4 + 16, 2, 0x9000)  # an event far away
    for used, must_notify in ((0x7FFE, False), (0x7FFF, True)):
        state.used_index, state.signalled = used, 0
        queue.push(QueueElement(0, ()), 0)
        assert queue.must_notify() is must_notify
