"""A stock Linux, in a real QEMU or on our own engine, told what to do over its serial port.

The kernel, busybox and the guest agent are Debian's, as ``tools/linux_guest.sh`` unpacks them.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.initramfs import Initramfs
from tests.support.processes import popen
from tests.support.qemu import require_qemu

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PARTS = Path(__file__).parents[2] / ".oracle" / "linux"
PARTS_686 = PARTS.with_name("linux-686")
"""A 32-bit one's, which has no agent (``tools/linux_686.sh``)."""

DEBIAN = PARTS.with_name("debian")
"""A whole one's disk, its kernel and its initial RAM disk (``tools/debian_disk.sh``)."""

_BOOT_S = 240
_FROM_DISK_S = 900
_ANSWER_S = 60
_MARK = re.compile(rb"-- (\w+) --\r*\n\Z")
"""What the guest ends an answer with, line feed and all: the next one begins behind it."""

_APPEND = "console=ttyS0 quiet loglevel=1 panic=-1"

_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for each in /modules/*.ko; do insmod $each 2>/dev/null || true; done
if [ -e /sbin/qemu-ga ]; then
    mkdir -p /run /var/run
    LD_LIBRARY_PATH=/lib qemu-ga -d -m isa-serial -p /dev/ttyS1 -t /run 2>/dev/null >&2
fi
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty raw -echo
echo "-- ready --"
while read -r line; do
    eval "$line"
    echo "-- $? --"
done
"""
_SHELL = """stty raw -echo; echo '-- ready --'; while read -r line
do eval "$line"; echo "-- $? --"; done
"""
"""A login's shell, as ``_INIT`` goes on."""


class LinuxGuest:
    """A running guest.

    Attributes:
        qmp: path of the monitor's socket.
        agent: path of the guest agent's socket.
        process: QEMU.
    """

    def __init__(
        self, folder: Path, process: subprocess.Popen[bytes], *, boots: bool = True
    ) -> None:
        self.qmp, self.agent = folder / "qmp", folder / "agent"
        self.process = process
        self._serial = _connected(folder / "serial")
        self._serial.settimeout(_BOOT_S)
        self._text = b""
        if boots:
            assert self._answer()[1] == b"ready"
        self._serial.settimeout(_ANSWER_S)

    def log_in(self, name: str, *, boots_s: float) -> None:
        """Wait for a login that asks for no password; then lines of shell can be run.

        Args:
            name: who logs in.
            boots_s: how long it may take until the login is there.
        """
        self._serial.settimeout(boots_s)
        self._wait_for(b"login: ")
        self._serial.sendall(name.encode() + b"\n")
        self._wait_for(b"# ")
        self._serial.settimeout(_ANSWER_S)
        self._serial.sendall(_SHELL.encode())
        assert self._answer()[1] == b"ready"

    def _wait_for(self, words: bytes) -> None:
        self._text = b""
        while words not in self._text:
            some = self._serial.recv(4096)
            assert some, self._text
            self._text += some

    def run(self, command: str) -> str:
        """Run a line of shell in the guest and return what it prints.

        Raises:
            AssertionError: it ends with another status than 0.
        """
        self.begin(command)
        return self.end()

    def begin(self, command: str) -> None:
        """Have the guest begin a line of shell."""
        self._text = b""
        self._serial.sendall(command.encode() + b"\n")

    def end(self) -> str:
        """Wait for the end of what was begun, and return what it has printed.

        Raises:
            AssertionError: it ends with another status than 0.
        """
        text, status = self._answer()
        assert status == b"0", (status, text)
        return text.decode(errors="replace").replace("\r\n", "\n")

    @property
    def memory(self) -> int:
        """What the guest's kernel manages, in bytes (MemTotal)."""
        return int(self.run("grep MemTotal /proc/meminfo").split()[1]) << 10

    def until(self, command: str, wanted: str) -> None:
        """Wait until a command prints something."""
        deadline = time.monotonic() + _ANSWER_S
        while wanted not in (said := self.run(command)):
            assert time.monotonic() < deadline, said
            time.sleep(0.2)

    def close(self) -> None:
        """Close the serial port."""
        self._serial.close()

    def _answer(self) -> tuple[bytes, bytes]:
        """Return what the guest writes up to its next mark, and the mark's word."""
        while (mark := _MARK.search(self._text)) is None:
            some = self._serial.recv(4096)
            assert some, self._text
            self._text += some
        return self._text[: mark.start()], mark[1]


def _connected(path: Path) -> socket.socket:
    """Connect to a socket that is there, but may not be listened at yet."""
    deadline = time.monotonic() + _ANSWER_S
    while True:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(str(path))
        except ConnectionRefusedError:
            made.close()
            assert time.monotonic() < deadline, path
            time.sleep(0.05)
        else:
            return made


def prepared(
    folder: Path, *, agent: bool = True, modules: tuple[str, ...] = ()
) -> tuple[Path, Path, str]:
    """Return what a guest is booted from: kernel, initial RAM disk, command line; skip without."""
    kernel = _kernel()
    (folder / "initrd").write_bytes(_initramfs(modules, agent=agent).image())
    return kernel, folder / "initrd", _APPEND


@contextmanager
def linux(folder: Path, *args: str, modules: tuple[str, ...] = ()) -> Iterator[LinuxGuest]:
    """Boot the guest; skip, with a reason, where its parts are missing.

    Args:
        folder: for its sockets and its initramfs.
        args: more of QEMU's command line.
        modules: kernel modules to load, by name, in order.
    """
    command = [require_qemu(), "-M", "pc", "-accel", "tcg", "-display", "none", "-nodefaults"]
    command += ["-no-reboot", "-kernel", str(_kernel())]
    (folder / "initrd").write_bytes(_initramfs(modules).image())
    command += ["-initrd", str(folder / "initrd"), "-append", _APPEND]
    for name in ("serial", "agent"):
        command += ["-serial", f"unix:{folder / name},server=on,wait=off"]
    command += ["-qmp", f"unix:{folder / 'qmp'},server=on,wait=off", *args]
    with _running(folder, command, "agent") as guest:
        yield guest


@contextmanager
def linux_on_our_engine(
    folder: Path,
    *args: str,
    parts: Path = PARTS,
    programs: Mapping[str, bytes] | None = None,
    modules: tuple[str, ...] = (),
) -> Iterator[LinuxGuest]:
    """Boot the guest with ``guestmap boot --kernel``; it has no agent.

    Args:
        folder: for its sockets and its initramfs.
        args: more of the command line.
        parts: what it is made from.
        programs: more programs, by path.
        modules: kernel modules to load, by name, in order.
    """
    command = [sys.executable, "-m", "guestmap", "boot", "-q", "--kernel", str(_kernel(parts))]
    made = _initramfs(modules, agent=parts == PARTS, parts=parts)
    for path, content in (programs or {}).items():
        made.add(path, content)
    (folder / "initrd").write_bytes(made.image())
    command += ["--initrd", str(folder / "initrd"), "--append", "console=ttyS0 quiet panic=-1"]
    command += ["--serial", f"unix:{folder / 'serial'}", "--qmp", f"unix:{folder / 'qmp'}", *args]
    with _running(folder, command, "serial") as guest:
        yield guest


@contextmanager
def debian_on_our_engine(folder: Path, *args: str) -> Iterator[LinuxGuest]:
    """Boot Debian from its disk, which stays as it is; log in; skip where there is no such disk.

    Args:
        folder: for its sockets.
        args: more of the command line.
    """
    if not (DEBIAN / ".whole").exists():
        pytest.skip("needs a Debian on a disk (tools/setup.sh debian, as root, with a network)")
    command = [sys.executable, "-m", "guestmap", "boot", "-q", "--kernel", str(DEBIAN / "vmlinuz")]
    command += ["--initrd", str(DEBIAN / "initrd"), "--append", "root=/dev/sda rw console=ttyS0"]
    command += ["--drive", f"file={DEBIAN / 'disk'},format=raw,snapshot=on"]
    command += ["--serial", f"unix:{folder / 'serial'}", "--qmp", f"unix:{folder / 'qmp'}", *args]
    with _running(folder, command, "serial", boots=False) as guest:
        guest.log_in("root", boots_s=_FROM_DISK_S)
        yield guest


@contextmanager
def restored_on_our_engine(folder: Path, saved: Path) -> Iterator[LinuxGuest]:
    """Have a guest that was saved in its shell go on, with ``guestmap boot --restore``."""
    command = [sys.executable, "-m", "guestmap", "boot", "-q", "--restore", str(saved)]
    command += ["--serial", f"unix:{folder / 'serial'}", "--qmp", f"unix:{folder / 'qmp'}"]
    with _running(folder, command, "serial", boots=False) as guest:
        yield guest


@contextmanager
def _running(
    folder: Path, command: list[str], socket_name: str, *, boots: bool = True
) -> Iterator[LinuxGuest]:
    process = popen(command, stdin=subprocess.DEVNULL)
    try:
        _wait_for(folder / socket_name, process)
        guest = LinuxGuest(folder, process, boots=boots)
        try:
            yield guest
        finally:
            guest.close()
    finally:
        process.kill()
        process.wait()


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _ANSWER_S
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline, f"QEMU makes no {path.name}"
        time.sleep(0.05)


def _kernel(parts: Path = PARTS) -> Path:
    kernels = sorted((parts / "boot").glob("vmlinuz*"))
    if not kernels:
        pytest.skip("needs a Linux guest's parts (tools/setup.sh peers)")
    return kernels[-1]


def _initramfs(modules: tuple[str, ...], *, agent: bool = True, parts: Path = PARTS) -> Initramfs:
    made = Initramfs()
    made.add("init", _INIT.encode())
    for folder in ("proc", "sys", "dev", "run", "tmp"):
        made.folder(folder)
    made.add_file("bin/busybox", _first("bin/busybox", parts=parts))
    for order, name in enumerate(modules):
        found = next(iter(sorted(PARTS.glob(f"**/{name}.ko*"))))
        made.add_file(f"modules/{order:02d}-{found.name}", found)
    if not agent:
        return made
    made.add_file("sbin/qemu-ga", _first("sbin/qemu-ga", "bin/qemu-ga"))
    for library in PARTS.glob("**/x86_64-linux-gnu/*.so*"):
        made.add_file(f"lib/{library.name}", library.resolve())
    loader = _first("lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    made.add_file("lib64/ld-linux-x86-64.so.2", loader.resolve())
    return made


def _first(*names: str, parts: Path = PARTS) -> Path:
    return next(
        path for name in names for top in ("usr", ".") if (path := parts / top / name).exists()
    )
