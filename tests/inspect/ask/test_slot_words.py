"""A hypervisor's memory slots, wherever a map is told: in sentences, in ``watch``, in pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guestmap.cli.watch import _Words
from guestmap.inspect import Snapshot
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.ask.sentences import explain_sentences
from guestmap.inspect.ask.slot_words import slot_changes, slot_words
from guestmap.inspect.map.snapshot import SlotInfo
from guestmap.inspect.sources.live.watching import Sighting
from guestmap.memory import MemorySystem
from guestmap.view.compose import compose

LOW = SlotInfo(0, 0, 0xC0000, 0x7F0000000000)
ROM = SlotInfo(3, 0xC0000, 0x20000, 0x7F0000100000, readonly=True)
HIGH = SlotInfo(4, 0x100000, 0x100000, 0x7F0000200000, logged=True, dirty=17)


def snapshot(*slots: SlotInfo, rom: bool = True) -> Snapshot:
    with MemorySystem() as system:
        root = system.container("system", 1 << 64)
        root.add_subregion(0, system.ram("low", 0xC0000))
        root.add_subregion(0x100000, system.ram("high", 0x100000))
        if rom:
            root.add_subregion(0xC0000, system.rom("video", 0x20000))
        system.address_space("memory", root)
        system.address_space("cpu-memory-0", root)
        system.address_space("I/O", system.io("io", 0x10000, None))
        return replace(Snapshot.of(system), slots=slots)


def test_a_slot_in_words():
    assert slot_words(LOW) == "slot 0 of KVM, 0-bffff, writable"
    assert slot_words(ROM) == "slot 3 of KVM, c0000-dffff, read-only: writes come out"
    assert slot_words(HIGH).endswith("writable, written pages are noted: 17 now")
    assert slot_words(replace(HIGH, dirty=None)).endswith(", writable, written pages are noted")
    assert f"  by {slot_words(ROM)}" in explain_sentences(explain(snapshot(LOW, ROM), 0xC8000))


def test_what_came_and_went_is_told_and_what_is_written_is_no_change():
    before, after = snapshot(LOW, ROM, HIGH), snapshot(LOW, replace(HIGH, dirty=90))
    assert slot_changes(before, after) == [f"gone: {slot_words(ROM)}"]
    moved = replace(ROM, start=0xE0000)
    assert slot_changes(before, snapshot(LOW, moved, HIGH)) == [
        f"gone: {slot_words(ROM)}", f"new: {slot_words(moved)}"
    ]  # fmt: skip
    for change in ({"readonly": False}, {"logged": True}, {"host": 0x1000}, {"number": 9}):
        other = replace(ROM, **change)
        assert len(slot_changes(before, snapshot(LOW, other, HIGH))) == 2
    assert slot_changes(before, before) == []


def test_watch_tells_them_behind_the_change_of_the_map(capsys: pytest.CaptureFixture[str]):
    before, after = snapshot(LOW, ROM), snapshot(LOW, rom=False)
    _Words().tell(Sighting(before=before, after=after), 1.0)
    told = capsys.readouterr().out.splitlines()
    assert told[0].endswith("the map changed:")
    assert told[-1].strip() == f"gone: {slot_words(ROM)}"


def test_a_picture_tells_by_which_slots_what_a_cpu_sees_is_reached():
    picture = compose(snapshot(LOW, ROM, HIGH))
    boxes = [box for panel in picture.panels for box in panel.boxes if "slot" in box.owner]
    owners = {box.title: box.owner.removeprefix("orphan ") for box in boxes}
    assert owners == {"low": slot_words(LOW), "video": slot_words(ROM), "high": slot_words(HIGH)}
    assert len(boxes) == 3, "nothing of the ports' space, where addresses are others"
