"""Images in formats of QEMU's, read and written by QEMU's own ``qemu-nbd``, where it is installed.

It serves one image to one client over a socket in a folder of its own, and ends when the client
has gone, however that went. What it refuses, a locked or a broken image, is told in its own words.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from guestmap.base import ConfigError, HostError, UnsupportedError
from guestmap.machine.media.nbd import NbdMedium

_PROGRAM = "qemu-nbd"
_PATIENCE_S, _PACE_S = 10.0, 0.005
_GOODBYE_S = 10.0


class Image(NbdMedium):
    """The image, and who serves it.

    Args:
        path: the file.
        format: qcow2, or another one that QEMU knows.
        readonly: whether it takes no writes.

    Raises:
        UnsupportedError: qemu-nbd is not installed.
        ConfigError: it refuses the image.
        HostError: it does not start.
    """

    def __init__(self, path: Path, format: str, *, readonly: bool) -> None:  # noqa: A002
        program = shutil.which(_PROGRAM)
        if program is None:
            raise UnsupportedError(
                f"{path}: an image of format {format} needs QEMU's {_PROGRAM}, which is not here:"
                " apt install qemu-utils, or give a raw file"
            )
        with tempfile.TemporaryDirectory(prefix="guestmap-") as folder:
            address = Path(folder) / "nbd"
            command = [program, f"--socket={address}", f"--format={format}"]
            command += ["--read-only"] * readonly
            self._server = _start([*command, "--", str(path)])
            try:
                wire = _connect(self._server, address, path)
                super().__init__(wire, str(path))
            except BaseException:
                _end(self._server)
                raise

    def close(self) -> None:
        """Say good-bye, and wait until all is in the file. May be called again."""
        if self._server.poll() is None:
            super().close()
            try:
                self._server.communicate(timeout=_GOODBYE_S)
            except subprocess.TimeoutExpired:
                _end(self._server)


def _end(server: subprocess.Popen[str]) -> None:
    server.kill()
    server.wait()
    if server.stderr is not None:
        server.stderr.close()


def _start(command: list[str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C for the machine is none for its disk
        )
    except OSError as error:
        raise HostError(f"cannot start {command[0]}", errno=error.errno, call="exec") from error


def _connect(server: subprocess.Popen[str], address: Path, path: Path) -> socket.socket:
    """Return a connection, as soon as the server listens.

    Raises:
        ConfigError: it has ended instead; in its words.
        HostError: it does not listen.
    """
    wire = socket.socket(socket.AF_UNIX)
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            wire.connect(str(address))
        except OSError as error:
            if server.poll() is not None:
                wire.close()
                words = (server.communicate()[1] or "").strip().removeprefix(f"{_PROGRAM}: ")
                raise ConfigError(f"{path}: {_PROGRAM}: {words or 'ended'}") from error
            if time.monotonic() > until:
                wire.close()
                raise HostError(f"{path}: {_PROGRAM} does not answer", errno=error.errno) from error
            time.sleep(_PACE_S)
        else:
            return wire
