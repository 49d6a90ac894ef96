"""What refuses fast stores: each reason, where the host or the build gives it."""

from __future__ import annotations

import ctypes
import mmap
from types import SimpleNamespace
from typing import Any

import pytest

from guestmap.accel.unicorn.internals import Refused, stores

pytestmark = pytest.mark.unicorn


class Libc:
    """A C library whose ``mmap`` answers so."""

    def __init__(self, answer: int | None) -> None:
        def answers(*_arguments: object) -> int | None:
            return answer

        self.mmap: Any = answers


@pytest.mark.parametrize("answer", [None, ctypes.c_void_p(-1).value])
def test_a_host_without_memory_for_code(
    monkeypatch: pytest.MonkeyPatch, answer: int | None
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ctypes, "CDLL", lambda *_arguments, **_options: Libc(answer))
        patch.setattr(ctypes, "memmove", lambda *_: pytest.fail("it wrote there"))
        with pytest.raises(Refused, match="no memory to put code in"):
            stores._lasting(b"\xc3")


def structures(places: tuple[int, ...]) -> Any:
    """Return those of a CPU whose class has two functions, the first of which is the library's."""
    functions = (ctypes.c_uint64 * 2)(0x1234, 0x5678)
    cell = ctypes.c_uint64(ctypes.addressof(functions))
    library = SimpleNamespace(function=lambda _name: 0x1234)
    findings = SimpleNamespace(tlb_fill=places, cpu_class=0)
    return SimpleNamespace(
        library=library, findings=findings, cpu=ctypes.addressof(cell), keep=(cell, functions)
    )


def test_a_build_that_does_not_show_where_entries_are_made() -> None:
    with pytest.raises(Refused, match="was not found"):
        stores.FastStores(structures(()), None)  # type: ignore[arg-type]


@pytest.mark.parametrize("places", [(8,), (0, 8)])
def test_an_instance_that_somebody_else_has_hooked(places: tuple[int, ...]) -> None:
    with pytest.raises(Refused, match="somebody else fills the TLB"):
        stores.FastStores(structures(places), None)  # type: ignore[arg-type]


def test_a_host_without_room_for_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refuse)
    with pytest.raises(Refused, match=r"no room for a table of .*: Cannot allocate memory"):
        stores.FastStores(structures((0,)), None)  # type: ignore[arg-type]
