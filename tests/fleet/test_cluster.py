"""A cluster of our own: who can reach it, and what is left of it."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import dask
import psutil
import pytest

from guestmap.base import HostError
from guestmap.fleet.cluster import ClusterSettings, opened
from tests.support.processes import popen

_LISTEN = "0A"  # proc(5), /proc/net/tcp


def listening() -> set[tuple[str, int]]:
    """Return where this process and those that it started listen: address and port."""
    us = psutil.Process()
    inodes = set()
    for process in (us, *us.children(recursive=True)):
        folder = Path(f"/proc/{process.pid}/fd")
        for each in folder.iterdir():
            try:
                target = os.readlink(each)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in inodes:
                address, port = fields[1].split(":")
                words = bytes.fromhex(address)
                swapped = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
                found.add((str(ipaddress.ip_address(swapped)), int(port, 16)))
    return found


def answers_http(port: int, path: str) -> int:
    """Return the status with which a port answers HTTP; 0 where it does not."""
    try:
        url = f"http://127.0.0.1:{port}{path}"
        with urllib.request.urlopen(url, timeout=5) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except (OSError, ValueError):
        return 0


PATHS = ("/", "/status", "/info/main/workers.html", "/json/identity.json", "/health", "/metrics")


@pytest.mark.parametrize(
    "processes", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["threads", "processes"]
)
def test_it_listens_on_loopback_alone_and_serves_nothing_unasked(processes):
    before = listening()
    with opened(ClusterSettings(processes=processes, workers=1)) as client:
        assert client.submit(int, "7").result(30) == 7
        found = listening() - before
        assert len(found) >= 2
        assert all(ipaddress.ip_address(address).is_loopback for address, _ in found), found
        for _, port in found:
            assert {answers_http(port, path) for path in PATHS} <= {0, 404}
    assert listening() == before


def test_its_pages_are_served_where_they_are_asked_for_on_loopback():
    before = listening()
    with opened(ClusterSettings(processes=False, workers=1, dashboard=True)) as client:
        found = listening() - before
        assert all(ipaddress.ip_address(address).is_loopback for address, _ in found)
        assert client.dashboard_link.startswith("http://127.0.0.1:")
        port = int(client.dashboard_link.split(":")[2].split("/")[0])
        assert answers_http(port, "/info/main/workers.html") == 200


@pytest.mark.slow
def test_its_workers_are_measured_only_for_who_looks_at_the_pages():
    for dashboard in (False, True):
        with opened(ClusterSettings(workers=1, dashboard=dashboard)) as client:
            told = client.run(dask.config.get, "distributed.worker.profile.enabled")
        assert list(told.values()) == [dashboard]


def test_nobody_is_let_in_without_the_runs_own_key():
    with opened(ClusterSettings(processes=False, workers=1)) as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        port = int(address.rsplit(":", 1)[1])
        with pytest.raises(OSError, match=r"EOF|alert|reset|closed"):
            _talk_without_a_certificate(port)
        assert client.submit(int, "7").result(30) == 7


def _talk_without_a_certificate(port: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as bare,
        context.wrap_socket(bare) as wrapped,
    ):
        wrapped.sendall(b"x" * 64)  # TLS 1.3 tells of a missing certificate with its first answer
        if not wrapped.recv(4096):
            raise OSError("closed")


@pytest.mark.parametrize("processes", [False, True])
def test_a_host_without_room_for_what_is_temporary_is_the_hosts_fault(processes, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)
    settings = ClusterSettings(processes=processes, workers=1)
    with pytest.raises(HostError, match=r"does not let workers start .*TMPDIR"), opened(settings):
        pass


def test_two_runs_have_two_keys():
    keys = set()
    for _ in range(2):
        with opened(ClusterSettings(processes=False, workers=1)) as client:
            keys.add(client.security.tls_client_key)
    assert len(keys) == 2


@pytest.mark.peers
@pytest.mark.slow
def test_nothing_is_left_after_ctrl_c(tmp_path):
    program = (
        "import os, signal, threading\n"
        "from guestmap.fleet.cluster import ClusterSettings, opened\n"
        "if __name__ == '__main__':\n"
        "    with opened(ClusterSettings(workers=2)) as client:\n"
        "        import psutil\n"
        "        print(*(p.pid for p in psutil.Process().children(recursive=True)), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        threading.Event().wait(30)\n"
    )
    (tmp_path / "run.py").write_text(program)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run.py")], capture_output=True, text=True, timeout=90,
        check=False,
    )  # fmt: skip
    children = [int(word) for word in done.stdout.split()]
    assert len(children) >= 2, done
    until = time.monotonic() + 20
    while any(psutil.pid_exists(each) for each in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [each for each in children if psutil.pid_exists(each)]


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.parametrize("count", [4, 40], ids=["threads", "processes"])
def test_an_audit_that_waits_ends_at_ctrl_c_and_leaves_nothing(count, tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen(200)
        fleet = tmp_path / "fleet.toml"
        fleet.write_text(
            "".join(
                f'[[machine]]\nname = "m{number}"\nsource = "unix:{tmp_path}/silent"\n'
                for number in range(count)
            )
        )
        command = [sys.executable, "-m", "guestmap", "fleet", "audit", str(fleet)]
        command += ["--retries", "100", "--timeout", "600", "-o", str(tmp_path / "kept")]
        with popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as audit:
            silent.settimeout(60)
            held, _ = silent.accept()  # it is asking
            children = psutil.Process(audit.pid).children(recursive=True)
            assert len(children) >= (2 if count > 32 else 0)
            audit.send_signal(signal.SIGINT)
            out, err = audit.communicate(timeout=60)
            held.close()
    assert (audit.returncode, out, err) == (130, "", "guestmap: interrupted\n")
    until = time.monotonic() + 20
    while any(each.is_running() for each in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [each for each in children if each.is_running()]
    assert not (tmp_path / "kept" / "audit.jsonl").exists()
