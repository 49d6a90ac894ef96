"""The words of _OST: numbers of ACPI 6.4, section 6.3.5, and QEMU's recorded ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.domain.ost import OstKind, explain


@pytest.mark.parametrize(
    ("source", "status", "kind", "words"),
    [
        (0x1, 0x0, OstKind.SUCCESS, "Device Check: success"),
        (0x0, 0x1, OstKind.FAILURE, "Bus Check: failure"),
        (0x1, 0x2, OstKind.FAILURE, "not recognized"),
        (0x3, 0x84, OstKind.PENDING, "Eject Request: ejection in progress"),
        (0x103, 0x84, OstKind.PENDING, "ejection by the guest itself: ejection in progress"),
        (0x3, 0x80, OstKind.FAILURE, "not supported"),
        (0x3, 0x81, OstKind.FAILURE, "in use by an application"),
        (0x3, 0x82, OstKind.FAILURE, "device busy"),
        (0x3, 0x83, OstKind.FAILURE, "depends on it"),
        (0x200, 0x80, OstKind.PENDING, "insertion in progress"),
        (0x200, 0x81, OstKind.FAILURE, "driver"),
        (0x1, 0x82, OstKind.FAILURE, "insertion not supported"),
        (0x200, 0x91, OstKind.FAILURE, "resources unavailable: memory"),
        (0x200, 0x9E, OstKind.FAILURE, "I/O ports, interrupts, bus numbers"),
        (0x100, 0x80, OstKind.FAILURE, "shutdown request denied"),
        (0x3, 0x55, OstKind.FAILURE, "reserves"),
        (0x42, 0x99, OstKind.FAILURE, "notification 0x42"),
        (0x300, 0x0, OstKind.SUCCESS, "event 0x300: success"),
    ],
)  # fmt: skip
def test_numbers_have_the_specifications_meaning(source, status, kind, words):
    answer = explain(source, status)
    assert answer.kind is kind
    assert words in str(answer)
    assert f"_OST {source:#x}, {status:#x}" in str(answer)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_guest_may_say_anything(source, status):
    answer = explain(source, status)
    assert answer.about
    assert answer.says
    assert (answer.kind is OstKind.SUCCESS) == (status == 0)


SOURCES = {
    0x0: "Bus Check", 0x1: "Device Check", 0x2: "Device Wake", 0x3: "Eject Request",
    0x4: "Device Check Light", 0x5: "Frequency Mismatch", 0x6: "Bus Mode Mismatch",
    0x7: "Power Fault", 0x8: "Capabilities Check", 0x9: "Device _PLD Check",
    0xA: "notification 0xa",
    0xB: "System Locality Information Update", 0xC: "notification 0xc",
    0xD: "System Resource Affinity Update", 0xE: "Heterogeneous Memory Attributes Update",
    0xF: "Error Disconnect Recover", 0xFF: "notification 0xff",
    0x100: "operating system shutdown", 0x101: "event 0x101",
    0x103: "ejection by the guest itself", 0x200: "insertion",
}  # fmt: skip
"""ACPI 6.4, sections 5.6.6 and 6.3.5."""


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_is_named_by_the_specification(source):
    assert explain(source, 0).about == SOURCES[source]


RESERVED = "which the specification reserves"
UNDEFINED = "which is not defined for this event"
STATUSES = {
    (0x3, 0x7F): RESERVED, (0x3, 0x85): RESERVED, (0x103, 0x80): "not supported by the guest",
    (0x200, 0x7F): RESERVED, (0x200, 0x83): RESERVED, (0x200, 0x8F): RESERVED,
    (0x200, 0xA0): RESERVED, (0x200, 0x90): "none named", (0x200, 0x92): "unavailable: I/O ports",
    (0x200, 0x94): "unavailable: interrupts", (0x200, 0x98): "unavailable: bus numbers",
    (0x0, 0x9F): "unavailable: memory, I/O ports, interrupts, bus numbers",
    (0x1, 0x91): "unavailable: memory", (0x3, 0x91): RESERVED,
    (0x100, 0x81): "shutdown in progress", (0x100, 0x82): "shutdown completed",
    (0x100, 0x83): "graceful shutdown not supported", (0x100, 0x84): RESERVED,
    (0x2, 0x80): UNDEFINED, (0x4, 0x84): UNDEFINED, (0x3, 0x3): RESERVED,
}  # fmt: skip


@pytest.mark.parametrize("numbers", STATUSES)
def test_each_status_means_what_its_source_gives_it(numbers):
    assert explain(*numbers).says.endswith(STATUSES[numbers])


PENDING = [(0x3, 0x84), (0x103, 0x84), (0x0, 0x80), (0x1, 0x80), (0x200, 0x80)]


@pytest.mark.parametrize("source", [0x0, 0x1, 0x3, 0x103, 0x200, 0x100, 0x42])
def test_a_guest_is_at_it_by_one_status_of_each_source(source):
    at_it = [status for status in range(0x100) if explain(source, status).kind is OstKind.PENDING]
    assert [(source, status) for status in at_it] == [each for each in PENDING if each[0] == source]
