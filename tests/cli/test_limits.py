"""How long a machine may be silent, and that each command that asks one says so."""

from __future__ import annotations

import pytest
from typer.main import get_command

from guestmap.cli.app import COMMANDS, application
from guestmap.cli.parameters import GIVEN_UP
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
