"""The turn at a machine of several CPUs."""

from __future__ import annotations

import threading
import time

from guestmap.machine.shared_gate import SharedGate

WAIT_S = 10


class Cpu:
    """A CPU that executes until it is kicked, again and again, in a thread."""

    def __init__(self, gate: SharedGate, number: int, log: list[object]) -> None:
        self.gate, self.number, self.log = gate, number, log
        self.turn = gate.turn_of(number)
        self.kicked, self.inside = threading.Event(), threading.Event()
        self.ends = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        with self.turn:
            while not self.ends:
                self.turn.give_way()
                with self.turn.while_it_executes():
                    self.inside.set()
                    assert self.kicked.wait(WAIT_S)
                    self.inside.clear()
                self.kicked.clear()
                assert self.gate.held
                self.log.append(self.number)


def machine(count: int) -> tuple[SharedGate, list[Cpu], list[object]]:
    log: list[object] = []
    current: list[int] = []
    gate = SharedGate(current.append)
    gate.current = current
    cpus = [Cpu(gate, number, log) for number in range(count)]
    gate.ring = lambda: [each.kicked.set() for each in cpus]
    for each in cpus:
        each.thread.start()
    assert all(each.inside.wait(WAIT_S) for each in cpus), "all execute at once"
    return gate, cpus, log


def end(gate: SharedGate, cpus: list[Cpu]) -> None:
    for each in cpus:
        each.ends = True
    gate.ring()
    for each in cpus:
        each.thread.join(WAIT_S)
        assert not each.thread.is_alive()


def test_who_is_alone_at_the_machine_has_every_cpu_outside():
    gate, cpus, log = machine(3)
    with gate.exclusive():
        assert not any(each.inside.is_set() for each in cpus)
        with gate.exclusive():
            assert gate.held
        before = [*log]
        time.sleep(0.02)
        assert log == before, "nobody comes to its turn meanwhile"
        assert gate.current[-1] == 0
    assert all(each.inside.wait(WAIT_S) for each in cpus), "they execute again"
    assert {*log} == {0, 1, 2}
    end(gate, cpus)


def test_a_cpu_that_has_the_turn_keeps_it_and_the_others_execute():
    gate, cpus, _log = machine(2)
    turn, found = gate.turn_of(2), []

    def work() -> None:
        with turn, gate.exclusive():
            found.extend([gate.current[-1], *(each.inside.is_set() for each in cpus)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(WAIT_S)
    assert found == [2, True, True], "what it does is still its own"
    end(gate, cpus)


def test_an_access_that_has_come_out_is_done_before_anybody_is_alone():
    gate, (cpu,), log = machine(1)
    gate._take()  # another CPU has the turn, as the first comes out
    cpu.kicked.set()
    while cpu.inside.is_set():
        time.sleep(0.001)
    found: list[object] = []

    def visit() -> None:
        with gate.exclusive():
            found.extend(log)

    visitor = threading.Thread(target=visit)
    visitor.start()
    time.sleep(0.02)
    assert found == []
    gate._pass_on()
    visitor.join(WAIT_S)
    assert found == [0], "its turn came before the visitor's"
    end(gate, [cpu])


def test_it_is_told_whose_turn_it_is():
    gate, cpus, log = machine(2)
    for each in cpus * 3:
        gate.current.clear()
        count = len(log)
        each.kicked.set()
        while len(log) == count:
            time.sleep(0.001)
        assert gate.current == [each.number]
        assert each.inside.wait(WAIT_S)
    end(gate, cpus)


def test_the_turn_is_nobodys_while_a_cpu_waits():
    gate = SharedGate(lambda _cpu: None)
    turn, other = gate.turn_of(0), []

    def look() -> None:
        with gate.exclusive():
            other.append(True)

    with turn:
        with turn.away():
            thread = threading.Thread(target=look)
            thread.start()
            thread.join(WAIT_S)
            assert other == [True]
        assert gate.held
