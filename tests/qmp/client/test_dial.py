"""Connecting: what the operating system says, and what that means."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from guestmap.base import HostError, PeerError
from guestmap.inspect.sources.live import attach
from guestmap.qmp.client import TcpTarget, UnixTarget
from guestmap.qmp.client.dial import busy, dial, listener_of
from tests.qmp.client.peer import LONG_S, NEVER_S
from tests.support.processes import popen


def test_nothing_there(tmp_path):
    with pytest.raises(HostError, match="no such socket; is the machine running"):
        attach(UnixTarget(str(tmp_path / "none")))


def test_a_socket_left_behind(tmp_path):
    path = str(tmp_path / "old")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
    with pytest.raises(HostError, match="nobody listens there"):
        attach(path)


def test_a_port_where_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, so that nobody else can listen there meanwhile
        port = taken.getsockname()[1]
        with pytest.raises(HostError, match="nobody listens there") as caught:
            attach(TcpTarget("127.0.0.1", port))
    assert caught.value.call == "connect"


def test_a_path_too_long_for_a_socket():
    with pytest.raises(HostError, match="too long"):
        attach("unix:/" + "x" * 200)


@pytest.mark.parametrize("source", ["tcp:a..b:1", f"tcp:{'a' * 64}:1", "tls:.b:1"])
def test_a_name_that_no_host_can_have(source):
    with pytest.raises(HostError, match=r"no host can have that name") as caught:
        attach(source)
    assert caught.value.call == "connect"


@pytest.fixture
def nobody():
    """Be somebody who may not open everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


def test_a_socket_of_another_user(nobody):
    path = tempfile.mkdtemp() + "/theirs"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        Path(path).chmod(0)
        with pytest.raises(HostError, match="belongs to another user"):
            dial(UnixTarget(path), NEVER_S)
    shutil.rmtree(Path(path).parent)


@pytest.fixture
def full_queue(tmp_path):
    """A unix socket whose queue of connections is full, as QEMU's is when two clients wait."""
    path = str(tmp_path / "full")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        with dial(UnixTarget(path), NEVER_S):
            yield path, listener


def test_a_full_queue_is_a_busy_monitor(full_queue):
    with pytest.raises(PeerError, match=r"queue up already.*one client"):
        attach(full_queue[0], greeting_s=NEVER_S)


def test_a_place_in_the_queue_that_becomes_free_is_taken(full_queue):
    path, listener = full_queue
    goes = threading.Timer(0.2, lambda: listener.accept()[0].close())
    goes.start()
    with dial(UnixTarget(path), 60):
        goes.join()


def test_a_silent_listener_is_named(tmp_path):
    path = str(tmp_path / "silent")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with pytest.raises(PeerError, match=f"opened by .*, process {os.getpid()}\\b"):
            attach(path, greeting_s=NEVER_S)


def test_a_silent_listener_over_tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PeerError, match=f"tcp:127.0.0.1:{port}: connected, but no QMP"):
            attach(f"tcp:127.0.0.1:{port}", greeting_s=NEVER_S)


@pytest.mark.parametrize("folder", ["/var/lib/libvirt/qemu", "/home/me/.config/libvirt/qemu/lib"])
def test_libvirts_own_socket_is_recognised(folder):
    path = f"{folder}/domain-3-web1/monitor.sock"
    text = str(busy(UnixTarget(path), "silent", None))
    assert "libvirt's own: use libvirt:web1" in text
    assert "--hmp web1" in text


def test_a_listener_that_is_stopped_is_told_from_one_that_is_held(tmp_path):
    path = str(tmp_path / "qmp")
    program = (
        "import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]);"
        "s.listen(); print(flush=True); time.sleep(1000)"
    )
    with popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            with dial(UnixTarget(path), LONG_S) as connection:
                awake = listener_of(connection)
                assert awake is not None
                assert (awake.process, awake.is_stopped) == (process.pid, False)
                process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, process.pid, os.WSTOPPED)
                stopped = listener_of(connection)
        finally:
            process.kill()
    assert stopped is not None
    text = str(busy(UnixTarget(path), "no greeting", stopped))
    assert f"kill -CONT {process.pid}" in text
    assert "another one holds it" not in text
