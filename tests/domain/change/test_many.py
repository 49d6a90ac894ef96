"""Many at once: changes of one domain never interleave, and those of others do not wait."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.domain.documents import memory
from tests.support.domains import BOTH

DOMAINS, CLIENTS, ROUNDS = 4, 8, 2


@pytest.fixture
def started(manager):
    for number in range(DOMAINS):
        manager.running(f"vm{number}", limit="<maxMemory slots='16' unit='GiB'>8</maxMemory>")
    return manager


def test_many_clients_change_many_domains_and_nothing_is_lost(started):
    inside: dict[str, int] = {}
    together: list[str] = []
    guard = threading.Lock()
    doing = type(started.changes)._job

    from contextlib import contextmanager

    @contextmanager
    def watched(self, name, verb, **options):
        with doing(self, name, verb, **options) as found:
            with guard:
                inside[name] = inside.get(name, 0) + 1
                if inside[name] > 1:
                    together.append(name)
            yield found
            with guard:
                inside[name] -= 1

    def client(number: int) -> None:
        own = memory("128", more=f"<alias name='ua-c{number}'/>")
        for turn in range(ROUNDS):
            name = f"vm{(number + turn) % DOMAINS}"
            started.changes.attach(name, own, BOTH)
            assert started.changes.detach(name, own, BOTH).is_gone

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(CLIENTS) as pool:
        patch.setattr(type(started.changes), "_job", watched)
        for done in [pool.submit(client, number) for number in range(CLIENTS)]:
            done.result()
    assert together == []
    for number in range(DOMAINS):
        started.consistent(f"vm{number}")
        assert started.known(f"vm{number}") == started.known(f"vm{number}", live=False) == []
        told = [line.split('"')[3] for line in started.told(f"vm{number}")]
        assert told.count("device_add") == told.count("device_del") == told.count("object-del")
