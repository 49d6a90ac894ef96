"""QMP over TLS: with a real QEMU, and with who is not who they should be."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from guestmap.base import ConfigError, HostError, PeerError
from guestmap.domain import Peer, open_peer, survey
from guestmap.inspect.sources.open import load_snapshot
from guestmap.qmp.client import TlsTarget, open_channel, parse_target
from tests.support.certificates import write_certificates
from tests.support.processes import popen
from tests.support.program import run_program
from tests.support.qemu import require_qemu


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificates(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def qemu(keys: Path) -> Iterator[int]:
    """A QEMU with a monitor over TLS, which wants to see its clients' certificates; its port."""
    port = free_port()
    command = [
        require_qemu(), "-M", "pc", "-accel", "tcg", "-S", "-nodefaults", "-vga", "none",
        "-display", "none", "-m", "64M,slots=2,maxmem=1G",
        "-object", f"tls-creds-x509,id=tls,dir={keys},endpoint=server,verify-peer=on",
        "-chardev", f"socket,id=qmp,host=127.0.0.1,port={port},server=on,wait=off,tls-creds=tls",
        "-mon", "chardev=qmp,mode=control",
    ]  # fmt: skip
    with popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield port
        process.kill()


def connected(source: str) -> Peer:
    """Connect; QEMU may still be about to listen."""
    end = time.monotonic() + 30
    while True:
        try:
            return open_peer(source)
        except HostError:
            assert time.monotonic() < end
            time.sleep(0.1)


@pytest.mark.qemu
def test_a_real_qemu_is_asked_over_tls(qemu, keys):
    source = f"tls:127.0.0.1:{qemu},dir={keys}"
    with connected(source) as peer:
        assert survey(peer).situation.slots == 2
        assert peer.source == source
    assert any(each.name == "pc.ram" for each in load_snapshot(source).regions)
    done = run_program("dimms", f"tls:localhost:{qemu},dir={keys}", "--json")
    assert json.loads(done.out)["slots_left"] == 2


@pytest.mark.qemu
def test_a_stranger_is_not_let_in_and_a_strange_machine_is_not_asked(qemu, keys, tmp_path):
    connected(f"tls:127.0.0.1:{qemu},dir={keys}").close()
    other = write_certificates(tmp_path / "other")
    with pytest.raises(PeerError, match="certificate"):
        open_channel(f"tls:127.0.0.1:{qemu},dir={other}")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "ca-cert.pem").write_bytes((keys / "ca-cert.pem").read_bytes())
    with pytest.raises(PeerError):
        open_channel(f"tls:127.0.0.1:{qemu},dir={bare}")
    connected(f"tls:127.0.0.1:{qemu},dir={keys}").close()


@contextmanager
def listening(answer: bytes) -> Iterator[int]:
    """Take one connection after another, and send this."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, suppress(OSError):
                        client.sendall(answer)
                        client.recv(4096)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.mark.parametrize("answer", [b'{"QMP": {}}\r\n', b"", b"\x16\x03\x01\x00\x00"])
def test_who_does_not_speak_tls_is_one_error(answer, keys):
    with (
        listening(answer) as port,
        pytest.raises(PeerError, match=f"tls:127.0.0.1:{port}"),
    ):
        open_channel(f"tls:127.0.0.1:{port},dir={keys}", greeting_s=0.5)


@pytest.mark.parametrize("content", [None, "nonsense"])
def test_files_that_cannot_be_read_are_named(content, tmp_path):
    if content is not None:
        (tmp_path / "ca-cert.pem").write_text(content)
    with listening(b"") as port, pytest.raises(HostError, match=r"ca-cert\.pem"):
        open_channel(f"tls:127.0.0.1:{port},dir={tmp_path}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tls:node1:4444", TlsTarget("node1", 4444)),
        ("tls:[::1]:4444,dir=/keys", TlsTarget("::1", 4444, "/keys")),
        ("tls:node1:4444,server=on,wait=off", TlsTarget("node1", 4444)),
    ],
)
def test_what_names_one(text, expected):
    assert parse_target(text) == expected
    assert parse_target(str(expected)) == expected


def test_what_names_none():
    with pytest.raises(ConfigError, match="write tls:HOST:PORT"):
        parse_target("tls:node1")
