"""Nothing that could change a machine is sent to it."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.inspect.attach import Monitor
from guestmap.inspect.attach.commands import HMP, READ_ONLY, check
from tests.inspect.attach.peer import FakeQemu
from tests.support.qemu import Qemu


@pytest.mark.parametrize("command", [name for name in READ_ONLY if name != HMP])
def test_the_tables_commands_pass_without_arguments_only(command):
    check(command, {})
    with pytest.raises(ConfigError, match="not sent with arguments"):
        check(command, {"path": "/machine"})


@pytest.mark.parametrize(
    "line",
    ["info mtree", "info mtree -f", "info mtree -o -D", "info mtree -f -d -o -D", "info ramblock"],
)
def test_lines_that_only_look_pass(line):
    check(HMP, {"command-line": line})


@pytest.mark.parametrize(
    "line",
    ["quit", "info", "info mtree; quit", "info mtree\nquit", "info mtree -x", "INFO MTREE",
     "xp /8xb 0", "stop", "info mtree -f\n", "info  mtree", "", "info qtree"],
)  # fmt: skip
def test_other_lines_are_refused(line):
    with pytest.raises(ConfigError, match="is not sent"):
        check(HMP, {"command-line": line})


@pytest.mark.parametrize(
    "arguments",
    [{}, {"command-line": 5}, {"command-line": "info mtree", "cpu-index": 0}, {"cpu-index": 0}],
)
def test_the_human_monitor_gets_a_line_and_nothing_else(arguments):
    with pytest.raises(ConfigError, match="nothing else"):
        check(HMP, arguments)


def test_a_refused_command_does_not_reach_the_channel():
    qemu = FakeQemu({"quit": "bye"}, {"quit": {}, "stop": {}})
    monitor = Monitor(qemu)
    for send in (lambda: monitor.query("stop"), lambda: monitor.human("quit"),
                 lambda: monitor.query(HMP, command_line="quit")):  # fmt: skip
        with pytest.raises(ConfigError, match="is not sent"):
            send()
    assert qemu.asked == []


@pytest.mark.qemu
def test_of_a_real_qemus_commands_only_queries_pass():
    with Qemu("-m", "16M") as qemu:
        names = {command["name"] for command in qemu.qmp("query-commands")}
    passed = set()
    for name in names:
        try:
            check(name, {} if name != HMP else {"command-line": "info mtree"})
        except ConfigError:
            continue
        passed.add(name)
    assert passed == set(READ_ONLY)
    assert all(name.startswith("query-") for name in passed - {HMP})
