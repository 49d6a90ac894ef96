"""What names a machine."""

from __future__ import annotations

import socket

import pytest

from guestmap.base import ConfigError
from guestmap.inspect.sources.live import attach
from guestmap.qmp.client import LibvirtTarget, TcpTarget, UnixTarget, parse_target


@pytest.mark.parametrize(
    ("text", "target", "again"),
    [
        ("unix:/run/vm.sock", UnixTarget("/run/vm.sock"), "unix:/run/vm.sock"),
        ("unix:a b,c", UnixTarget("a b,c"), "unix:a b,c"),
        ("unix:/run/q,server=on,wait=off", UnixTarget("/run/q"), "unix:/run/q"),
        ("unix:/run/q,server,nowait", UnixTarget("/run/q"), "unix:/run/q"),
        ("tcp:localhost:4444", TcpTarget("localhost", 4444), "tcp:localhost:4444"),
        ("tcp::4444,server=on,wait=off", TcpTarget("localhost", 4444), "tcp:localhost:4444"),
        ("tcp:[::1]:65535", TcpTarget("::1", 65535), "tcp:[::1]:65535"),
        ("libvirt:vm", LibvirtTarget("vm"), "libvirt:vm"),
        ("libvirt:my vm:2", LibvirtTarget("my vm:2"), "libvirt:my vm:2"),
        ("libvirt+qemu:///session:vm", LibvirtTarget("vm", "qemu:///session"),
         "libvirt+qemu:///session:vm"),
        ("libvirt+qemu+ssh://root@host:22/system:vm",
         LibvirtTarget("vm", "qemu+ssh://root@host:22/system"),
         "libvirt+qemu+ssh://root@host:22/system:vm"),
    ],
)  # fmt: skip
def test_each_form_is_read_and_written(text, target, again):
    assert parse_target(text) == target
    assert str(target) == again
    assert parse_target(again) == target


@pytest.mark.parametrize(
    "text",
    ["unix:", "unix:,server=on", "tcp:", "tcp:host", "tcp:host:", "tcp:host:port", "tcp:h:0",
     "tcp:h:65536", "tcp:::1:4444", "tcp:[::1]", "libvirt:", "libvirt+:vm", "libvirt+qemu",
     "libvirt+qemu:///system:"],
)  # fmt: skip
def test_a_form_begun_but_not_finished_is_refused(text):
    with pytest.raises(ConfigError, match="write "):
        parse_target(text)


@pytest.mark.parametrize(
    "text", ["map.txt", "C:\\map.txt", "", "-", "/etc/passwd", "a\0b", "unixy"]
)
def test_anything_else_is_no_machine(text):
    assert parse_target(text) is None
    with pytest.raises(ConfigError, match="unix:PATH"):
        attach(text)


def test_a_path_to_a_socket_is_a_machine(tmp_path):
    path = tmp_path / "qmp"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert parse_target(str(path)) == UnixTarget(str(path))
