"""Who watches a CPU, and for how long that is remembered."""

from __future__ import annotations

import gc
import weakref
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from guestmap.accel.debug import WatchKind, Watchpoint
from guestmap.base import UnsupportedError
from guestmap.machine.watching import Watching


class _Owner:
    pass


def _point(address: int) -> Watchpoint:
    return Watchpoint(address, address, frozenset({WatchKind.WRITE}), lambda _access: False)


def test_all_watch_at_once_and_nothing_is_kept_of_who_watches_no_more():
    seen: list[list[Watchpoint]] = []
    probe = SimpleNamespace(watch=lambda points, *, stepping: seen.append(points))
    vcpu: Any = SimpleNamespace(probe=probe)
    watching = Watching((vcpu,), nullcontext)
    first, second = _Owner(), _Owner()
    one, other = _point(1), _point(2)
    watching.set(first, [one])
    watching.set(second, [other])
    watching.set(first, ())
    assert seen == [[one], [one, other], [other]]
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None


def test_what_is_refused_changes_nothing_of_what_is_watched():
    seen: list[list[Watchpoint]] = []

    def watch(points: list[Watchpoint], *, stepping: bool) -> None:
        del stepping
        if any(each.first == 2 for each in points):
            raise UnsupportedError("not there")
        seen.append(points)

    vcpu: Any = SimpleNamespace(probe=SimpleNamespace(watch=watch))
    watching = Watching((vcpu,), nullcontext)
    watching.set("first", [_point(1)])
    with pytest.raises(UnsupportedError):
        watching.set("second", [_point(2)])
    watching.set("third", [_point(3)])
    assert [[each.first for each in points] for points in seen] == [[1], [1, 3]]
