"""What drives keep their data on: files, locks, what is kept aside, what somebody else serves."""

from __future__ import annotations

import os
import random
import socket
import struct
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from guestmap.base import ConfigError, HostError, PeerError, UnsupportedError
from guestmap.hw.medium import MemoryMedium
from guestmap.machine.media import open_medium
from guestmap.machine.media.nbd import NbdMedium
from guestmap.machine.media.overlay import Overlay, OverlayState
from guestmap.machine.media.raw_file import RawFile
from guestmap.machine.options.drive import DriveSpec
from tests.support.disk_images import make_qcow2
from tests.support.qemu import Qemu

SIZE = 300_000 // 512 * 512


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(random.Random(1).randbytes(SIZE))
    return path


def test_a_raw_file_is_the_disk(file: Path) -> None:
    before = file.read_bytes()
    medium = RawFile(file, readonly=False)
    assert medium.size == SIZE
    assert medium.read(1000, 5000) == before[1000:6000]
    medium.write(4096, b"new")
    medium.flush()
    medium.close()
    medium.close()
    assert file.read_bytes() == before[:4096] + b"new" + before[4099:]


def test_the_last_sector_of_a_file_ends_with_zeros(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(b"x" * 700)
    medium = RawFile(path, readonly=True)
    assert medium.size == 1024
    assert medium.read(512, 512) == b"x" * 188 + bytes(324)


@pytest.mark.parametrize(("first", "second", "together"), [
    (False, False, False), (False, True, False), (True, False, False), (True, True, True),
])  # fmt: skip
def test_who_writes_a_file_has_it_alone(
    file: Path, first: bool, second: bool, together: bool
) -> None:
    one = RawFile(file, readonly=first)
    if together:
        RawFile(file, readonly=second).close()
    else:
        with pytest.raises(ConfigError, match="is used by another machine"):
            RawFile(file, readonly=second)
    one.close()
    RawFile(file, readonly=second).close()


@pytest.mark.qemu
@pytest.mark.seabios
def test_a_file_of_a_qemu_is_not_taken_from_it(file: Path) -> None:
    drive = f"file={file},format=raw,if=ide"
    with Qemu("-drive", drive), pytest.raises(ConfigError, match="is used by another machine"):
        RawFile(file, readonly=True)
    held = RawFile(file, readonly=False)
    qemu = Qemu("-drive", drive)
    with pytest.raises((RuntimeError, OSError, ValueError)):
        qemu.start()
    held.close()
    with Qemu("-drive", drive):
        pass


@pytest.mark.parametrize("path", ["no-such-file", "."])
def test_a_file_that_cannot_be_opened_is_named(path: str, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot open"):
        RawFile(tmp_path / path, readonly=False)


@pytest.mark.parametrize("readonly", [True, False])
def test_what_has_no_bytes_at_places_is_no_medium(readonly: bool, tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    for path in (pipe, Path(os.devnull), *[tmp_path] * readonly):
        with pytest.raises(ConfigError, match="is no medium: give a regular file"):
            RawFile(path, readonly=readonly)


def test_an_overlay_reads_what_was_written_and_leaves_the_file_alone(file: Path) -> None:
    before = file.read_bytes()
    medium = open_medium(DriveSpec(file, snapshot=True))
    assert isinstance(medium, Overlay)
    expected, rng = bytearray(before), random.Random(2)
    for _ in range(60):
        offset = rng.randrange(SIZE)
        data = rng.randbytes(rng.randrange(1, min(SIZE - offset, 150_000) + 1))
        if rng.random() < 0.4:
            medium.write(offset, data)
            expected[offset : offset + len(data)] = data
        assert medium.read(offset, len(data)) == expected[offset : offset + len(data)]
    assert medium.read(0, SIZE) == expected
    medium.flush()
    assert file.read_bytes() == before
    other = Overlay(MemoryMedium(before))
    saved = msgspec.msgpack.encode(medium.save())
    other.load(msgspec.msgpack.decode(saved, type=OverlayState))
    assert other.read(0, SIZE) == expected
    medium.close()
    other.close()


@pytest.mark.parametrize("clusters", [{-1: b"x" * 65536}, {0: b"x"}, {99: b"x" * 65536}])
def test_what_was_written_to_another_medium_is_refused(clusters: dict[int, bytes]) -> None:
    overlay = Overlay(MemoryMedium(bytes(SIZE)))
    with pytest.raises(ConfigError, match="is of another medium"):
        overlay.load(OverlayState(clusters))
    overlay.close()


# -- what somebody else serves ---------------------------------------------------------------------


class Server:
    """An NBD server for one client, with bytes of its own; it can be made to misbehave."""

    def __init__(self, content: bytearray, *, greeting: bytes = b"NBDMAGICIHAVEOPT") -> None:
        self.content, self.greeting = content, greeting
        self.errno = 0
        self.wire, self.client = socket.socketpair()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        wire = self.wire
        with wire, wire.makefile("rb") as incoming:
            wire.sendall(self.greeting + struct.pack(">H", 3))
            incoming.read(4)
            _, option, length = struct.unpack(">8sII", incoming.read(16) or bytes(16))
            incoming.read(length)
            info = struct.pack(">HQH", 0, len(self.content), 1)
            for kind, data in ((3, info), (1, b"")):
                head = struct.pack(">QIII", 0x0003E889045565A9, option, kind, len(data))
                wire.sendall(head + data)
            while len(head := incoming.read(28)) == 28:
                _, _, kind, handle, offset, length = struct.unpack(">IHHQQI", head)
                data = incoming.read(length) if kind == 1 else b""
                if kind == 2:
                    return
                if kind == 1:
                    self.content[offset : offset + length] = data
                wire.sendall(struct.pack(">IIQ", 0x67446698, self.errno, handle))
                if kind == 0 and not self.errno:
                    wire.sendall(self.content[offset : offset + length])


def test_a_served_medium_is_read_and_written() -> None:
    server = Server(bytearray(random.Random(3).randbytes(SIZE)))
    medium = NbdMedium(server.client, "image")
    assert medium.size == SIZE
    assert not medium.readonly
    assert medium.read(700, 9000) == server.content[700:9700]
    medium.write(512, b"new")
    medium.flush()
    assert server.content[512:515] == b"new"
    server.errno = 28
    with pytest.raises(HostError, match="image: the server of the image refuses: No space left"):
        medium.write(0, b"x")
    medium.close()
    with pytest.raises(HostError, match="has gone"):
        medium.read(0, 1)


def test_a_server_that_is_none_is_named() -> None:
    with pytest.raises(PeerError, match="image: no NBD server of today answers"):
        NbdMedium(Server(bytearray(512), greeting=b"SSH-2.0-OpenSSH ").client, "image")


_QEMU_NBD = f"""#!{sys.executable}
import sys
sys.stderr.write("qemu-nbd: Failed to get \\"write\\" lock\\n")
sys.exit(1)
"""


def test_what_qemu_nbd_refuses_is_told_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "qemu-nbd"
    program.write_text(_QEMU_NBD)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r'^d\.qcow2: qemu-nbd: Failed to get "write" lock$'):
        open_medium(DriveSpec(Path("d.qcow2"), format="qcow2"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(UnsupportedError, match="needs QEMU's qemu-nbd, which is not here: apt ins"):
        open_medium(DriveSpec(Path("d.qcow2"), format="qcow2"))


def test_an_image_of_qemus_is_read_and_written(tmp_path: Path) -> None:
    path = make_qcow2(tmp_path / "disk.qcow2", "1M")
    spec = DriveSpec(path, format="qcow2")
    for expected in (bytes(5000), b"kept" * 1250):
        medium = open_medium(spec)
        assert medium is not None
        assert (medium.size, medium.read(70_000, 5000)) == (1 << 20, expected)
        medium.write(70_000, b"kept" * 1250)
        medium.flush()
        medium.close()
    before = path.read_bytes()
    aside = open_medium(DriveSpec(path, format="qcow2", snapshot=True))
    assert aside is not None
    aside.write(0, b"gone" * 1000)
    aside.close()
    assert path.read_bytes() == before
