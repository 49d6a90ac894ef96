"""Hosts of a fleet: network namespaces with real QEMUs in them, and Dask's own programs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from guestmap.firmware import find_bios
from tests.support.processes import popen
from tests.support.qemu import require_qemu

PATIENCE_S = 60.0


def require_hosts() -> None:
    """Skip where no network namespace can be made: that takes root, ip and nsenter."""
    lacking = [name for name in ("ip", "nsenter", "unshare") if shutil.which(name) is None]
    if os.geteuid() != 0 or lacking:
        pytest.skip(f"needs root, and ip, nsenter, unshare (without: {lacking})")


def until(holds: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Return the first thing that holds."""
    end = time.monotonic() + patience_s
    while not (found := holds()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return found


class Machines:
    """QEMUs, small, with room for DIMMs; no guest RAM is touched where no guest runs.

    Args:
        folder: for their sockets.
        option_rom: a guest's; None: they stay at the reset vector.
    """

    def __init__(self, folder: Path, option_rom: Path | None = None) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._rom = option_rom

    def start(self, name: str, qmp: str, prefix: Sequence[str] = ()) -> None:
        """Start one, whose monitor is at ``qmp``."""
        command = [
            *prefix, require_qemu(), "-L", str(find_bios(None).parent), "-accel", "tcg",
            "-M", "pc", "-nodefaults", "-vga", "none", "-display", "none",
            "-m", "64M,slots=4,maxmem=2G", "-qmp", f"{qmp},server=on,wait=off",
        ]  # fmt: skip
        command += ["-S"] if self._rom is None else ["-option-rom", str(self._rom)]
        self.processes[name] = popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self) -> None:
        """End them all."""
        for each in self.processes.values():
            each.kill()
        for each in self.processes.values():
            each.wait(PATIENCE_S)


class SimulatedHost:
    """A network namespace, with a wire to ours.

    Args:
        number: 1 to 250; it becomes a part of its address.
    """

    def __init__(self, number: int) -> None:
        self.name = f"host{number}"
        self.address = f"10.213.{number}.2"
        self.wire = f"gmf{number}-{os.getpid() % 10000}"
        ours, theirs = f"10.213.{number}.1/24", f"{self.address}/24"
        self._keeper = popen(["unshare", "--net", "sleep", "infinity"])
        self.prefix = ["nsenter", "--net", f"--target={self._keeper.pid}"]
        own = os.readlink("/proc/self/ns/net")
        until(lambda: os.readlink(f"/proc/{self._keeper.pid}/ns/net") != own, "a namespace")
        _run("ip", "link", "add", self.wire, "type", "veth", "peer", "name", "eth0",
             "netns", str(self._keeper.pid))  # fmt: skip
        _run("ip", "address", "add", ours, "dev", self.wire)
        _run("ip", "link", "set", self.wire, "up")
        for words in (("address", "add", theirs, "dev", "eth0"), ("link", "set", "eth0", "up"),
                      ("link", "set", "lo", "up")):  # fmt: skip
            _run(*self.prefix, "ip", *words)

    def cut(self) -> None:
        """Take the wire away: what is sent gets no answer, not even a refusal."""
        _run(*self.prefix, "ip", "link", "set", "eth0", "down")

    def close(self) -> None:
        """End it; who is in it keeps it a while longer."""
        subprocess.run(["ip", "link", "del", self.wire], check=False, capture_output=True)
        self._keeper.kill()
        self._keeper.wait(PATIENCE_S)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE_S)


@contextmanager
def hosts(count: int) -> Iterator[list[SimulatedHost]]:
    """Have hosts for the length of a ``with``."""
    require_hosts()
    with ExitStack() as stack:
        found = []
        for number in range(1, count + 1):
            host = SimulatedHost(number)
            stack.callback(host.close)
            found.append(host)
        yield found


class DaskPrograms:
    """A scheduler and workers of Dask's own programs, on loopback, over TLS.

    Args:
        folder: for keys and addresses.
    """

    def __init__(self, folder: Path) -> None:
        from distributed.security import Security

        keys = Security.temporary()
        self.folder = folder
        self.files = {"ca": folder / "ca.pem", "cert": folder / "cert.pem", "key": folder / "k.pem"}
        self.files["ca"].write_text(keys.tls_ca_file)
        self.files["cert"].write_text(keys.tls_client_cert)
        self.files["key"].write_text(keys.tls_client_key)
        self._tls = ["--tls-ca-file", str(self.files["ca"]), "--tls-cert", str(self.files["cert"]),
                     "--tls-key", str(self.files["key"])]  # fmt: skip
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.scheduler: subprocess.Popen[bytes] | None = None
        self._programs: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def start(self) -> None:
        """Start a scheduler."""
        found = Path(tempfile.mkdtemp(dir=self.folder)) / "scheduler.json"
        self.scheduler = self._program(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--protocol", "tls",
            "--dashboard-address", "127.0.0.1:0", "--no-dashboard", "--scheduler-file", str(found),
        )  # fmt: skip

        def address() -> str:
            import json

            try:
                told: str = json.loads(found.read_bytes())["address"]
            except (OSError, ValueError, KeyError):
                return ""
            return told

        self.address = until(address, "the scheduler's address")

    def work(self, name: str, **environment: str) -> None:
        """Start a worker of a name."""
        self.workers[name] = self._program(
            "worker", self.address, "--name", name, "--nthreads", "4", "--no-nanny",
            "--no-dashboard", "--dashboard-address", "127.0.0.1:0", "--host", "127.0.0.1",
            "--death-timeout", "10", "--local-directory", str(self.folder),
            environment=environment,
        )  # fmt: skip

    def options(self) -> list[str]:
        """Return what names it on guestmap's command line."""
        files = self.files
        words = {"--tls-ca": files["ca"], "--tls-cert": files["cert"], "--tls-key": files["key"]}
        named = [word for option, path in words.items() for word in (option, str(path))]
        return ["--scheduler", self.address, *named]

    def close(self) -> None:
        """End them all."""
        for each in self._programs:
            each.kill()
        for each in self._programs:
            each.wait(PATIENCE_S)

    def _program(
        self, kind: str, *words: str, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", kind, *words, *self._tls]
        with (self.folder / f"{kind}.log").open("ab") as log:
            program = popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip
        self._programs.append(program)
        return program


def stopped(process: subprocess.Popen[bytes]) -> None:
    """Stop a process, as a debugger does."""
    process.send_signal(signal.SIGSTOP)
