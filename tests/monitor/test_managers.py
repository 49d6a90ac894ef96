"""What managers of machines ask of any QEMU, and may set."""

from __future__ import annotations

from typing import Any

import pytest

from guestmap.base import UnsupportedError
from guestmap.monitor.claim import CLAIMS
from guestmap.monitor.command import Context
from guestmap.monitor.commands import command_table
from guestmap.qmp import QmpError, validate
from tests.support.fake_machine import FakeMachine
from tests.support.qemu import Qemu

ASKED = ("query-kvm", "query-accelerators")


def ask(name: str, **arguments: Any) -> Any:
    context = Context(FakeMachine(), command_table())
    command = context.commands[name]
    return command.run(context, validate(command.declaration.arguments, arguments))


@pytest.mark.parametrize(
    "name",
    ["query-iothreads", "query-jobs", "query-fdsets",
     "query-command-line-options"],
)  # fmt: skip
def test_what_is_not_here_is_an_empty_list(name: str) -> None:
    assert ask(name) == []


@pytest.mark.parametrize(
    ("engine", "enabled"), [("unicorn", False), ("none", False), ("kvm", True)]
)
def test_kvm_is_told_of_where_it_runs_the_guest(engine: str, enabled: bool) -> None:
    vm = FakeMachine()
    vm.accelerator.name = engine
    context = Context(vm, command_table(CLAIMS[-1]))
    told = {name: context.commands[name].run(context, {}) for name in ASKED}
    assert told["query-kvm"] == {"enabled": enabled, "present": enabled}
    assert told["query-accelerators"]["enabled"] == ("kvm" if enabled else "tcg")


@pytest.mark.qemu
def test_the_cpu_is_told_as_qemu_does() -> None:
    (ours,) = ask("query-cpu-definitions")
    with Qemu() as qemu:
        theirs = {each["name"]: each for each in qemu.qmp("query-cpu-definitions")}
    theirs[ours["name"]].pop("alias-of", None)
    assert ours == theirs[ours["name"]]


def test_events_of_migration_may_be_asked_for() -> None:
    wanted = {"capability": "events", "state": True}
    assert ask("migrate-set-capabilities", capabilities=[wanted]) == {}
    with pytest.raises(QmpError):
        ask("migrate-set-capabilities", capabilities=[wanted | {"capability": "xbzrle"}])


@pytest.mark.parametrize("event", [{"panic": "pause"}, {"reboot": "reset"},
                                   {"shutdown": "poweroff"}, {"shutdown": "pause"},
                                   {"watchdog": "reset"}])  # fmt: skip
def test_what_is_so_may_be_set(event: dict[str, str]) -> None:
    assert ask("set-action", **event) == {}


def test_what_would_be_otherwise_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="set-action reboot="):
        ask("set-action", reboot="shutdown")
