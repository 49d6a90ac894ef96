"""Read sections and grace periods: who is waited for, and who is not."""

from __future__ import annotations

import threading
import weakref
from queue import SimpleQueue

import pytest

from guestmap.base import StateError
from guestmap.rcu import Rcu
from guestmap.rcu.readers import Anchor, Readers, ReadSection


def test_synchronize_without_readers_returns(rcu):
    rcu.synchronize()
    assert rcu.statistics().grace_periods == 1


def test_synchronize_does_not_wait_for_threads_that_are_not_reading(rcu, spawn):
    registered, release = threading.Event(), threading.Event()

    def idle():
        with rcu.read_section():
            pass
        registered.set()
        release.wait()

    spawn(idle)
    registered.wait()
    assert rcu.statistics().threads == 2  # this one, which made the domain, and the other
    rcu.synchronize()
    release.set()


@pytest.mark.parametrize("explicit", [False, True])
def test_synchronize_waits_for_an_open_section(rcu, spawn, eventually, explicit):
    order = []

    def update():
        rcu.synchronize()
        order.append("reclaim")

    def read():
        waiter = spawn(update)
        eventually(lambda: rcu.statistics().blocked_by == 1)
        order.append("last use")
        return waiter

    if explicit:
        rcu.read_lock()
        waiter = read()
        rcu.read_unlock()
    else:
        with rcu.read_section():
            waiter = read()
    waiter.result()
    assert order == ["last use", "reclaim"]
    assert rcu.statistics().blocked_by == 0


def test_synchronize_waits_for_every_reader(rcu, spawn, eventually):
    leave = [threading.Event() for _ in range(3)]

    def read(gate):
        with rcu.read_section():
            gate.wait()

    readers = [spawn(read, gate) for gate in leave]
    eventually(lambda: sum(map(bool, rcu._readers._threads.copy().values())) == 3)
    waiter = spawn(rcu.synchronize)
    for remaining, gate, reader in zip((3, 2, 1), leave, readers, strict=True):
        eventually(lambda expected=remaining: rcu.statistics().blocked_by == expected)
        assert not waiter.done()
        gate.set()
        reader.result()
    waiter.result()


def test_a_section_that_begins_during_the_wait_does_not_extend_it(rcu, spawn, eventually):
    entered, leave = threading.Event(), threading.Event()

    def late_reader():
        with rcu.read_section():
            entered.set()
            leave.wait()

    with rcu.read_section():
        waiter = spawn(rcu.synchronize)
        eventually(lambda: rcu.statistics().blocked_by == 1)
        spawn(late_reader)
        entered.wait()
    waiter.result()  # the late reader is still inside
    leave.set()


def test_a_reader_that_enters_again_at_once_does_not_extend_the_wait(rcu, spawn, eventually):
    rcu.read_lock()
    waiter = spawn(rcu.synchronize)
    eventually(lambda: rcu.statistics().blocked_by == 1)
    rcu.read_unlock()
    with rcu.read_section():
        waiter.result()


def test_the_next_grace_period_waits_for_a_section_that_the_last_one_did_not(
    rcu, spawn, eventually
):
    rcu.read_lock()
    first = spawn(rcu.synchronize)
    eventually(lambda: rcu.statistics().blocked_by == 1)
    rcu.read_unlock()
    with rcu.read_section():
        first.result()
        second = spawn(rcu.synchronize)
        eventually(lambda: rcu.statistics().blocked_by == 1)
        assert not second.done()
    second.result()
    assert rcu.statistics().grace_periods == 2


def test_concurrent_waits_all_return(rcu, spawn, eventually):
    with rcu.read_section():
        waiters = [spawn(rcu.synchronize) for _ in range(5)]
        eventually(lambda: rcu.statistics().blocked_by == 1)
        assert not any(waiter.done() for waiter in waiters)
    for waiter in waiters:
        waiter.result()
    assert rcu.statistics().grace_periods == 5


def test_two_domains_never_meet(rcu):
    other = Rcu("other")
    with rcu.read_section():
        other.synchronize()
        assert not other.in_read_section
    other.close()


def test_sections_nest(rcu):
    section = rcu.read_section()
    assert not rcu.in_read_section
    with rcu.read_section():
        with section:
            rcu.read_lock()
            rcu.read_unlock()
            assert rcu.in_read_section
        assert rcu.in_read_section
    assert not rcu.in_read_section


def test_a_section_belongs_to_its_thread(rcu, spawn):
    with rcu.read_section():
        assert spawn(lambda: rcu.in_read_section).result() is False
        assert spawn(rcu.read_section).result() is not rcu.read_section()


def test_a_section_ends_when_an_exception_leaves_it(rcu):
    with pytest.raises(KeyError), rcu.read_section():
        raise KeyError
    assert not rcu.in_read_section
    rcu.synchronize()


def test_leaving_without_entering_is_refused(rcu):
    with pytest.raises(StateError, match="not entered"):
        rcu.read_unlock()
    with pytest.raises(StateError, match="not entered"):
        rcu.read_section().leave()
    rcu.synchronize()


@pytest.mark.parametrize("method", ["synchronize", "drain", "close"])
def test_waiting_inside_the_own_section_is_refused(rcu, method):
    with rcu.read_section(), pytest.raises(StateError, match=rf"test: {method}\(\) inside"):
        getattr(rcu, method)()
    getattr(rcu, method)()


# Threads that die.


def test_a_thread_that_died_inside_a_section_blocks_nobody(rcu):
    thread = threading.Thread(target=rcu.read_lock)
    thread.start()
    thread.join()
    rcu.synchronize()
    assert rcu.statistics().threads == 1  # this one


def test_a_thread_that_dies_inside_a_section_ends_a_wait_for_it(rcu, spawn, eventually):
    die = threading.Event()

    def read():
        rcu.read_lock()
        rcu.read_lock()
        die.wait()

    spawn(read)
    eventually(lambda: any(rcu._readers._threads.copy().values()))
    waiter = spawn(rcu.synchronize)
    eventually(lambda: rcu.statistics().blocked_by == 1)
    assert not waiter.done()
    die.set()
    waiter.result()


def test_a_thread_that_dies_outside_a_section_is_forgotten(rcu, eventually):
    def read():
        with rcu.read_section():
            pass

    for _ in range(20):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    eventually(lambda: rcu.statistics().threads == 1)


def test_a_section_object_that_outlives_its_thread_blocks_nobody(rcu):
    kept = []

    def read():
        kept.append(rcu.read_section())
        kept[0].enter()

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert kept[0].held
    rcu.synchronize()


def test_a_thread_that_outlives_the_domain_lets_go_of_it():
    domain = Rcu("short")
    domain.read_lock()
    section = weakref.ref(domain)
    del domain
    assert section() is None


# The protocol between a leaving reader and a waiting updater, one step at a time.


@pytest.fixture
def readers():
    return Readers()


def test_only_the_outermost_leave_reports(readers):
    section = ReadSection(readers)
    section.enter()
    section.enter()
    readers.reports = SimpleQueue()
    section.leave()
    assert readers.reports.empty()
    section.leave()
    assert readers.reports.get_nowait() is section.held


def test_a_reader_reports_once_to_each_grace_period(readers):
    section = ReadSection(readers)
    for _ in range(2):
        readers.reports = SimpleQueue()
        for _ in range(3):
            with section:
                pass
        assert readers.reports.qsize() == 1


def test_a_grace_period_that_ends_while_a_reader_looks_gets_no_report(readers):
    ReadSection(readers)._report(None)


def test_a_signal_between_leaving_and_reporting_loses_no_report(readers):
    class Interrupted(list):
        def pop(self):
            super().pop()
            raise KeyboardInterrupt

    section = ReadSection(readers)
    section.held = Interrupted()
    readers.reports = SimpleQueue()
    section.enter()
    with pytest.raises(KeyboardInterrupt):
        section.leave()
    assert readers.reports.get_nowait() is section.held


def test_equal_readers_are_told_apart(readers, spawn, eventually):
    anchors = Anchor(), Anchor()
    sections = ReadSection(readers), ReadSection(readers)
    for anchor, section in zip(anchors, sections, strict=True):
        readers.register(anchor, section.held)
        section.enter()
    waiter = spawn(readers.wait)
    eventually(lambda: readers.blocked_by == 2)
    sections[0].leave()
    eventually(lambda: readers.blocked_by == 1)
    sections[1].leave()
    waiter.result()


def test_an_interrupted_wait_leaves_the_domain_usable(rcu, monkeypatch):
    def interrupt(self, reports):
        self.blocked_by = 7
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Readers, "_collect", interrupt)
        with pytest.raises(KeyboardInterrupt):
            rcu.synchronize()
    assert rcu._readers.reports is None
    assert rcu.statistics().blocked_by == 0
    rcu.synchronize()
    assert rcu.statistics().grace_periods == 1
