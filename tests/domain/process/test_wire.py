"""One connection to a machine that is played: each command has its own time."""

import socket
import threading
import time

import pytest

from guestmap.base import PeerError
from guestmap.domain.process.wire import Wire

GREETING = (
    b'{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": []}}\r\n'
    b'{"return": {}, "id": "libvirt-1"}\r\n'
)


def test_an_answer_is_waited_for_longer_than_a_greeting(tmp_path):
    path = str(tmp_path / "monitor")
    greeted = threading.Event()

    def slow(listening: socket.socket) -> None:
        client, _ = listening.accept()
        with client:
            client.sendall(GREETING)
            greeted.set()
            with client.makefile("rb") as lines:
                next((line for line in lines if b"query-status" in line), None)
            time.sleep(0.5)
            client.sendall(b'{"return": {"running": true}, "id": "libvirt-2"}\r\n')

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(1)
        machine = threading.Thread(target=slow, args=(listening,))
        machine.start()
        try:
            with Wire(path, greeting_s=0.1, reply_s=30.0) as wire:
                assert greeted.wait(30.0)
                wire.greet()
                assert wire.execute("query-status", {}) == {"running": True}
        finally:
            machine.join()


def test_a_machine_that_is_silent_is_told_with_what_was_asked_and_work_is_done_meanwhile(tmp_path):
    path, done = str(tmp_path / "monitor"), []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(1)
        with Wire(path, reply_s=0.1) as wire:
            client, _ = listening.accept()
            with client:
                client.sendall(GREETING)
                with pytest.raises(PeerError, match="no answer to device_del in time"):
                    wire.execute("device_del", {"id": "dimm0"}, lambda: done.append("work"))
    assert done == ["work"]
