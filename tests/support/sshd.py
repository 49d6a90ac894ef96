"""A real OpenSSH server beside a real libvirt, with new keys; no user's ~/.ssh is looked at.

It is in the daemon's mount and network namespaces, where all that it writes is memory's and its
port is nobody else's. Whoever shows the key is a user of that namespace alone, who can do as root
does there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.libvirtd import ROOT as LIBVIRT
from tests.support.libvirtd import Libvirtd
from tests.support.needs import skip_without
from tests.support.processes import popen

ROOT = Path(__file__).parents[2] / ".oracle" / "openssh"
USER = "operator"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_STARTING = """
set -e
cp -r "$SSH/usr/lib/." /usr/lib/
echo "sshd:x:64056:65534::/run/sshd:/bin/false" >>/etc/passwd
echo "$USER_NAME:x:0:0::$WORK:/bin/sh" >>/etc/passwd
mkdir -p -m 755 /run/sshd
ln -sf "$SOCKET" /run/libvirt/libvirt-sock
exec "$SSH/usr/sbin/sshd" -D -e -f "$WORK/sshd_config"
"""
_HELPER = f"""\
#!/bin/sh
LD_LIBRARY_PATH='{LIBVIRT}/{_LIBRARIES}' exec '{LIBVIRT}/usr/bin/virt-ssh-helper' "$@"
"""
_SERVER = """\
ListenAddress 127.0.0.1:22
HostKey {work}/host
AuthorizedKeysFile {work}/known_users
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitUserRC no
PidFile none
SetEnv PATH={work}/bin:/usr/bin:/bin
"""
_CLIENT = """\
User {user}
IdentityFile {keys}/client
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile {keys}/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
"""


class Sshd:
    """A server that runs.

    Attributes:
        process: it.
    """

    def __init__(self, work: Path, daemon: Libvirtd) -> None:
        self._work, self._daemon = work, daemon
        self._host = write_key(work / "host")
        self._client = write_key(work / "client")
        (work / "known_users").write_text(f"{self._client}\n")
        (work / "sshd_config").write_text(_SERVER.format(work=work))
        (work / "bin").mkdir()
        _write_program(work / "bin" / "virt-ssh-helper", _HELPER)
        environment = {**os.environ, "WORK": str(work), "SSH": str(ROOT), "USER_NAME": USER,
                       "SOCKET": str(daemon.socket)}  # fmt: skip
        command = [
            "nsenter",
            f"--target={daemon.process}",
            "--mount",
            "--net",
            "sh",
            "-c",
            _STARTING,
        ]
        with (work / "log").open("wb") as log:
            self.process: subprocess.Popen[Any] = popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def started(self) -> None:
        """Wait until it listens."""
        deadline = time.monotonic() + 30
        while "listening" not in (told := (self._work / "log").read_text()):
            assert self.process.poll() is None, told
            assert time.monotonic() < deadline, f"sshd does not start: {told}"
            time.sleep(0.05)

    def uri(self, folder: Path, *, key: str = "", host_key: str = "") -> str:
        """Return where the daemon is for who has a key, and believes in a server's.

        Args:
            folder: for the client's settings.
            key: a file with the client's; "": the right one.
            host_key: what it takes the server's for; "": what it is.
        """
        folder.mkdir(parents=True, exist_ok=True)
        mine = Path(key) if key else self._work / "client"
        (folder / "client").write_bytes(mine.read_bytes())
        (folder / "client").chmod(0o600)
        (folder / "known_hosts").write_text(f"localhost {host_key or self._host}\n")
        (folder / "config").write_text(_CLIENT.format(user=USER, keys=folder))
        program = f"#!/bin/sh\nexec '{ROOT}/usr/bin/ssh' -F '{folder}/config' \"$@\"\n"
        _write_program(folder / "ssh", program)
        return f"qemu+ssh://localhost/system?command={folder}/ssh&no_tty=1"

    def close(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(20)


@contextmanager
def sshd(work: Path, daemon: Libvirtd) -> Iterator[Sshd]:
    """Run a server beside a libvirt for the length of a ``with``; skip where it cannot be had.

    Args:
        work: an empty folder for it.
        daemon: the libvirt that whoever comes in speaks to.
    """
    if not (ROOT / "usr/sbin/sshd").is_file():
        skip_without("peers", f"needs OpenSSH in {ROOT} (tools/setup.sh peers)")
    server = Sshd(work, daemon)
    try:
        server.started()
        yield server
    finally:
        server.close()


def write_key(path: Path) -> str:
    """Write a key that is made now; return what others know it by."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
    )
    path.chmod(0o600)
    form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return key.public_key().public_bytes(*form).decode()


def _write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
