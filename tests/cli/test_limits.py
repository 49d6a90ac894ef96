"""How long a machine may be silent, and that each command that asks one says so."""

from __future__ import annotations

import pytest
from typer.main import get_command

from guestmap.cli.app import COMMANDS, application
from guestmap.cli.domain import domain
from guestmap.cli.parameters import GIVEN_UP
from guestmap.domain import agent
from guestmap.domain.change import link, removal
from guestmap.domain.process import wire
from guestmap.domain.store import jobs
from guestmap.qmp.client.open import GREETING_S, REPLY_S

ASKING = set(COMMANDS) - {"boot", "completion", "conform", "doctor", "domain", "fleet"}


@pytest.mark.parametrize("name", sorted(ASKING))
def test_a_command_that_asks_a_machine_says_when_it_gives_up(name):
    command = get_command(application((name, "doctor"))).commands[name]
    said = " ".join(str(getattr(each, "help", "")) for each in command.params)
    assert GIVEN_UP in said


def test_what_is_said_is_so():
    assert f"no greeting comes for {GREETING_S:g} s" in GIVEN_UP
    assert f"no answer for {REPLY_S:g} s" in GIVEN_UP
    assert f"libvirt is when it is silent for {REPLY_S:g} s" in GIVEN_UP


def test_what_domains_wait_for_is_so():
    said = " ".join(str(domain.__doc__).split())
    for seconds, words in (
        (wire.GREETING_S, "to greet as its machine starts"),
        (link.GREETING_S, "when it runs"),
        (wire.REPLY_S, "for an answer"),
        (removal.WAIT_S, "to let go of a device"),
    ):
        assert f"{seconds:g} s {words}" in said
    assert f"is waited for for {jobs.WAIT_S:g} s" in said


def test_what_an_agent_has_is_so():
    command = get_command(application(("plug", "doctor"))).commands["plug"]
    said = " ".join(str(getattr(each, "help", "")) for each in command.params)
    assert f"It has {agent.ANSWER_S:g} s for an answer" in said
