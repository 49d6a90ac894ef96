"""The table of states: every event in every state, and a QEMU that is asked the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guestmap.base import GuestmapError, StateError
from guestmap.machine import MachineConfig, MachineEvent, RunState, VirtualMachine, saved
from guestmap.machine.run_state import TRANSITIONS, RunEvent, next_state
from tests.support.qemu import Qemu

PM_BASE = 0x600
DEADLINE_S = 60
OTHER_EVENTS = frozenset({"RESUME", "STOP", "RESET", "SUSPEND", "WAKEUP", "POWERDOWN", "SHUTDOWN"})


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("event", RunEvent)
def test_every_event_is_answered_in_every_state(state: RunState, event: RunEvent) -> None:
    if TRANSITIONS[state, event] is None:
        with pytest.raises(StateError, match="Resetting the Virtual Machine is required"):
            next_state(state, event)
    else:
        assert next_state(state, event) is TRANSITIONS[state, event]


def test_what_holds_in_every_state() -> None:
    for state in RunState:
        after = {event: TRANSITIONS[state, event] for event in RunEvent}
        assert after[RunEvent.QUIT] is RunState.SHUTDOWN
        if state is RunState.SHUTDOWN:
            assert set(after.values()) == {RunState.SHUTDOWN, None}
            continue
        assert after[RunEvent.ERROR] is RunState.INTERNAL_ERROR
        runs = state is RunState.RUNNING  # only cont and a wake-up make a machine run
        assert after[RunEvent.RESET] is (RunState.RUNNING if runs else RunState.PRELAUNCH)
        makes_run = {event for event, next_ in after.items() if next_ is RunState.RUNNING}
        asleep = state is RunState.SUSPENDED
        kept = {RunEvent.RESET, RunEvent.WAKE} if runs else set()
        assert makes_run <= ({RunEvent.WAKE} if asleep else {RunEvent.CONT} | kept)


class Ours:
    """Our machine in a thread, asked as QEMU is."""

    def __init__(self, engine: str = "none") -> None:
        self.vm = VirtualMachine(MachineConfig(), engine=engine)
        self._told: list[str] = []
        self._changed = threading.Condition()
        self.vm.events.subscribe(self._hear)
        self.vm.start(paused=True)

    def _hear(self, event: MachineEvent) -> None:
        with self._changed:
            self._told.append(event.name)
            self._changed.notify_all()

    def outl(self, port: int, value: int) -> None:
        with self.vm.exclusive():
            self.vm.board.io.store(port, 4, value)

    def outw(self, port: int, value: int) -> None:
        with self.vm.exclusive():
            self.vm.board.io.store(port, 2, value)

    def ask(self, command: str) -> str:
        vm = self.vm
        commands: dict[str, Callable[[], None]] = {
            "cont": vm.cont, "stop": vm.stop, "system_reset": vm.system_reset,
            "system_powerdown": vm.powerdown, "quit": vm.quit, "system_wakeup": vm.wake_up,
        }  # fmt: skip
        try:
            commands[command]()
        except GuestmapError as error:
            return str(error)
        return ""

    def stay_off(self) -> None:
        self.vm.stays_off = True

    def await_event(self, name: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: name in self._told, DEADLINE_S)

    def told(self) -> list[str]:
        with self._changed:
            told, self._told = self._told, []
        return told

    @property
    def state(self) -> str:
        return self.vm.status


class Theirs:
    """A QEMU."""

    def __init__(self, qemu: Qemu) -> None:
        self.outl, self.outw = qemu.outl, qemu.outw
        self._qemu = qemu

    def ask(self, command: str) -> str:
        answer = self._qemu.request({"execute": command})
        return str(answer["error"]["desc"]) if "error" in answer else ""

    def stay_off(self) -> None:
        self._qemu.qmp("set-action", shutdown="pause")

    def await_event(self, name: str) -> None:
        self._qemu.events.append(self._qemu.wait_event(name))

    def told(self) -> list[str]:
        told = [e["event"] for e in self._qemu.events if e["event"] in OTHER_EVENTS]
        self._qemu.events.clear()
        return told

    @property
    def state(self) -> str:
        return str(self._qemu.qmp("query-status")["status"])


_QEMU = (pytest.mark.qemu, pytest.mark.qemu_7_2("a machine that sleeps and is paused"))


@pytest.fixture(params=["ours", pytest.param("qemu", marks=_QEMU)])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ours | Theirs]:
    if request.param == "ours":
        ours = Ours()
        yield ours
        ours.vm.close()
        return
    image = bytearray(0x10000)
    image[0xFFF0:0xFFF4] = b"\xfa\xf4\xeb\xfd"  # cli; hlt; jmp back
    path = tmp_path / "halt.bin"
    path.write_bytes(image)
    with Qemu("-bios", str(path)) as qemu:
        yield Theirs(qemu)


def _bring(machine: Ours | Theirs, state: RunState) -> None:
    """Bring a fresh machine into a state."""
    if state is RunState.PRELAUNCH:
        return
    machine.ask("cont")
    if state is RunState.PAUSED:
        machine.ask("stop")
    elif state is RunState.SUSPENDED:
        _sleep(machine, 0x2400)
        machine.await_event("SUSPEND")


def _sleep(machine: Ours | Theirs, how: int) -> None:
    """Have the guest write to the PM control register."""
    for register, value in ((0x40, PM_BASE | 1), (0x80, 1)):
        machine.outl(0xCF8, 0x8000_0B00 | register)
        machine.outl(0xCFC, value)
    machine.outw(PM_BASE + 4, how)


COMMANDS = {
    "cont": RunEvent.CONT, "stop": RunEvent.STOP, "system_reset": RunEvent.RESET,
    "system_powerdown": None, "quit": RunEvent.QUIT,
}  # fmt: skip
TOLD = {"system_reset": ["RESET"], "system_powerdown": ["POWERDOWN"], "quit": ["SHUTDOWN"]}
"""What is told in any state; of cont and stop it depends on whether the state is another then."""
CHANGES = {"cont": ["RESUME"], "stop": ["STOP"]}


@pytest.mark.seabios
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "state", [RunState.PRELAUNCH, RunState.RUNNING, RunState.PAUSED, RunState.SUSPENDED]
)
def test_commands_in_each_state(machine: Ours | Theirs, state: RunState, command: str) -> None:
    _bring(machine, state)
    assert machine.state == state
    machine.told()
    event = COMMANDS[command]
    after = state if event is None else TRANSITIONS[state, event]
    assert machine.ask(command) == ""
    for name in TOLD.get(command, []):
        machine.await_event(name)
    assert machine.told() == TOLD.get(command, CHANGES.get(command, []) if after != state else [])
    if command != "quit":  # QEMU may be gone already
        assert machine.state == after


@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_machine_that_has_just_switched_itself_off_is_reset_and_goes_on() -> None:
    """libvirt's reboot: its CPU is outside the guest, and its last run may not be over yet."""
    machine = Ours("unicorn")
    machine.stay_off()
    vm = machine.vm
    runs = threading.Event()
    with vm:
        machine.ask("cont")
        vm.board.clock.timer(runs.set).arm(0)
        assert runs.wait(DEADLINE_S)
        with vm.exclusive():  # the CPU's thread cannot get on
            _sleep(machine, 0x2000)
            assert machine.state == "shutdown"
            assert machine.ask("system_reset") == machine.ask("cont") == ""
        assert machine.state == "running"
        assert machine.told() == ["RESUME", "SHUTDOWN", "STOP", "RESET", "RESUME"]
        assert not vm.wait(0.1)


@pytest.mark.seabios
@pytest.mark.parametrize(
    "state", [RunState.PRELAUNCH, RunState.RUNNING, RunState.PAUSED, RunState.SUSPENDED]
)
def test_a_wake_up_in_each_state(machine: Ours | Theirs, state: RunState) -> None:
    _bring(machine, state)
    machine.told()
    if state is not RunState.SUSPENDED:
        why = "Unable to wake up: guest is not in suspended state"
        assert machine.ask("system_wakeup") == why
        assert (machine.told(), machine.state) == ([], state)
        return
    machine.ask("stop")  # and is forgotten
    assert machine.ask("system_wakeup") == ""
    machine.await_event("WAKEUP")
    assert (machine.told(), machine.state) == (["WAKEUP"], RunState.RUNNING)


@pytest.mark.parametrize(
    "state", [RunState.PRELAUNCH, RunState.RUNNING, RunState.PAUSED, RunState.SUSPENDED]
)
def test_a_machine_that_was_saved_is_loaded_in_each_state(tmp_path: Path, state: RunState) -> None:
    ours = Ours()
    try:
        saved.save(ours.vm, tmp_path / "file")
        _bring(ours, state)
        assert ours.state == state
        with saved.open_saved(tmp_path / "file") as opened:
            saved.load_into(ours.vm, opened)
            assert ours.state == RunState.PAUSED
            assert ours.vm.board.clock.now_ns() == opened.saved.time_ns
    finally:
        ours.vm.close()


def test_a_wake_up_that_is_followed_by_a_stop_is_carried_out() -> None:
    ours = Ours()
    try:
        _bring(ours, RunState.SUSPENDED)
        with ours.vm.exclusive():
            ours.ask("system_wakeup")
            ours.ask("stop")
        ours.await_event("WAKEUP")
        assert ours.state == RunState.PAUSED
        with ours.vm.exclusive():  # the registers are off again, as after each reset
            assert ours.vm.board.io.load(PM_BASE + 4, 2) == 0xFFFF
    finally:
        ours.vm.close()


@pytest.mark.seabios
@pytest.mark.parametrize("command", ["system_reset", "quit", "stop"])
def test_a_guest_that_is_off_in_a_machine_that_stays(machine: Ours | Theirs, command: str) -> None:
    machine.stay_off()
    machine.ask("cont")
    machine.told()
    _sleep(machine, 0x2000)
    machine.await_event("STOP")
    assert (machine.told(), machine.state) == (["SHUTDOWN", "STOP"], "shutdown")
    assert machine.ask("cont") == "Resetting the Virtual Machine is required"
    assert machine.ask(command) == ""
    for name in TOLD.get(command, []):
        machine.await_event(name)
    assert machine.told() == TOLD.get(command, [])
    if command == "system_reset":
        assert machine.state == RunState.PRELAUNCH
        assert machine.ask("cont") == ""
        assert machine.state == RunState.RUNNING


def test_a_reset_that_is_asked_for_comes_before_what_comes_next() -> None:
    ours = Ours()
    try:
        ours.stay_off()
        ours.ask("cont")
        for _ in range(20):
            _sleep(ours, 0x2000)
            assert ours.state == "shutdown"
            assert [ours.ask("system_reset"), ours.ask("cont")] == ["", ""]
            assert ours.state == RunState.RUNNING
    finally:
        ours.vm.close()
