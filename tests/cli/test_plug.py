"""``guestmap plug``, ``unplug`` and ``dimms`` as a user runs them."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import guestmap.domain
from guestmap.base import GIB, MIB
from guestmap.cli import main
from guestmap.cli.plug_exits import STATUSES
from guestmap.domain import Outcome
from guestmap.qmp.client import GoneError
from tests.domain.machines import BASE, ROOM, FakeMachine, dimm, holding, virtio_mem
from tests.support.processes import popen
from tests.support.qemu import Qemu

ONE = dimm(0, BASE, GIB)
PLUGGED = holding(ONE)


class Done(NamedTuple):
    """How a run of the program ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run guestmap with these words, in this process."""

    def start(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["guestmap", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return Done(int(ended.value.code or 0), told.out, told.err)

    return start


@pytest.fixture
def on(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run guestmap on a machine that is played: the first word is the machine."""

    def start(machine: FakeMachine, verb: str, *words: object) -> Done:
        machine.gone = False
        monkeypatch.setattr(guestmap.domain, "open_peer", lambda _: machine.peer())
        return run(verb, "vm", *words)

    return start


def answer(source: int, status: int) -> Any:
    return lambda machine, verb, device: machine.ost(
        next(each.slot for each in machine.devices if each.id == device), source, status
    )


def let_go(machine: FakeMachine, verb: str, device: str) -> None:
    machine.ost(0, 3, 0x84)
    machine.eject(device)


def test_a_plug_that_is_acknowledged(on):
    done = on(FakeMachine(answer(1, 0)), "plug", "1G")
    assert (done.code, done.err) == (10, "")
    assert "Plan: plug dimm0, 1 GiB in slot 0 at 0x100000000-0x13fffffff, node 0" in done.out
    assert "  object-add qom-type=memory-backend-ram id=memdimm0 size=1073741824\n" in done.out
    assert "    100000000-13fffffff: memdimm0 (ram), was nobody\n" in done.out
    assert re.search(
        "^dimm0: plugged, and the guest acknowledged it; whether the guest uses it is not known"
        r" \(\d+\.\d\d s\)\.$", done.out, re.MULTILINE,
    )  # fmt: skip
    assert "the guest said: Device Check: success (_OST 0x1, 0x0)" in done.out
    assert done.out.endswith("The map changed as planned.\n")


def test_a_plug_that_the_guest_refuses(on):
    done = on(FakeMachine(answer(0x200, 0x81)), "plug", "1G")
    assert done.code == 5
    assert "the guest refused" in done.out
    assert "the device's driver could not be loaded (_OST 0x200, 0x81)" in done.out


def test_a_plug_without_an_answer(on):
    done = on(FakeMachine(), "plug", "1G", "--timeout", "0")
    assert done.code == 4
    assert "dimm0: plugged; the guest said nothing within 0.0 s." in done.out


def test_a_plug_that_is_taken_out_again(on):
    def guest(machine: FakeMachine, verb: str, device: str) -> None:
        (answer(1, 1) if verb == "plug" else let_go)(machine, verb, device)

    machine = FakeMachine(guest)
    done = on(machine, "plug", "1G", "--undo")
    assert done.code == 7
    assert "taken out again for want of the guest's consent" in done.out
    assert done.out.endswith("The map is as it was.\n")
    assert machine.devices == []


def test_a_plug_that_qemu_refuses(on):
    done = on(FakeMachine(refuse={"device_add": "not today"}), "plug", "1G")
    assert done.code == 6
    assert "QEMU refused; everything is as before" in done.out
    assert "not today" in done.out


def test_a_plug_that_leaves_something_behind(on):
    refuse = {"device_add": "not today", "object-del": "in use"}
    done = on(FakeMachine(refuse=refuse), "plug", "1G")
    assert done.code == 8
    assert "not as it should be: the backend 'memdimm0' is left behind" in done.out


def test_blockers_come_all_at_once_with_remedies_and_nothing_is_done(on):
    machine = FakeMachine(situation=PLUGGED)
    done = on(machine, "plug", "3M", "--slot", "9", "--addr", "0x100000001", "--id", "dimm0",
              "--node", "5")  # fmt: skip
    assert done.code == 3
    codes = re.findall(r"^blocker: ([a-z-]+):", done.out, re.MULTILINE)
    assert codes == ["slot-range", "size-unaligned", "address-unaligned", "address-overlap",
                     "id-taken", "node"]  # fmt: skip
    assert done.out.count("  remedy: ") == len(codes) + done.out.count("caution: ")
    assert "Plan:" not in done.out
    assert machine.sent == []


def test_a_dry_run_stops_after_the_plan(on):
    machine = FakeMachine(situation=PLUGGED)
    stopped = on(machine, "plug", "100M", "--dry-run")
    assert stopped.code == 3
    assert "The guest would get nothing of it; nothing was done" in stopped.out
    done = on(machine, "plug", "100M", "--dry-run", "--force")
    assert done.code == 0
    assert "caution: section-size:" in done.out
    assert "Plan: plug dimm1, 100 MiB in slot 1 at 0x140000000" in done.out
    assert on(machine, "plug", "100M").code == 3
    assert on(machine, "unplug", "dimm0", "--dry-run").code == 0
    assert on(machine, "plug", "0", "--dry-run").code == 3
    assert machine.sent == []


@pytest.mark.parametrize(
    ("text", "size"), [("128", 128 * MIB), ("128M", 128 * MIB), ("0x8000000", 128 * MIB),
                       ("1.5G", 1536 * MIB), ("134217728b", 128 * MIB)],
)  # fmt: skip
def test_sizes_are_written_as_everywhere(on, text, size):
    machine = FakeMachine(answer(1, 0))
    on(machine, "plug", text)
    assert machine.objects["memdimm0"] == size


def test_what_is_asked_for_is_sent(on):
    machine = FakeMachine(answer(1, 0))
    on(machine, "plug", "128M", "--slot", "2", "--addr", "0x140000000", "--id", "mine")
    assert machine.sent[1] == ("device_add", {
        "driver": "pc-dimm", "id": "mine", "memdev": "memmine", "node": 0, "slot": 2,
        "addr": 0x140000000})  # fmt: skip


def test_an_unplug_to_which_the_guest_agrees(on):
    machine = FakeMachine(let_go, situation=PLUGGED)
    done = on(machine, "unplug", "dimm0")
    assert (done.code, done.err) == (0, "")
    assert "dimm0: unplugged: the guest let go of it" in done.out
    assert "the guest said: Eject Request: ejection in progress (_OST 0x3, 0x84)" in done.out
    assert list(machine.objects) == ["pc.ram"]


def test_an_unplug_that_the_guest_refuses(on):
    done = on(FakeMachine(answer(3, 0x82), situation=PLUGGED), "unplug", "dimm0")
    assert done.code == 5
    assert "still plugged" in done.out
    assert "device busy (_OST 0x3, 0x82)" in done.out
    assert "The map is as it was." in done.out


def test_an_unplug_without_an_answer(on):
    done = on(FakeMachine(situation=PLUGGED), "unplug", "dimm0", "--timeout", "0")
    assert done.code == 4
    assert "still plugged, the request stands; the guest said nothing" in done.out
    begun = on(FakeMachine(answer(3, 0x84), situation=PLUGGED), "unplug", "dimm0",
               "--timeout", "0.1")  # fmt: skip
    assert begun.code == 4
    assert "the guest began, and was not done" in begun.out


def test_an_unplug_of_nobody(on):
    done = on(FakeMachine(situation=PLUGGED), "unplug", "dimm7")
    assert done.code == 3
    assert "there is no memory device 'dimm7'" in done.out
    assert "dimm0 at 0x100000000-0x13fffffff" in done.out


def test_a_backend_can_be_kept(on):
    machine = FakeMachine(let_go, situation=PLUGGED)
    assert on(machine, "unplug", "dimm0", "--keep-backend").code == 0
    assert "memdimm0" in machine.objects


def test_json_has_the_plan_and_what_became_of_it(on):
    done = on(FakeMachine(answer(1, 0)), "plug", "1G", "--json")
    form = json.loads(done.out)
    assert (form["format"], form["format_version"], form["exit_status"]) == ("guestmap.plug", 1, 10)
    assert form["outcome"] == "acknowledged"
    assert (form["acknowledged"], form["online_bytes"], form["online_told_by"]) == (
        True, None, None)  # fmt: skip
    assert form["device"]["addr"] == BASE
    assert form["plan"]["steps"][0]["execute"] == "object-add"
    blocked = on(FakeMachine(), "plug", "0", "--json")
    form = json.loads(blocked.out)
    assert (blocked.code, form["exit_status"], form["outcome"]) == (3, 3, "blocked")
    assert form["plan"]["blockers"][0]["remedy"]
    removed = on(FakeMachine(let_go, situation=PLUGGED), "unplug", "dimm0", "--json")
    assert json.loads(removed.out)["outcome"] == "removed"


def test_a_machine_that_ends_meanwhile(on, monkeypatch):
    def shuts_down(machine: FakeMachine, verb: str, device: str) -> None:
        machine.tell("SHUTDOWN", guest=True)

    done = on(FakeMachine(shuts_down), "plug", "1G")
    assert done.code == 9
    assert "the machine ended meanwhile" in done.out

    def killed(machine: FakeMachine, verb: str, device: str) -> None:
        raise GoneError("vm: closed the connection (asked for device_add)")

    done = on(FakeMachine(killed), "plug", "1G")
    assert (done.code, done.err) == (9, "")
    assert "may have been done" in done.out
    form = json.loads(on(FakeMachine(killed), "plug", "1G", "--json").out)
    assert (form["outcome"], form["exit_status"]) == ("machine-ended", 9)
    assert form["plan"]["device"]["id"] == "dimm0"
    assert "object-add" in form["error"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["plug", "/nowhere", "1G"], "needs a running machine"),
        (["plug", "boot", "1G"], "needs a running machine"),
        (["plug", "unix:/nowhere", "1G"], "there is no such socket"),
        (["plug", "unix:/nowhere", "lots"], "SIZE 'lots' is not a size"),
        (["plug", "unix:/nowhere", "99999999T"], "does not fit in 64 bits"),
        (["plug", "unix:/nowhere", "1G", "--addr", "here"], "--addr 'here' is not an address"),
        (["plug", "unix:/nowhere", "1G", "--node", "99999999999"], "node 99999999999"),
        (["plug", "unix:/nowhere", "1G", "--slot", "-1"], "--slot"),
        (["plug", "unix:/nowhere", "1G", "--timeout", "nan"], "--timeout"),
        (["plug", "unix:/nowhere"], "SIZE"),
        (["unplug", "unix:/nowhere"], "ID"),
        (["unplug", "unix:/nowhere", "x"], "there is no such socket"),
        (["dimms", "/nowhere"], "needs a running machine"),
    ],
)
def test_nonsense_is_an_error_that_says_so(run, words, told):
    done = run(*words)
    assert done.code == 2
    assert told in done.err


@pytest.mark.parametrize(
    ("verb", "statuses", "done"),
    [
        ("plug", {0, *range(2, 14), 130}, "plugged, and the guest has it online"),
        ("unplug", {0, 2, 3, 4, 5, 6, 8, 9, 130}, "unplugged: the guest let go of it"),
        ("resize", {0, 2, 3, 4, 6, 8, 9, 13, 130}, "the guest has what is requested"),
    ],
)
def test_the_help_has_the_exit_statuses_of_its_command(run, verb, statuses, done, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    text = run(verb, "--help").out
    assert set(STATUSES) == set(Outcome)
    told = dict(re.findall(r"^ (\d+)  (\w.*?) *$", text, re.MULTILINE))
    assert {int(each) for each in told} == statuses
    assert told["0"].startswith(done)
    assert ("plugged" in told["0"]) == (verb != "resize")


def test_dimms_shows_slots_gaps_and_what_is_left(on):
    machine = FakeMachine(situation=holding(ONE, dimm(2, BASE + 2 * GIB, 512 * MIB)))
    machine.ost(0, 1, 0)
    machine.ost(1, 3, 0)
    done = on(machine, "dimms")
    assert done.code == 0
    lines = done.out.splitlines()
    (first,) = (line for line in lines if "memdimm0" in line)
    assert first.split()[:8] == ["0", "dimm0", "dimm", "0000000100000000", "000000013fffffff",
                                 "1", "GiB", "0"]  # fmt: skip
    assert first.rstrip().endswith("Device Check: success (_OST 0x1, 0x0)")
    assert any(
        line.split()[0] == "1" and "Eject Request: success" in line for line in lines if line
    )
    assert "0000000140000000  000000017fffffff    1 GiB" in done.out
    assert "slots: 2 of 4 used; free: 1, 3" in done.out
    assert "1.5 GiB plugged, 1.5 GiB taken, 2.2 GiB left of 3.8 GiB" in done.out


@pytest.mark.parametrize(
    ("source", "status", "holds", "shown"),
    [
        (0, 0, True, "nothing yet"),
        (3, 0, True, "nothing yet; of the DIMM before: Eject Request: success (_OST 0x3, 0x0)"),
        (0x103, 0, True, "nothing yet; of the DIMM before: ejection by the guest itself: success"),
        (3, 0, False, "of the DIMM before: Eject Request: success (_OST 0x3, 0x0)"),
        (3, 0x82, True, "Eject Request: device busy (_OST 0x3, 0x82)"),
        (3, 0x84, True, "Eject Request: ejection in progress"),
        (1, 0, True, "Device Check: success (_OST 0x1, 0x0)"),
    ],
)
def test_a_report_of_the_dimm_before_is_not_this_ones(on, source, status, holds, shown):
    machine = FakeMachine(situation=PLUGGED if holds else ROOM)
    machine.ost(0, source, status)
    lines = on(machine, "dimms").out.splitlines()
    line = next(each for each in lines if each.lstrip().startswith("0 "))
    assert shown in line
    if holds and "before" not in shown:
        assert "before" not in line
    row = json.loads(on(machine, "dimms", "--json").out)["slots"][0]
    assert row["of_before"] == ("before" in shown)


def test_dimms_tells_what_a_guest_has_of_virtio_mem_and_no_more_of_unknown_kinds(on):
    grown = virtio_mem("vm0", BASE, 2 * GIB, 0, 256 * MIB, hotplugged=False)
    out = on(FakeMachine(situation=holding(grown)), "dimms").out
    assert re.search(r"vm0 .* 0 B +256 MiB +2 GiB +2 MiB", out)
    assert "0 B plugged, 2 GiB taken" in out


def test_dimms_deletes_what_a_plug_left_behind(on, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    machine = FakeMachine()
    machine.objects["memdimm0"] = GIB
    assert "--clean memdimm0" in on(machine, "dimms").out
    assert on(machine, "dimms", "--clean", "pc.ram").code == 3
    done = on(machine, "dimms", "--clean", "memdimm0", "--json")
    assert (done.code, json.loads(done.out)["is_deleted"]) == (0, True)
    assert list(machine.objects) == ["pc.ram"]


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--addr", "0"], "leave it out"), (["--addr", "100000000"], "hexadecimal or decimal"),
     (["--kind", "nvdimm"], "'nvdimm' is not plugged")],
)  # fmt: skip
def test_options_that_are_no_request_are_errors(on, words, told):
    machine = FakeMachine()
    done = on(machine, "plug", "128M", *words)
    assert (done.code, machine.sent) == (2, [])
    assert told in done.err
    assert "id-invalid" in on(machine, "plug", "128M", "--id", "").out


def test_resizing_is_followed_and_its_status_is_true(on):
    grown = virtio_mem("vm0", BASE, 2 * GIB, 0, 0)

    def takes(machine: FakeMachine, verb: str, device: str) -> None:
        machine.resized(device, present=512 * MIB)

    done = on(FakeMachine(takes, situation=holding(grown)), "resize", "vm0", "512 MiB")
    assert done.code == 0
    assert "vm0: the guest has what is requested" in done.out
    short = on(FakeMachine(takes, situation=holding(grown)), "resize", "vm0", "1G",
               "--timeout", "0")  # fmt: skip
    assert short.code == 13
    assert "the guest has 512 MiB of 1 GiB requested" in short.out
    assert "the request stands" in short.out
    form = json.loads(on(FakeMachine(situation=holding(grown)), "resize", "vm0", "1G",
                         "--timeout", "0", "--json").out)  # fmt: skip
    assert (form["outcome"], form["exit_status"], form["plan"]["requested"]) == (
        "guest-silent", 4, GIB)  # fmt: skip
    assert on(FakeMachine(situation=holding(grown)), "resize", "vm0", "3G").code == 3


def test_dimms_in_json(on):
    machine = FakeMachine(situation=PLUGGED)
    machine.objects["memdimm9"] = GIB
    form = json.loads(on(machine, "dimms", "--json").out)
    assert (form["format"], form["format_version"]) == ("guestmap.dimms", 1)
    assert form["slots"][0]["device"]["id"] == "dimm0"
    assert [row["device"] for row in form["slots"][1:]] == [None] * 3
    assert form["slots_left"] == 3
    assert form["left"] == ROOM.capacity - GIB
    assert form["gaps"] == [[BASE + GIB, form["window"][1] - GIB]]
    assert form["orphans"] == ["memdimm9"]


class RegisterGuest:
    """A guest that is played on a stopped QEMU's registers, in a thread of its own.

    Args:
        plug_status: what it answers to a DIMM that comes.
        eject_status: what it answers to a DIMM that is asked for; None: it lets go.
    """

    def __init__(self, qemu: Qemu, plug_status: int = 0, eject_status: int | None = None) -> None:
        self._qemu = qemu
        self._plug_status = plug_status
        self._eject_status = eject_status
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _live(self) -> None:
        while not self._over.is_set():
            for slot in range(2):
                self._qemu.outl(0xA00, slot)
                flags = self._qemu.inb(0xA14)
                if flags & 2:
                    self._qemu.outb(0xA14, 2)
                    self._say(1, self._plug_status)
                elif flags & 4:
                    self._qemu.outb(0xA14, 4)
                    if self._eject_status is not None:
                        self._say(3, self._eject_status)
                    else:
                        self._say(3, 0x84)
                        self._qemu.outb(0xA14, 8)
                        self._say(3, 0)

    def _say(self, event: int, status: int) -> None:
        self._qemu.outl(0xA04, event)
        self._qemu.outl(0xA08, status)


@contextmanager
def real(tmp_path: Path) -> Iterator[tuple[Qemu, str]]:
    path = str(tmp_path / "qmp")
    with Qemu("-m", "64M,slots=2,maxmem=1G", "-qmp", f"unix:{path},server=on,wait=off") as qemu:
        yield qemu, path


def plugged(qemu: Qemu) -> list[str]:
    return [each["data"]["id"] for each in qemu.qmp("query-memory-devices")]


@pytest.mark.qemu
def test_on_a_real_qemu_with_a_guest_on_its_registers(run, tmp_path):
    with real(tmp_path) as (qemu, path):
        before = qemu.hmp("info mtree")
        with RegisterGuest(qemu):
            done = run("plug", path, "256M")
            assert done.code == 10, done
            assert "caution: not-running" in done.out
        assert plugged(qemu) == ["dimm0"]
        shown = run("dimms", path)
        assert "Device Check: success" in shown.out
        with RegisterGuest(qemu, eject_status=0x83):
            refused = run("unplug", path, "dimm0")
        assert refused.code == 5
        assert "a device that depends on it is busy" in refused.out
        assert plugged(qemu) == ["dimm0"]
        with RegisterGuest(qemu):
            done = run("unplug", path, "dimm0")
        assert done.code == 0, done
        assert plugged(qemu) == []
        assert sorted(qemu.hmp("info mtree")) == sorted(before)
        with RegisterGuest(qemu, plug_status=1):
            refused = run("plug", path, "256M")
        assert refused.code == 5
        assert "Device Check: failure, no reason given" in refused.out


@pytest.mark.qemu
def test_ctrl_c_while_waiting_still_says_what_is(tmp_path):
    with real(tmp_path) as (qemu, path):
        command = [sys.executable, "-m", "guestmap", "plug", path, "128M", "--timeout", "100"]
        with popen(command, stdout=subprocess.PIPE, text=True) as process:
            while not plugged(qemu):
                pass
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate()
        assert process.returncode == 4
        assert "the wait for the guest was broken off after" in out
        assert "Now: dimm0" in out
        assert plugged(qemu) == ["dimm0"]


@pytest.mark.qemu
def test_a_terminal_sees_what_is_done_and_how_long_it_takes(tmp_path):
    ours, theirs = pty.openpty()
    with real(tmp_path) as (_, path):
        command = [sys.executable, "-m", "guestmap", "plug", path, "128M", "--timeout", "0.5"]
        with popen(
            command, stdout=subprocess.DEVNULL, stderr=theirs, env=os.environ | {"COLUMNS": "120"}
        ) as process:
            os.close(theirs)
            shown = b""
            with suppress(OSError):  # a terminal whose other end was closed ends so
                while data := os.read(ours, 4096):
                    shown += data
    os.close(ours)
    assert process.returncode == 4
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "object-add qom-type=memory-backend-ram id=memdimm0" in text
    assert "device_add driver=pc-dimm id=dimm0" in text
    assert "waiting for the guest" in text
    assert "of 0.5 s" in text
