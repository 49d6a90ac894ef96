"""What is claimed of a newer QEMU, held to that QEMU's own schema."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from guestmap.monitor.claim import CLAIMS, QemuClaim
from guestmap.monitor.command import Context
from guestmap.monitor.commands import command_table
from tests.monitor.test_schema import Schema
from tests.support.fake_machine import FakeMachine
from tests.support.needs import skip_without
from tests.support.processes import popen

pytestmark = pytest.mark.peers

ORACLES = Path(__file__).parents[2] / ".oracle"
ROOTS = {"10.0": "qemu-10.0", "11.1": "qemu-new"}
"""Where such a QEMU is; 7.2 has tests of its own."""
ASKED = ("query-version", "query-target", "query-machines", "query-cpus-fast", "query-accelerators")
"""What the version decides."""

EMPTY = ("-S", "-nodefaults", "-machine", "none", "-display", "none", "-qmp", "stdio")


def schema_of(program: Path) -> list[dict[str, Any]]:
    """Return what a QEMU with an empty machine says of its commands."""
    asked = '{"execute":"qmp_capabilities"}{"execute":"query-qmp-schema"}'
    command = [str(program), *EMPTY]
    with popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.write(asked)
        run.stdin.flush()
        *_, answer = (run.stdout.readline() for _ in range(3))
        run.stdin.write('{"execute":"quit"}')  # not before: what is not read yet would be lost
        run.communicate(timeout=60)
    found: list[dict[str, Any]] = json.loads(answer)["return"]
    return found


def members(schema: Schema, name: str) -> tuple[set[str], set[str]]:
    """Return the members of what a command returns: all, and those that are always there."""
    told = schema.command(name)["returns"]
    form = told[0] if isinstance(told, list) else told
    named = {each: member for each, member in form.items() if "=" not in each}
    return set(named), {each for each, (_, optional, _) in named.items() if not optional}


@pytest.mark.parametrize("claim", CLAIMS[1:], ids=lambda claim: claim.name)
def test_what_the_version_decides_is_as_in_that_qemu(claim: QemuClaim) -> None:
    program = ORACLES / ROOTS[claim.name] / "starters/qemu-system-x86_64"
    if not program.is_file():
        skip_without("peers", f"needs {program} (tools/setup.sh peers)")
    theirs = Schema(schema_of(program))
    context = Context(FakeMachine(), command_table(claim))
    ours = Schema(context.commands["query-qmp-schema"].run(context, {}))
    for name in ASKED:
        assert (name in ours.names("command")) == (name in theirs.names("command")), name
        if name in ours.names("command"):
            (mine, _), (known, always) = members(ours, name), members(theirs, name)
            assert always <= mine <= known, name
