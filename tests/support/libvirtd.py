"""A real libvirtd with everything that it writes in a mount and network namespace of its own.

Its folders are overlays on memory, its users are in its own /etc/passwd, its /dev has no kvm where
none is asked for, and the only emulator that it finds is the one that it is given: it probes each
that it finds, and where there is a /dev/kvm and its QEMU has no KVM, again at each look-up.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from guestmap.domain.rules.texts import LibvirtDialect
from tests.support.needs import skip_without
from tests.support.processes import popen

_T = TypeVar("_T")
ROOT = Path(__file__).parents[2] / ".oracle" / "libvirt"
"""The distribution's own libvirt, whose Python module is every client."""
NEWER = ROOT.with_name("libvirt-new")
"""That of a newer release."""
DIALECTS = [
    pytest.param((LibvirtDialect.V9, ROOT), id="9.0"),
    pytest.param((LibvirtDialect.V12, NEWER), id="12.9", marks=pytest.mark.long),
]
"""What each writes, and where it is: for tests that compare our texts with both."""
_LIBRARIES = ("libyajl.so.2", "libnl-route-3.so.200", "libssh.so.4", "libssh2.so.1", "libxml2.so.2",
              "libvirt.so.0", "libvirt-qemu.so.0")  # fmt: skip
_SENT = re.compile(r"QEMU_MONITOR_SEND_MSG: mon=\S+ msg=(\{.*\})")
_ERROR = re.compile(r": error : (\w+):\d+ : (?!Unable to open /dev/kvm)")
_STARTING = r"""
set -e
mount -t tmpfs none "$WORK/up"
for each in etc var run usr/share usr/lib; do
    mkdir -p "$WORK/up/u/$each" "$WORK/up/w/$each"
    mount -t overlay overlay \
        -o "lowerdir=/$each,upperdir=$WORK/up/u/$each,workdir=$WORK/up/w/$each" "/$each"
done
echo "libvirt-qemu:x:64055:64055::/:/bin/false" >>/etc/passwd
echo "libvirt-qemu:x:64055:" >>/etc/group
mkdir -p /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /run/libvirt
mkdir -p /usr/share/libvirt
cp -r "$ROOT/usr/share/libvirt/." /usr/share/libvirt/
mkdir -p /usr/lib/libvirt
helper=/usr/lib/libvirt/libvirt_iohelper
cat >$helper <<END
#!/bin/sh
LD_LIBRARY_PATH=$OWN/usr/lib/x86_64-linux-gnu exec $OWN$helper "\$@"
END
chmod +x $helper
cp "$WORK/qemu.conf" /etc/libvirt/qemu.conf
mkdir -p "$WORK/up/dev/pts" "$WORK/up/dev/shm"
for each in null zero full random urandom tty $KVM; do
    : >"$WORK/up/dev/$each"
    mount --bind "/dev/$each" "$WORK/up/dev/$each"
done
mount --bind /dev/pts "$WORK/up/dev/pts"
mount --bind /dev/shm "$WORK/up/dev/shm"
ln -s pts/ptmx "$WORK/up/dev/ptmx"
ln -s /proc/self/fd "$WORK/up/dev/fd"
mount --rbind "$WORK/up/dev" /dev
if [ -d "$WORK/huge" ]; then
    mount -t hugetlbfs -o pagesize=2M none "$WORK/huge"
fi
"""
_RUNNING = """
ip link set lo up
PATH=$WORK/bin:/usr/sbin:/sbin:/bin exec "$DAEMON" $LISTEN -f "$WORK/libvirtd.conf" -p "$WORK/pid"
"""
_QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
cgroup_controllers = []
stdio_handler = "file"
namespaces = []
hugetlbfs_mount = [{huge}]
"""
_DAEMON_CONF = """\
listen_tls = {tls}
unix_sock_dir = "{work}"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_filters = "{level}:qemu.qemu_monitor"
log_outputs = "{level}:file:{work}/log"
host_uuid = "11111111-2222-3333-4444-555555555555"
"""
_TLS_CONF = """\
listen_addr = "127.0.0.1"
ca_file = "{keys}/ca-cert.pem"
cert_file = "{keys}/server-cert.pem"
key_file = "{keys}/server-key.pem"
"""
_CLONE_NEWNET = 0x40000000


class Libvirtd:
    """A daemon that runs.

    Attributes:
        module: libvirt-python.
        connection: to it.
        process: its number.
        daemon: the process.
    """

    def __init__(
        self, work: Path, daemon: subprocess.Popen[Any], environment: dict[str, str]
    ) -> None:
        self.daemon, self.process = daemon, daemon.pid
        self._work, self._environment = work, environment
        self._log = work / "log"
        self.module = client_module()
        self.module.registerErrorHandler(lambda _context, _error: None, None)
        self.connection = self._connected()
        self._place = 0
        self.sent()

    def restart(self) -> None:
        """End the daemon, start it anew where it was, and connect again; domains run on."""
        self.connection.close()
        with ExitStack() as stack:
            numbers = [
                stack.enter_context(open(f"/proc/{self.process}/ns/{name}")).fileno()
                for name in ("mnt", "net")
            ]
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(20)
            mount, net = (f"/proc/self/fd/{each}" for each in numbers)
            command = ["nsenter", f"--mount={mount}", f"--net={net}", "sh", "-c", _RUNNING]
            with (self._work / "out").open("ab") as out:
                self.daemon = popen(
                    command, env=self._environment, stdout=out, stderr=out, pass_fds=numbers
                )
        self.process = self.daemon.pid
        self.connection = self._connected()

    @property
    def uri(self) -> str:
        """Where it is, for libvirt's clients."""
        return f"qemu+unix:///system?socket={self.socket}"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._work / "libvirt-sock"

    def _connected(self) -> Any:
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.module.open(self.uri)
            except self.module.libvirtError:
                assert self.daemon.poll() is None, (self._work / "out").read_text()
                assert time.monotonic() < deadline, "libvirtd does not start"
                time.sleep(0.05)

    def errors(self) -> set[str]:
        """Return the functions of libvirt that have complained so far; of more than no KVM here."""
        return set(_ERROR.findall(self._log.read_text(errors="replace")))

    def sent(self, *, with_ids: bool = False) -> list[dict[str, Any]]:
        """Return the commands that were sent to machines since the last call."""
        with self._log.open(errors="replace") as file:
            file.seek(self._place)
            lines = file.readlines()
            self._place = file.tell()
        found = []
        for line in lines:
            if (match := _SENT.search(line)) is not None:
                told = json.loads(match[1])
                if not with_ids:
                    told.pop("id", None)
                found.append(told)
        return found


@contextmanager
def libvirtd(
    work: Path,
    emulator: str,
    *,
    root: Path = ROOT,
    watched: bool = True,
    huge: bool = False,
    keys: Path | None = None,
    kvm: bool = False,
) -> Iterator[Libvirtd]:
    """Run a daemon for the time of a ``with``; skip where it cannot be had.

    Args:
        work: an empty folder for it.
        emulator: the only one that it finds.
        root: where it was unpacked.
        watched: it logs what it sends, which costs it time.
        huge: it finds huge pages of 2 MiB in ``work/huge``, of which there need not be any.
        keys: certificates (:func:`tests.support.certificates.write_certificates`), with which it
            listens on its own network's loopback: see :func:`in_network_of`.
        kvm: it has the host's /dev/kvm.
    """
    _require(root)
    (work / "bin").mkdir()
    (work / "up").mkdir()
    (work / "bin" / "qemu-system-x86_64").symlink_to(emulator)
    if huge:
        (work / "huge").mkdir()
    found = f'"{work}/huge"' if huge else ""
    (work / "qemu.conf").write_text(_QEMU_CONF.replace("{huge}", found))
    conf = _DAEMON_CONF.format(work=work, level=1 if watched else 3, tls=int(keys is not None))
    if keys is not None:
        conf += _TLS_CONF.format(keys=keys)
    (work / "libvirtd.conf").write_text(conf)
    environment = {
        **os.environ,
        "WORK": str(work),
        "ROOT": str(root),
        "OWN": str(ROOT),
        "KVM": "kvm" if kvm else "",
        **_daemon(root),
    }
    environment["LISTEN"] = "" if keys is None else "-l"
    command = ["unshare", "-m", "-n", "--propagation", "private", "sh", "-c", _STARTING + _RUNNING]
    with (work / "out").open("wb") as out:
        process = popen(command, env=environment, stdout=out, stderr=out)
    daemon = None
    try:
        daemon = Libvirtd(work, process, environment)
        yield daemon
        for each in daemon.connection.listAllDomains():
            with suppress(daemon.module.libvirtError):
                each.destroy()
        daemon.connection.close()
    finally:
        process = process if daemon is None else daemon.daemon
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def in_network_of(daemon: Libvirtd, work: Callable[[], _T], patience_s: float = 60.0) -> _T:
    """Return what ``work`` returns, done in a thread that is in the daemon's network.

    Threads that it starts are there too; processes are as well.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def there() -> _T:
        with open(f"/proc/{daemon.process}/ns/net") as network:
            assert not libc.setns(network.fileno(), _CLONE_NEWNET), os.strerror(ctypes.get_errno())
        return work()

    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(there).result(patience_s)
    finally:
        pool.shutdown(wait=False)


def _daemon(root: Path) -> dict[str, str]:
    """Return what starts the daemon: another release's has a starter, with libraries of its own."""
    starter = root / "starters/libvirtd"
    if starter.is_file():
        return {"DAEMON": str(starter)}
    libraries = root / "usr/lib/x86_64-linux-gnu"
    return {
        "DAEMON": str(root / "usr/sbin/libvirtd"),
        "LD_LIBRARY_PATH": str(libraries),
        "LIBVIRT_DRIVER_DIR": str(libraries / "libvirt/connection-driver"),
        "LIBVIRT_STORAGE_BACKEND_DIR": str(libraries / "libvirt/storage-backend"),
    }


def _require(root: Path) -> None:
    lacking = ""
    missing = [each for each in (ROOT, root) if not (each / "usr/sbin/libvirtd").is_file()]
    if missing:
        lacking = f"needs libvirt in {missing[0]} (tools/setup.sh peers)"
    elif sys.version_info[:2] != (3, 11):
        lacking = "needs the Python that the distribution's libvirt-python is for (3.11)"
    elif subprocess.run(
        ["unshare", "-m", "-n", "true"], capture_output=True, check=False
    ).returncode:
        lacking = "needs namespaces of its own (root)"
    if lacking:
        skip_without("peers", lacking)


def client_module() -> Any:
    """Return libvirt-python, its libraries from beside it."""
    for name in _LIBRARIES:
        ctypes.CDLL(str(ROOT / "usr/lib/x86_64-linux-gnu" / name), ctypes.RTLD_GLOBAL)
    packages = str(ROOT / "usr/lib/python3/dist-packages")
    if packages not in sys.path:
        sys.path.append(packages)
    import libvirt

    return libvirt
