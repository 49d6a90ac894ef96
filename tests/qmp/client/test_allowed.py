"""Nothing that could change a machine is sent to it, but for what managing its memory needs."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.qmp.client import Monitor
from guestmap.qmp.client.allowed import COMMANDS, HMP, check
from tests.qmp.client.peer import FakeQemu
from tests.support.qemu import Qemu

QUESTIONS = [name for name, each in COMMANDS.items() if not each.changes]
CHANGES = [name for name, each in COMMANDS.items() if each.changes]


def test_nothing_experimental_is_on_the_list():
    assert [name for name in COMMANDS if name.startswith("x-")] == []


@pytest.mark.parametrize("command", [name for name in QUESTIONS if not COMMANDS[name].arguments])
def test_commands_without_arguments_are_sent_without(command):
    check(command, {})
    with pytest.raises(ConfigError, match="not sent with arguments"):
        check(command, {"path": "/machine"})


@pytest.mark.parametrize(
    "line",
    ["info mtree", "info mtree -f", "info mtree -o -D", "info mtree -f -d -o -D", "info ramblock",
     "info numa", "i /1xb 0xafe2"],
)  # fmt: skip
def test_lines_that_only_look_pass(line):
    check(HMP, {"command-line": line})


@pytest.mark.parametrize(
    "line",
    ["quit", "info", "info mtree; quit", "info mtree\nquit", "info mtree -x", "INFO MTREE",
     "xp /8xb 0", "stop", "info mtree -f\n", "info  mtree", "", "info qtree", "info numa; quit",
     "o /b 0xafe2 8", "i /1xb 0xafe2\nquit", "info memory-devices"],
)  # fmt: skip
def test_other_lines_are_refused(line):
    with pytest.raises(ConfigError, match="is not sent"):
        check(HMP, {"command-line": line}, may_change=True)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"command-line": 5}, {"command-line": "info mtree", "cpu-index": 0}, {"cpu-index": 0}],
)
def test_the_human_monitor_gets_a_line_and_nothing_else(arguments):
    with pytest.raises(ConfigError, match="is not sent"):
        check(HMP, arguments, may_change=True)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("quit", {}),
        ("migrate", {"uri": "tcp:x:1"}),
        ("qom-set", {"path": "/machine", "property": "x", "value": 1}),
        ("system_reset", {}),
        ("x-query-virtio", {}),
        ("x-query-virtio-status", {"path": "/machine"}),
        ("x-guestmap-map", {}),
        ("device_add", {"driver": "e1000"}),
        ("device_add", {}),
        ("object-add", {"qom-type": "secret", "id": "x"}),
        ("object-add", {"id": "x"}),
        ("qom-get", {"path": "/machine"}),
        ("qom-get", {"path": "/machine", "property": 1}),
    ],
)
def test_nothing_else_is_sent_even_by_who_may_change_something(command, arguments):
    with pytest.raises(ConfigError, match="is not sent"):
        check(command, arguments, may_change=True)


@pytest.mark.parametrize("command", CHANGES)
def test_who_only_looks_can_change_nothing(command):
    with pytest.raises(ConfigError, match="is not sent"):
        check(command, {"id": "x", "driver": "pc-dimm", "qom-type": "memory-backend-ram"})


def test_a_refused_command_does_not_reach_the_channel():
    qemu = FakeQemu({"quit": "bye"}, {"quit": {}, "stop": {}, "object-del": {}})
    monitor = Monitor(qemu)
    for send in (lambda: monitor.query("stop"), lambda: monitor.human("quit"),
                 lambda: monitor.query("object-del", id="m0"),
                 lambda: monitor.query(HMP, command_line="quit")):  # fmt: skip
        with pytest.raises(ConfigError, match="is not sent"):
            send()
    assert qemu.asked == []


@pytest.mark.qemu
def test_the_list_names_commands_that_a_real_qemu_has():
    with Qemu("-m", "16M") as qemu:
        names = {command["name"] for command in qemu.qmp("query-commands")}
    assert set(COMMANDS) <= names
    others = set(QUESTIONS) - {HMP, "qom-get", "qom-list", "screendump"}
    assert all(name.startswith("query-") for name in others)


@pytest.mark.parametrize("name", [
    "/etc/passwd", "screen.ppm", "/tmp/guestmap-screen-x/../screen.ppm", "/tmp/screen.ppm",
    "/tmp/guestmap-screen-x/screen.ppm\n", "/tmp/guestmap-screen-x/screen.png",
])  # fmt: skip
def test_a_screen_goes_into_a_file_of_ours_alone(name: str) -> None:
    check("screendump", {"filename": "/tmp/guestmap-screen-x/screen.ppm"})
    with pytest.raises(ConfigError, match="screendump is not sent"):
        check("screendump", {"filename": name}, may_change=True, may_type=True)


def test_who_may_type_may_change_nothing_else() -> None:
    check("send-key", {"keys": []}, may_type=True)
    with pytest.raises(ConfigError, match="send-key is not sent"):
        check("send-key", {"keys": []}, may_change=True, is_owner=True)
    with pytest.raises(ConfigError, match="device_del is not sent"):
        check("device_del", {"id": "x"}, may_type=True)
