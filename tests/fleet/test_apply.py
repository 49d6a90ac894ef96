"""A plan over a fleet: waves, pauses, locks, and what was half done when somebody was killed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

from guestmap.base import MIB, ConfigError, PeerError, StateError
from guestmap.fleet.applied import AppliedMachine
from guestmap.fleet.apply_work import ApplyOrder, apply_all, undo_all
from guestmap.fleet.cluster import ClusterSettings, opened
from guestmap.fleet.fleet_plan import FleetPlan, PlannedMachine, read_plan
from guestmap.fleet.inventory import FleetInventory, FleetMachine
from guestmap.fleet.look import Patience
from guestmap.fleet.machine_lock import LockNote, locked, place_of
from guestmap.fleet.plan_work import PlanOptions, plan_one
from guestmap.fleet.planning import plan_fleet
from guestmap.fleet.progress import Progress
from guestmap.fleet.roll_out import RollOut
from guestmap.fleet.waves import WavePolicy
from tests.domain.machines import FakeMachine, Guest, holding
from tests.support.program import assert_one_clear_line, run_program
from tests.support.qmp_serving import serving

if TYPE_CHECKING:
    from distributed import Client

PLAN = "0000002a"
DEVICE = "dimm42"
ORDER = ApplyOrder(PLAN, DEVICE, 128 * MIB, guest_s=0.3)


def consenting(machine: FakeMachine, verb: str, device: str) -> None:
    """Acknowledge what comes, and let go of what is asked for."""
    if verb == "unplug":
        machine.eject(device)
    else:
        slot = next(each.slot for each in machine.devices if each.id == device)
        machine.ost(slot or 0, 1, 0)


class Served(NamedTuple):
    """A played machine, and its place in a fleet."""

    machine: FakeMachine
    of: FleetMachine

    @property
    def devices(self) -> list[str | None]:
        return [each.id for each in self.machine.devices]

    @property
    def note(self) -> LockNote | None:
        with locked(self.of.source, 5.0) as lock:
            return lock.note()

    def apply(self, order: ApplyOrder = ORDER) -> AppliedMachine:
        return msgspec.json.decode(apply_all([self.of], order)[0], type=AppliedMachine)

    def undo(self, order: ApplyOrder = ORDER) -> AppliedMachine:
        return msgspec.json.decode(undo_all([self.of], order)[0], type=AppliedMachine)

    def write(self, **facts: object) -> None:
        known = {"plan": PLAN, "machine": "", "run": "", "phase": "begun", "device": DEVICE,
                 "size": 1, **facts}  # fmt: skip
        with locked(self.of.source, 5.0) as lock:
            lock.write(msgspec.convert(known, LockNote))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def served(stack: ExitStack, tmp_path: Path) -> Served:
    return serve(stack, tmp_path, "one")


def serve(
    stack: ExitStack, folder: Path, name: str, guest: Guest | None = consenting, **more: object
) -> Served:
    machine = FakeMachine(guest, **more)  # type: ignore[arg-type]
    machine.thread += sum(name.encode())  # each its own
    path = folder / name
    stack.enter_context(serving(machine, path))
    return Served(machine, FleetMachine(name, f"unix:{path}"))


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with opened(ClusterSettings(processes=False, workers=1)) as running:
        yield running


# one machine


def test_it_is_plugged_verified_and_the_lock_says_so(served):
    told = served.apply()
    assert (told.ending, told.outcome, told.error) == ("has-it", "acknowledged", "")
    assert told.result is not None
    assert told.result["device"]["id"] == DEVICE
    assert served.devices == [DEVICE]
    note = served.note
    assert note is not None
    assert (note.plan, note.phase, note.outcome) == (PLAN, "done", "acknowledged")


def test_never_twice(served):
    served.apply()
    again = served.apply()
    assert (again.ending, again.earlier) == ("has-it", True)
    assert [command for command, _ in served.machine.sent] == ["object-add", "device_add"]


def test_a_guest_that_says_nothing_has_it_plugged_which_is_no_success(stack, tmp_path):
    served = serve(stack, tmp_path, "one", None)
    told = served.apply(msgspec.structs.replace(ORDER, guest_s=0.0))
    assert (told.ending, told.outcome, told.is_good) == ("plugged", "guest-silent", False)


def test_what_qemu_refuses_changes_nothing_and_may_be_tried_again(stack, tmp_path):
    served = serve(stack, tmp_path, "one", refuse={"device_add": "no"})
    told = served.apply()
    assert (told.ending, told.outcome) == ("refused", "qemu-refused")
    assert served.note is not None
    assert served.note.phase == "failed"
    served.machine.refuse = {}
    assert served.apply().ending == "has-it"


def test_a_plan_that_does_not_fit_any_more_does_nothing(stack, tmp_path):
    served = serve(stack, tmp_path, "one", situation=holding(slots=0, window=None, max_ram=0))
    served.machine.statuses = []
    order = msgspec.structs.replace(ORDER, size=1 << 50)
    told = served.apply(order)
    assert told.ending == "refused"
    assert served.machine.sent == []


def test_another_run_of_the_machine_is_not_gone_to(served):
    order = msgspec.structs.replace(ORDER, runs={"one": "another run"})
    assert served.apply(order).ending == "stale"
    assert served.machine.sent == []


def test_another_plan_that_is_open_is_left_alone(served):
    served.write(plan="00000001")
    told = served.apply()
    assert (told.ending, served.machine.sent) == ("held", [])
    assert "00000001" in told.error


def test_another_plan_that_is_done_is_no_hindrance(served):
    served.write(plan="00000001", phase="done")
    assert served.apply().ending == "has-it"


def test_somebody_else_at_work_is_not_disturbed(served, monkeypatch):
    monkeypatch.setattr("guestmap.fleet.apply_work._LOCK_GRACE_S", 0.0)
    with locked(served.of.source, 5.0):
        told = served.apply(msgspec.structs.replace(ORDER, guest_s=0.1))
    assert (told.ending, served.machine.sent) == ("busy", [])


def test_a_backend_without_its_dimm_is_cleared_away_and_all_is_done_anew(served):
    served.write()
    served.machine.objects[f"mem{DEVICE}"] = 128 * MIB
    told = served.apply()
    assert (told.ending, served.devices) == ("has-it", [DEVICE])
    assert "without its DIMM" in told.settled
    assert [c for c, _ in served.machine.sent] == ["object-del", "object-add", "device_add"]


def test_a_dimm_that_is_there_already_is_kept_and_heard(served):
    served.apply()
    served.write()
    told = served.apply()
    assert (told.ending, told.outcome, served.devices) == ("has-it", "acknowledged", [DEVICE])
    assert "plugged already" in told.settled


def test_a_dimm_that_is_there_already_and_of_which_the_guest_is_silent(stack, tmp_path):
    served = serve(stack, tmp_path, "one", None)
    served.apply(msgspec.structs.replace(ORDER, guest_s=0.0))
    served.write()
    assert served.apply(msgspec.structs.replace(ORDER, guest_s=0.0)).outcome == "guest-silent"


def test_a_dimm_of_another_size_than_the_plans_is_no_success(served):
    served.apply()
    told = served.apply(msgspec.structs.replace(ORDER, size=2 * ORDER.size))
    assert (told.ending, served.devices) == ("refused", [DEVICE])
    assert "128 MiB, not 256 MiB" in told.error
    assert served.undo().ending == "undone"


def test_a_machine_that_does_not_answer_in_the_middle_is_open(stack, tmp_path):
    served = serve(stack, tmp_path, "one", lost=["device_add"])
    told = served.apply()
    assert told.ending == "open"
    served.machine.lost = set()
    assert served.apply().ending == "has-it"
    assert served.devices == [DEVICE]


def test_undo_takes_out_what_was_put_in_and_nothing_else(served):
    assert served.undo().ending == "not-ours"
    served.apply()
    told = served.undo()
    assert (told.ending, told.outcome, served.devices) == ("undone", "removed", [])
    assert f"mem{DEVICE}" not in served.machine.objects
    assert served.undo().ending == "undone"


def test_undo_clears_half_of_it_away(served):
    served.write()
    served.machine.objects[f"mem{DEVICE}"] = 128 * MIB
    assert served.undo().ending == "undone"
    assert f"mem{DEVICE}" not in served.machine.objects


def test_a_guest_that_does_not_let_go_keeps_it(served):
    served.apply()
    served.machine.guest = lambda _machine, _verb, _device: None
    told = served.undo(msgspec.structs.replace(ORDER, guest_s=0.0))
    assert (told.ending, served.devices) == ("plugged", [DEVICE])


def test_a_machine_that_is_not_there_is_one_line():
    absent = FleetMachine("absent", "unix:/no/such/folder/x")
    (told,) = apply_all([absent], ORDER)
    assert msgspec.json.decode(told, type=AppliedMachine).ending == "failed"


def test_a_machine_of_a_network_has_its_lock_among_the_users_files(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one, other = place_of("tcp:far:1"), place_of("tcp:far:2")
    assert one != other
    assert one.parent == tmp_path / "guestmap" / "fleet"
    assert place_of("unix:/run/vm.sock").parent == Path("/run").resolve()


# plans


def test_who_takes_it_and_who_does_not_and_by_whose_limit(served, tmp_path):
    def verdict(**more: object) -> tuple[str, list[str]]:
        options = PlanOptions(**{"size": 128 * MIB, "patience": Patience(5.0, 0), **more})  # type: ignore[arg-type]
        told = plan_one(served.of, options)
        return told.verdict, [each.code for each in told.reasons]

    assert verdict() == ("fits", [])
    assert verdict(where="slots_left == 4 and left >= 1*GIB") == ("fits", [])
    assert verdict(where="slots_left < 4") == ("not-chosen", [])
    outcome, codes = verdict(size=1 << 40)
    assert outcome == "blocked"
    assert codes
    assert verdict(where="nothing")[0] == "failed"
    dump = FleetMachine("d", str(tmp_path))
    assert plan_one(dump, PlanOptions(1)).verdict == "blocked"
    missing = plan_one(FleetMachine("m", "no-such.toml"), PlanOptions(1))
    assert (missing.verdict, missing.reasons[0].code) == ("failed", "refused")
    assert "'no-such.toml' is none" in missing.reasons[0].text
    assert served.machine.sent == []


def test_a_password_is_in_no_plan_and_an_inventory_tells_it_again():
    secret = FleetMachine("a", "libvirt+qemu+tls://u:hunter2@h/system:a")
    from guestmap.fleet.fleet_plan import planned

    plan = FleetPlan(PLAN, 1, (planned(secret, "fits"),))
    assert "hunter2" not in json.dumps(plan.to_json())
    with pytest.raises(ConfigError, match="--inventory"):
        plan.inventory()
    assert plan.inventory(FleetInventory((secret,))).machines[0].source == secret.source


def test_an_inventory_with_no_machine_of_the_plan_is_refused():
    plan = FleetPlan(PLAN, 1, (PlannedMachine("a", "unix:/a", "fits"),))
    other = FleetInventory((FleetMachine("node1/a", "unix:/b"),))
    with pytest.raises(
        ConfigError, match="no machine of the plan: it has 'node1/a', and the plan 'a'"
    ):
        plan.inventory(other)


def test_a_file_that_is_no_plan_is_refused(tmp_path):
    good = {"id": PLAN, "size": 1, "machines": [{"machine": "a", "source": "b", "verdict": "fits"}]}
    (tmp_path / "plan").write_text(json.dumps(good))
    assert read_plan(tmp_path / "plan").size == 1
    by_hand: list[dict[str, object]] = [
        {"id": "xyz"}, {"id": "-1"}, {"id": PLAN[1:]}, {"size": -5}, {"node": -1},
        {"machines": [{"machine": "a", "source": "b", "verdict": "maybe"}]},
        {"machines": [{"machine": "a", "source": "b", "verdict": "fits", "adr": 1}]},
    ]  # fmt: skip
    for text in ("{}", "nonsense", *(json.dumps({**good, **each}) for each in by_hand)):
        (tmp_path / "plan").write_text(text)
        with pytest.raises(PeerError, match="no plan for a fleet"):
            read_plan(tmp_path / "plan")


# a fleet


@pytest.fixture
def fleet(stack: ExitStack, tmp_path: Path) -> list[Served]:
    return [serve(stack, tmp_path, f"m{number}") for number in range(6)]


def made(client: Client, fleet: list[Served], path: Path) -> FleetPlan:
    machines = FleetInventory(tuple(each.of for each in fleet))
    options = PlanOptions(128 * MIB, patience=Patience(5.0, 0))
    found = {each.machine: each for each in plan_fleet(client, machines, options)}
    plan = FleetPlan(PLAN, 128 * MIB, tuple(found[each.name] for each in machines))
    plan.save(path)
    return plan


def rolled(client: Client, path: Path, policy: WavePolicy, *, resume: bool = False) -> RollOut:
    rolling = RollOut(client, read_plan(path), Progress.beside(path, read_plan(path)), guest_s=0.3)
    list(rolling.apply(policy, resume=resume))
    return rolling


def test_a_failure_stops_what_was_not_begun_and_a_resume_does_the_rest(client, fleet, tmp_path):
    path = tmp_path / "plan.json"
    made(client, fleet, path)
    fleet[1].machine.refuse = {"device_add": "no"}
    policy = WavePolicy(canary=1, percent=17.0)
    first = rolled(client, path, policy)
    assert first.is_paused
    assert [each.devices for each in fleet[:2]] == [[DEVICE], []]
    assert fleet[5].devices == []
    with pytest.raises(StateError, match="--resume"):
        rolled(client, path, policy)
    fleet[1].machine.refuse = {}
    assert not rolled(client, path, policy, resume=True).is_paused
    assert [each.devices for each in fleet] == [[DEVICE]] * 6
    assert [c for c, _ in fleet[0].machine.sent] == ["object-add", "device_add"]


def test_after_a_pause_nothing_is_begun_that_waits_for_its_host(client, fleet, tmp_path):
    path = tmp_path / "plan.json"
    for number, each in enumerate(fleet):
        fleet[number] = Served(each.machine, msgspec.structs.replace(each.of, host="one"))
        each.machine.refuse = {"object-add": "no"}
    made(client, fleet, path)
    rolling = RollOut(
        client, read_plan(path), Progress.beside(path, read_plan(path)), guest_s=0.3, per_host=1
    )
    (only,) = rolling.apply(WavePolicy(canary=0, percent=100.0, pause_after=1))
    assert only.ending == "refused"
    assert sum(len(each.machine.sent) for each in fleet) == 1


def test_a_line_of_progress_that_is_half_is_no_line(client, fleet, tmp_path):
    path = tmp_path / "plan.json"
    made(client, fleet, path)
    rolled(client, path, WavePolicy())
    kept = Progress.beside(path, read_plan(path))
    kept.path.write_bytes(kept.path.read_bytes()[:-20])
    assert len(Progress.beside(path, read_plan(path)).ended) == 5
    assert not rolled(client, path, WavePolicy(), resume=True).is_paused
    assert [each.devices for each in fleet] == [[DEVICE]] * 6


def test_a_line_that_is_half_does_not_take_the_next_with_it(client, fleet, tmp_path):
    path = tmp_path / "plan.json"
    plan = made(client, fleet, path)
    kept = Progress.beside(path, plan)
    kept.begin()
    with kept.path.open("ab") as file:
        file.write(b'{"plan":"00')
    kept.add(AppliedMachine("m1", "", "has-it"))
    assert [*Progress.beside(path, plan).ended] == ["m1"]


def test_a_new_plan_in_the_file_of_an_old_one_is_a_new_one(client, fleet, tmp_path):
    """What became of the old one says nothing of it, resumed or not."""
    path = tmp_path / "plan.json"
    made(client, fleet, path)
    rolled(client, path, WavePolicy())
    anew = msgspec.structs.replace(read_plan(path), id="0000002b")
    anew.save(path)
    rolled(client, path, WavePolicy(), resume=True)
    assert [each.devices for each in fleet] == [[DEVICE, anew.device]] * 6


def test_a_plan_that_is_open_is_not_written_over(client, fleet, tmp_path):
    path = tmp_path / "plan.json"
    plan = made(client, fleet, path)
    words = ("fleet", "plan", "128M", fleet[0].of.source, "-o", path)
    assert run_program(*words).status == 0, "nobody began it"
    plan.save(path)
    progress = Progress.beside(path, plan)
    progress.begin()
    for number in range(1, 6):
        progress.add(AppliedMachine(f"m{number}", "", "open" if number == 2 else "refused"))
    assert_one_clear_line(run_program(*words), "open on 2 machines (m0, m2)")
    assert read_plan(path) == plan
    for name in ("m0", "m2"):
        progress.add(AppliedMachine(name, "", "has-it"))
    assert run_program(*words).status == 0


def test_the_commands_plan_apply_and_undo(fleet, tmp_path):
    inventory, plan = tmp_path / "fleet.toml", tmp_path / "plan.json"
    inventory.write_text(
        "".join(f'[[machine]]\nname = "{e.of.name}"\nsource = "{e.of.source}"\n' for e in fleet)
    )
    words = ("fleet", "plan", "128M", inventory, "-o", plan, "--where", "name != 'm3'")
    done = run_program(*words)
    assert done.status == 0, done
    assert "128 MiB for 5 of 6 machines" in done.stdout
    done = run_program("fleet", "apply", plan, "--guest-timeout", "0.3", "--json")
    assert done.status == 0, done
    lines = list(map(json.loads, done.stdout.splitlines()))
    assert {each["machine"] for each in lines} == {"m0", "m1", "m2", "m4", "m5"}
    assert {each["ending"] for each in lines} == {"has-it"}
    assert fleet[3].machine.sent == []
    assert_one_clear_line(run_program("fleet", "apply", plan), "--resume")
    done = run_program("fleet", "undo", plan, "--select", "name=m0")
    assert_one_clear_line(done, "carried out on all machines")
    done = run_program("fleet", "apply", plan, "--resume")
    assert (done.status, done.stdout) == (0, "0 machines: nothing was to do\n")
    done = run_program("fleet", "undo", plan)
    assert (done.status, done.stdout) == (0, "5 machines: 5 undone\n")
    assert [each.devices for each in fleet] == [[]] * 6


def test_a_plan_that_nobody_takes_ends_with_1(fleet, tmp_path):
    plan = tmp_path / "plan.json"
    done = run_program("fleet", "plan", "1T", fleet[0].of.source, "-o", plan)
    assert done.status == 1, done
    assert "0 of 1 machine" in done.stdout


def test_a_condition_that_is_none_is_refused_before_anybody_is_asked(fleet, tmp_path):
    done = run_program("fleet", "plan", "1G", fleet[0].of.source, "--where", "left >=")
    assert_one_clear_line(done, "is no condition")


def test_a_plan_that_cannot_be_written_is_refused_before_anybody_is_asked(tmp_path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "vm"))
        listening.listen()
        listening.setblocking(False)
        done = run_program("fleet", "plan", "1G", f"unix:{tmp_path}/vm", "-o", tmp_path)
        assert_one_clear_line(done, f"cannot write {tmp_path} (Is a directory)")
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_two_names_of_one_machine_are_refused_before_anybody_is_asked(fleet, tmp_path):
    inventory = tmp_path / "fleet.toml"
    source = fleet[0].of.source
    inventory.write_text(
        "".join(f'[[machine]]\nname = "{name}"\nsource = "{source}"\n' for name in ("a", "b"))
    )
    plan = tmp_path / "plan.json"
    done = run_program("fleet", "plan", "128M", inventory, "-o", plan)
    assert_one_clear_line(done, "a and b are one machine")
    assert not plan.exists()
    chosen = run_program("fleet", "plan", "128M", inventory, "--select", "name=b", "-o", plan)
    assert "128 MiB for 1 of 1 machine" in chosen.stdout, chosen


def test_a_resume_does_not_make_a_success_of_a_guest_that_said_nothing(stack, tmp_path):
    silent, other = serve(stack, tmp_path, "a", None), serve(stack, tmp_path, "b")
    plan = tmp_path / "plan.json"
    run_program("fleet", "plan", "128M", silent.of.source, other.of.source, "-o", plan)
    words = (plan, "--guest-timeout", "0.3", "--canary", "0", "--percent", "50")
    for more in ((), ("--resume",), ("--resume",)):
        done = run_program("fleet", "apply", *words, *more)
        assert done.status == 1, done
        assert "plugged: guest-silent" in done.stdout
    assert [len(each.devices) for each in (silent, other)] == [1, 1]
