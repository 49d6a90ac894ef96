"""Conditions over a machine's facts: what they say, and that they can do nothing else."""

from __future__ import annotations

import pytest

from guestmap.base import GIB, ConfigError
from guestmap.fleet.inventory import FleetMachine
from guestmap.fleet.plan_work import facts_of
from guestmap.fleet.where import FACTS as FACT_NAMES
from guestmap.fleet.where import Where
from tests.domain.machines import holding

FACTS = {"left": 40 * GIB, "host": "node3", "slots_left": 2, "labels": {"tier": "web"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("left >= 32*GIB", True),
        ("left >= 32*GIB and host != 'node3'", False),
        ("left >= 41*GIB or slots_left > 1", True),
        ("not (slots_left > 1)", False),
        ("host in ['node1', 'node3']", True),
        ("host not in ('node1', 'node3')", False),
        ("labels['tier'] == 'web'", True),
        ("labels['none'] == ''", True),
        ("1 <= slots_left <= 2", True),
        ("left - 8*GIB == 32*GIB + 0", True),
    ],
)
def test_what_holds(text, expected):
    assert Where(text).holds(FACTS) is expected


@pytest.mark.parametrize("text", ["left >=", "a b", "(" * 300, "x" * 2000, "\0", "foo > 1"])
def test_what_is_no_condition_is_refused_at_once(text):
    with pytest.raises(ConfigError, match="--where"):
        Where(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "host.upper()",
        "(lambda: 1)()",
        "[x for x in (1,)]",
        "labels[host]",
        "host[0]",
        "'a' * 999999999",
        "2 ** 99",
        "nothing > 1",
        "left < host",
        "host is 'node3'",
        "f'{host}'",
        "1.5 < 2",
    ],
)
def test_what_would_do_anything_else_is_refused(text):
    with pytest.raises(ConfigError, match="--where"):
        Where(text).holds(FACTS)


def test_what_may_be_asked_for_is_what_is_known_of_each_machine():
    assert facts_of(FleetMachine("a", "unix:/a"), holding()).keys() == FACT_NAMES
