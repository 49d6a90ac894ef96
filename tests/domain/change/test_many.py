"""Many at once: changes of one domain never interleave, and those of others do not wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from guestmap.domain.change.changes import Changes
from tests.domain.documents import memory
from tests.support.domains import BOTH, Domains

CLIENTS = 8
SIZES = [pytest.param(4, 2, id="4"), pytest.param(50, 7, id="50", marks=pytest.mark.long)]
"""Domains, and how many of them each client changes."""


class Watched:
    """Notes who is inside a job of a domain, and how many were at once in those of several."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.together: list[str] = []
        self.most = 0
        self._inside: dict[str, int] = {}
        self._guard = threading.Lock()
        doing = Changes._job

        @contextmanager
        def watched(changes: Changes, name: str, verb: str, **options: bool) -> Iterator[object]:
            with doing(changes, name, verb, **options) as found:
                self._enter(name)
                try:
                    yield found
                finally:
                    with self._guard:
                        self._inside[name] -= 1

        patch.setattr(Changes, "_job", watched)

    def _enter(self, name: str) -> None:
        with self._guard:
            self._inside[name] = self._inside.get(name, 0) + 1
            if self._inside[name] > 1:
                self.together.append(name)
            self.most = max(self.most, sum(self._inside.values()))


@pytest.mark.parametrize(("domains", "rounds"), SIZES)
def test_many_clients_change_many_domains_and_nothing_is_lost(
    manager, monkeypatch, domains, rounds
):
    names = [f"vm{number}" for number in range(domains)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        limit = "<maxMemory slots='16' unit='GiB'>8</maxMemory>"
        list(pool.map(lambda name: manager.running(name, limit=limit), names))
    watched = Watched(monkeypatch)

    def client(number: int) -> None:
        # Each is a program of its own: what it knows, it has read.
        own = Domains(manager.store.config.parent, manager.emulator)
        device = memory("128", more=f"<alias name='ua-c{number}'/>")
        for turn in range(rounds):
            for name in (names[0], names[(number * rounds + turn) % domains]):
                own.changes.attach(name, device, BOTH)
                assert own.changes.detach(name, device, BOTH).is_gone

    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(client, number) for number in range(CLIENTS)]:
            done.result()
    assert watched.together == []
    assert watched.most > 1
    for name in names:
        manager.consistent(name)
        assert manager.known(name) == manager.known(name, live=False) == []
        told = [line.split('"')[3] for line in manager.told(name)]
        assert told.count("device_add") == told.count("device_del") == told.count("object-del")
    assert sum(line.count('"device_add"') for line in manager.told(names[0])) >= CLIENTS * rounds
