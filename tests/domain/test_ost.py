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
