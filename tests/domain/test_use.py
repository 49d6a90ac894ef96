"""Whether a guest uses what was plugged: by its agent, by its balloon, and not known."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import GIB, MIB, ConfigError, HostError, PeerError
from guestmap.cli.plug_setting import agent_of, surveyed
from guestmap.domain import (
    AgentSocket,
    AgentUse,
    Applier,
    GuestAgent,
    Outcome,
    PlugRequest,
    Result,
    plan_plug,
    survey,
)
from guestmap.domain.use import Use, balloon_use
from guestmap.qmp.client.allowed import AGENT_COMMANDS
from tests.domain.machines import BASE, FakeMachine, FakePace, dimm

BLOCK = 128 * MIB
ONE = dimm(0, BASE, GIB)


class PlayedAgent:
    """An agent whose guest has blocks of 128 MiB; it notes what it is asked."""

    def __init__(self, online: int = 0, block: Any = BLOCK) -> None:
        self.online = online
        self.block = block
        self.asked: list[str] = []

    def agent(self, command: str) -> object:
        self.asked.append(command)
        if command == "guest-get-memory-block-info":
            return {"size": self.block}
        return [
            {"phys-index": BASE // BLOCK + number, "online": number < self.online,
             "can-offline": True} for number in range(-2, 9)
        ]  # fmt: skip


def acknowledge(machine: FakeMachine, verb: str, device: str) -> None:
    machine.ost(0, 1, 0)


def plug(machine: FakeMachine, uses: Any = None) -> Result:
    peer = machine.peer()
    plan = plan_plug(survey(peer), PlugRequest(GIB))
    return Applier(peer, timeout_s=2.0, pace=FakePace(), uses=uses).plug(plan)


def test_what_is_online_is_counted_within_the_device_only():
    assert GuestAgent(PlayedAgent(online=3)).online(ONE) == 3 * BLOCK
    assert GuestAgent(PlayedAgent(online=9)).online(ONE) == GIB


@pytest.mark.parametrize("block", [0, -1, 3, "x", None])
def test_blocks_of_no_size_are_the_agents_fault(block):
    with pytest.raises(PeerError, match="guest agent"):
        GuestAgent(PlayedAgent(block=block)).block_size()


def test_a_block_that_is_no_power_of_two_is_told_in_units():
    with pytest.raises(PeerError, match="memory blocks of 96 MiB, no power of two"):
        GuestAgent(PlayedAgent(block=96 * MIB)).block_size()


def test_success_is_that_all_of_it_is_online():
    agent = PlayedAgent(online=8)
    result = plug(FakeMachine(acknowledge), AgentUse(GuestAgent(agent)))
    assert (result.outcome, result.use) == (Outcome.ONLINE, Use(GIB, "guest agent"))
    assert set(agent.asked) <= set(AGENT_COMMANDS)
    form = result.to_json()
    assert (form["acknowledged"], form["online_bytes"]) == (True, GIB)


def test_a_guest_that_brings_it_online_later_is_waited_for():
    agent = PlayedAgent()

    class Later(FakePace):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            agent.online = min(8, agent.online + 4)

    peer = FakeMachine(acknowledge).peer()
    plan = plan_plug(survey(peer), PlugRequest(GIB))
    uses = AgentUse(GuestAgent(agent))
    result = Applier(peer, timeout_s=2.0, pace=Later(), uses=uses).plug(plan)
    assert result.outcome is Outcome.ONLINE
    assert 0 < result.waited_s < 2


def test_what_is_not_online_is_told_with_how_much_is():
    result = plug(FakeMachine(acknowledge), AgentUse(GuestAgent(PlayedAgent(online=3))))
    assert (result.outcome, result.use) == (Outcome.OFFLINE, Use(3 * BLOCK, "guest agent"))
    assert result.waited_s == pytest.approx(2.0)


def test_a_guest_that_says_nothing_and_uses_it_has_it():
    assert plug(FakeMachine(), AgentUse(GuestAgent(PlayedAgent(online=8)))).outcome is (
        Outcome.ONLINE
    )
    silent = plug(FakeMachine(), AgentUse(GuestAgent(PlayedAgent(online=0))))
    assert silent.outcome is Outcome.SILENT


def test_an_agent_that_does_not_answer_leaves_it_unknown():
    class Mute(PlayedAgent):
        def agent(self, command: str) -> object:
            raise PeerError("no answer")

    result = plug(FakeMachine(acknowledge), AgentUse(GuestAgent(Mute())))
    assert (result.outcome, result.use) == (Outcome.ACKNOWLEDGED, None)


def test_the_guests_own_blocks_decide_where_it_goes():
    peer = FakeMachine().peer()
    scene = surveyed(peer, GuestAgent(PlayedAgent(block=GIB)))
    plan = plan_plug(scene, PlugRequest(512 * MIB))
    assert [each.code for each in plan.cautions] == ["section-size"]
    assert "the guest, as its agent says" in plan.cautions[0].text


# balloon statistics


def with_balloon(machine: FakeMachine, *totals: int | None, interval: int = 2) -> FakeMachine:
    """Give a machine a balloon whose statistics come one after another."""
    left = list(enumerate(totals, 1))
    told, listed = machine._qom_get, machine._qom_list

    def get(path: str, property: str) -> object:  # noqa: A002
        if property == "guest-stats-polling-interval":
            return interval
        if property == "guest-stats":
            stamp, total = left.pop(0) if len(left) > 1 else left[0]
            stats = {} if total is None else {"stat-total-memory": total}
            return {"last-update": stamp, "stats": stats}
        return told(path, property)

    machine._qom_get = get  # type: ignore[method-assign]
    machine._qom_list = lambda path: [  # type: ignore[method-assign]
        *listed(path), {"name": "b0", "type": "child<virtio-balloon-pci>"}]  # fmt: skip
    return machine


@pytest.mark.parametrize(
    ("totals", "outcome", "online"),
    [
        ((GIB, 2 * GIB), Outcome.ONLINE, GIB),
        ((GIB, 2 * GIB - GIB // 64), Outcome.ONLINE, GIB),  # page structures lie in it
        ((GIB, GIB + 256 * MIB), Outcome.OFFLINE, 256 * MIB),
        ((GIB, GIB), Outcome.OFFLINE, 0),
    ],
)
def test_a_balloon_that_somebody_polls_tells_by_how_much_the_guest_grew(totals, outcome, online):
    result = plug(with_balloon(FakeMachine(acknowledge), *totals))
    assert result.outcome is outcome
    assert result.use == Use(online, "balloon statistics")


def test_statistics_that_do_not_move_tell_nothing():
    result = plug(with_balloon(FakeMachine(acknowledge), GIB))
    assert (result.outcome, result.use) == (Outcome.ACKNOWLEDGED, None)


def test_a_balloon_that_nobody_polls_is_not_switched_on():
    machine = with_balloon(FakeMachine(acknowledge), GIB, 2 * GIB, interval=0)
    assert balloon_use(machine.peer()) is None
    assert plug(machine).outcome is Outcome.ACKNOWLEDGED
    assert "qom-set" not in [command for command, _ in machine.sent]
    assert balloon_use(with_balloon(FakeMachine(), None).peer()) is None


# the agent's socket


@contextmanager
def agent_socket(path: Path, answer: Callable[[bytes], bytes | None]) -> Iterator[str]:
    """Serve a guest agent's socket; ``answer`` gets what was read and returns what to send."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    data = b""
                    while data.count(b"\n") < 2:
                        data += client.recv(4096)
                    reply = answer(data)
                    if reply is None:
                        client.recv(1)  # say nothing until the other side hangs up
                    else:
                        client.sendall(reply)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield str(path)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(30)


def synced(reply: object) -> Callable[[bytes], bytes]:
    """Answer as qemu-ga does, with rest of an earlier session in front."""
    return lambda _: b'{"return": 5}\n\xff{"return": 1}\n' + json.dumps(reply).encode() + b"\n"


def test_an_agents_socket_is_asked_anew_for_each_question(tmp_path):
    read: list[bytes] = []

    def answer(data: bytes) -> bytes:
        read.append(data)
        return synced({"return": {"size": BLOCK}})(data)

    with agent_socket(tmp_path / "qga", answer) as path:
        assert GuestAgent(AgentSocket(f"unix:{path}")).block_size() == BLOCK
    (data,) = read
    assert data.startswith(b"\xff")
    sync, question = (json.loads(line) for line in data[1:].splitlines())
    assert sync["execute"] == "guest-sync-delimited"
    assert question == {"execute": "guest-get-memory-block-info"}


@pytest.mark.parametrize(
    "answer",
    [
        synced({"error": {"class": "CommandNotFound", "desc": "no such command"}}),
        synced({"return": {"size": "many"}}),
        synced([1]),
        lambda _: b"\xff\n\n",
        lambda _: b"HTTP/1.1 400\r\n",
        lambda _: None,
    ],
    ids=["error", "shape", "list", "empty", "another", "silent"],
)  # fmt: skip
def test_an_agent_that_does_not_answer_so_is_named(tmp_path, answer):
    with (
        agent_socket(tmp_path / "qga", answer) as path,
        pytest.raises(PeerError, match=r"guest agent|agent \("),
    ):
        agent_of(FakeMachine().peer(), path) if answer(b"") else GuestAgent(
            AgentSocket(path, answer_s=0.05)
        ).block_size()


def test_what_is_no_agents_socket_is_said(tmp_path):
    with pytest.raises(HostError, match="no such socket"):
        agent_of(FakeMachine().peer(), str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="no guest agent's socket"):
        AgentSocket("tcp:localhost:1")
    assert agent_of(FakeMachine().peer(), None) is None
