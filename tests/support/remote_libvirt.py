"""What holds of a libvirt on another host, by whatever way it is reached."""

from __future__ import annotations

import pytest

from guestmap.base import MIB, HostError
from guestmap.fleet.libvirt_hosts import running_domains
from guestmap.fleet.look import LookOptions, Patience, look_at
from guestmap.fleet.plan_work import PlanOptions, plan_one
from guestmap.fleet.read_inventory import read_inventory
from tests.support.libvirtd import Libvirtd, in_network_of


def assert_found_audited_and_planned_for(daemon: Libvirtd, uri: str) -> None:
    """Its one domain, ``plugged``, with a DIMM of 256 MiB, is asked all that a fleet asks."""

    def asked():
        (machine,) = read_inventory([f"libvirt+{uri}:"])
        return (
            machine,
            look_at(machine, LookOptions(maps=True)),
            plan_one(machine, PlanOptions(128 * MIB)),
        )

    machine, seen, planned = in_network_of(daemon, asked)
    assert (machine.name, machine.host) == ("localhost/plugged", "localhost")
    assert seen.state == "ok", seen
    assert seen.memory is not None
    assert seen.memory.plugged == 256 * MIB
    assert planned.verdict != "failed", planned


def assert_refused(daemon: Libvirtd, uri: str, why: str) -> None:
    """Who is not let in is told why, in one line: where domains are listed, and of the machine."""
    with pytest.raises(HostError, match=f"libvirt does not list its domains: .*{why}"):
        in_network_of(daemon, lambda: running_domains(uri))
    (machine,) = in_network_of(daemon, lambda: read_inventory([f"libvirt+{uri}:"]))
    seen = look_at(machine, LookOptions(patience=Patience(timeout_s=5.0)))
    assert seen.state == "unreachable"
    assert why in seen.error, seen
    assert "\n" not in seen.error
