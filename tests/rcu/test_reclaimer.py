"""Deferred reclaim: order, batches, failures, the life of the reclaimer thread."""

from __future__ import annotations

import dataclasses
import gc
import subprocess
import sys
import threading

import pytest

from guestmap.base import HostError, StateError
from guestmap.rcu import Rcu


def reclaimer_threads(name="test"):
    return [thread for thread in threading.enumerate() if thread.name == f"{name}-reclaimer"]


def test_callbacks_run_in_order_with_their_arguments(rcu):
    ran = []
    for number in range(100):
        rcu.call(ran.append, number)
    rcu.call(lambda *args: ran.append(args), 1, "two")
    rcu.drain()
    assert ran == [*range(100), (1, "two")]


def test_a_callback_waits_for_the_section_in_which_it_was_queued(rcu, eventually):
    order = []
    with rcu.read_section():
        rcu.call(order.append, "reclaim")
        eventually(lambda: rcu.statistics().blocked_by == 1)
        order.append("last use")
    rcu.drain()
    assert order == ["last use", "reclaim"]


def test_what_is_queued_during_a_grace_period_shares_the_next(rcu, eventually):
    with rcu.read_section():
        rcu.call(lambda: None)
        eventually(lambda: rcu.statistics().blocked_by == 1)
        for _ in range(100):
            rcu.call(lambda: None)
        assert rcu.statistics().pending == 101
    rcu.drain()
    statistics = rcu.statistics()
    assert statistics.queued == statistics.ran == 101
    assert statistics.batches == statistics.grace_periods == 2
    assert statistics.pending == 0


def test_drain_returns_after_what_was_queued_before_it(rcu, spawn):
    order, gate = [], threading.Event()
    rcu.call(gate.wait)
    rcu.call(order.append, "ran")

    def drain():
        rcu.drain()
        order.append("drained")

    drained = spawn(drain)
    gate.set()
    drained.result()
    assert order == ["ran", "drained"]


def test_drain_does_not_wait_for_what_is_queued_after_it(rcu, spawn, eventually):
    before, after = threading.Event(), threading.Event()
    rcu.call(before.wait)
    drained = spawn(rcu.drain)
    eventually(lambda: bool(rcu._reclaimer._changed._waiters))
    rcu.call(after.wait)
    before.set()
    drained.result()
    assert rcu.statistics().pending == 1
    after.set()


def test_drain_of_nothing_needs_no_thread(rcu):
    rcu.drain()
    assert not reclaimer_threads()


def test_a_callback_may_queue_and_may_wait_for_readers(rcu):
    ran = []

    def first():
        rcu.synchronize()
        rcu.call(ran.append, "second")
        ran.append("first")

    rcu.call(first)
    rcu.drain()
    rcu.drain()
    assert ran == ["first", "second"]


@pytest.mark.parametrize("method", ["drain", "close"])
def test_a_callback_may_not_wait_for_itself(rcu, method):
    errors = []

    def callback():
        with pytest.raises(StateError, match=rf"test: {method}\(\) from a callback") as caught:
            getattr(rcu, method)()
        errors.append(caught.value)

    rcu.call(callback)
    rcu.drain()
    assert len(errors) == 1


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3)])
def test_a_callback_that_raises_is_reported_and_the_next_runs(rcu, monkeypatch, error):
    reported, ran = [], []
    monkeypatch.setattr(threading, "excepthook", reported.append)

    def fail():
        raise error

    rcu.call(fail)
    rcu.call(ran.append, 1)
    rcu.drain()
    assert ran == [1]
    assert [(args.exc_type, args.exc_value) for args in reported] == [(type(error), error)]
    assert reported[0].exc_traceback is not None
    assert reported[0].thread.name == "test-reclaimer"
    statistics = rcu.statistics()
    assert (statistics.ran, statistics.failed) == (2, 1)


def test_a_hook_that_raises_does_not_end_the_reclaimer(rcu, monkeypatch):
    def hook(args):
        raise RuntimeError

    monkeypatch.setattr(threading, "excepthook", hook)
    rcu.call(lambda: 1 // 0)
    rcu.drain()
    assert rcu.statistics().failed == 1


# The thread.


def test_the_thread_starts_with_the_first_callback_and_is_a_daemon(rcu):
    assert not reclaimer_threads()
    rcu.call(lambda: None)
    rcu.call(lambda: None)
    (thread,) = reclaimer_threads()
    assert thread.daemon
    rcu.close()
    assert not reclaimer_threads()


def test_close_runs_what_is_queued_and_what_that_queues(rcu):
    ran = []

    def countdown(number):
        ran.append(number)
        if number:
            rcu.call(countdown, number - 1)

    rcu.call(countdown, 3)
    rcu.close()
    assert ran == [3, 2, 1, 0]


def test_a_closed_domain_takes_no_callback_and_reads_on(rcu):
    rcu.call(lambda: None)
    rcu.close()
    rcu.close()
    with rcu.read_section(), pytest.raises(StateError, match="test is closed"):
        rcu.call(lambda: None)
    rcu.synchronize()
    rcu.drain()
    assert rcu.statistics().pending == 0


def test_closing_an_unused_domain_starts_no_thread(rcu):
    rcu.close()
    assert not reclaimer_threads()
    with pytest.raises(StateError, match="closed"):
        rcu.call(lambda: None)


def test_a_domain_that_is_dropped_runs_its_callbacks_and_ends_its_thread():
    ran = []
    domain = Rcu("dropped")
    domain.call(ran.append, 1)
    (thread,) = reclaimer_threads("dropped")
    del domain
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()
    assert ran == [1]


def test_a_thread_that_the_host_refuses_is_an_error_and_loses_no_callback(rcu, monkeypatch):
    ran = []

    def refuse(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(HostError, match="can't start new thread") as caught:
            rcu.call(ran.append, 1)
    assert caught.value.call == "pthread_create"
    rcu.call(ran.append, 2)
    rcu.drain()
    assert ran == [1, 2]


def test_a_destructor_that_calls_while_the_thread_is_made_starts_no_second(rcu, monkeypatch):
    ran = []
    made = threading.Thread

    def interrupted(**arguments):
        monkeypatch.undo()
        rcu.call(ran.append, "destructor")
        return made(**arguments)

    monkeypatch.setattr(threading, "Thread", interrupted)
    rcu.call(ran.append, "interrupted")
    assert len(reclaimer_threads()) == 1
    rcu.drain()
    assert ran == ["interrupted", "destructor"]


def test_statistics_are_frozen(rcu):
    statistics = rcu.statistics()
    with pytest.raises(dataclasses.FrozenInstanceError):
        statistics.ran = 1
    assert repr(rcu) == f"<Rcu test: {statistics}>"


def test_an_interpreter_ends_whoever_has_the_lock():
    """Its end finds the reclaimer wherever it is, and lets it run no more."""
    program = """
import sys, threading
from guestmap.rcu import Rcu
sys.modules["last"] = rcu = Rcu("last")  # lives as long as the interpreter
keeper = threading.Thread(target=rcu._reclaimer._changed.__enter__)
keeper.start()
keeper.join()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
