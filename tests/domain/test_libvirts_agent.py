"""The guest agent that libvirt holds: asked where it answers, and never needed."""

from __future__ import annotations

import json

import pytest

from guestmap.base import MIB
from guestmap.cli.plug_setting import agent_of
from guestmap.domain import Peer
from guestmap.qmp.client.allowed import AGENT_COMMANDS
from tests.inspect.sources.test_attachment import FULL
from tests.qmp.client.peer import FakeQemu
from tests.qmp.client.test_libvirt import FakeDomain, FakeLibvirt, FakeLibvirtError, channel


class WithAgent(FakeLibvirt):
    """libvirt with a guest agent that answers this, or not at all."""

    def __init__(self, answer: object) -> None:
        super().__init__(FakeDomain("vm", FakeQemu(FULL)))
        self.answer = answer
        self.asked: list[str] = []

    def qemuAgentCommand(  # noqa: N802
        self, domain: FakeDomain, command: str, timeout: int, flags: int
    ) -> str:
        assert timeout > 0  # no wait without an end
        self.asked.append(json.loads(command)["execute"])
        if self.answer is None:
            raise FakeLibvirtError("Guest agent is not responding: not connected", 86)
        return json.dumps({"return": self.answer})


def test_it_is_asked_unasked():
    fake = WithAgent({"size": 128 * MIB})
    agent = agent_of(Peer(channel(fake)), None)
    assert agent is not None
    assert agent.block_size() == 128 * MIB
    assert set(fake.asked) <= set(AGENT_COMMANDS)


@pytest.mark.parametrize("answer", [None, {"size": "many"}, []])
def test_without_one_nothing_is_known_of_the_guest(answer):
    assert agent_of(Peer(channel(WithAgent(answer))), None) is None
