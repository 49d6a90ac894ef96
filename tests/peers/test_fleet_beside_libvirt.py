"""The running domains of a real libvirt, found and audited."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guestmap.base import MIB, HostError
from guestmap.fleet.inventory import FleetMachine
from guestmap.fleet.libvirt_hosts import running_domains
from guestmap.fleet.look import LookOptions, look_at
from guestmap.fleet.read_inventory import read_inventory
from tests.peers.test_pci_beside_libvirt import I440FX, document
from tests.support.libvirtd import Libvirtd, libvirtd
from tests.support.program import run_program
from tests.support.qemu import require_qemu

pytestmark = [pytest.mark.peers, pytest.mark.qemu, pytest.mark.timeout(300)]

DIMM = "<memory model='dimm'><target><size unit='MiB'>256</size><node>0</node></target></memory>"


def named(name: str, devices: str = "") -> str:
    return document(I440FX, devices).decode().replace("<name>vm</name>", f"<name>{name}</name>")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Libvirtd]:
    """Three domains, of which two run."""
    with libvirtd(tmp_path_factory.mktemp("libvirt"), require_qemu()) as daemon:
        for name, devices in (("bare", ""), ("plugged", DIMM), ("asleep", "")):
            domain = daemon.connection.defineXML(named(name, devices))
            if name != "asleep":
                domain.createWithFlags(daemon.module.VIR_DOMAIN_START_PAUSED)
        yield daemon


def test_its_running_domains_are_the_inventory(theirs, tmp_path):
    assert running_domains(theirs.uri) == ["bare", "plugged"]
    (bare, plugged) = read_inventory([f"libvirt+{theirs.uri}:"])
    assert bare == FleetMachine("bare", f"libvirt+{theirs.uri}:bare")
    assert plugged.name == "plugged"
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(f'[[libvirt]]\nuri = "{theirs.uri}"\nhost = "h"\n')
    assert [each.name for each in read_inventory([str(fleet)])] == ["h/bare", "h/plugged"]


def test_they_are_audited_through_it_and_nothing_is_changed(theirs):
    theirs.sent()
    seen = {
        each.name: look_at(each, LookOptions(maps=True))
        for each in read_inventory([f"libvirt+{theirs.uri}:"])
    }
    assert {each.state for each in seen.values()} == {"ok"}, seen
    plugged = {name: each.memory.plugged for name, each in seen.items() if each.memory}
    assert plugged == {"bare": 0, "plugged": 256 * MIB}
    sent = {each["execute"] for each in theirs.sent()}
    assert "query-memory-devices" in sent
    assert not sent & {"object-add", "object-del", "device_add", "device_del", "cont", "stop"}


def test_the_command_does(theirs):
    done = run_program("fleet", "audit", f"libvirt+{theirs.uri}:")
    assert done.stdout.startswith("2 machines, 2 looked at"), done
    assert "256 MiB plugged" in done.stdout


def test_a_libvirt_that_is_not_there_is_an_error_of_its_host(theirs, tmp_path):
    nobody = f"qemu+unix:///system?socket={tmp_path}/nobody"
    with pytest.raises(HostError, match="libvirt does not list its domains"):
        running_domains(nobody)
    done = run_program("fleet", "audit", f"libvirt+{nobody}:", f"libvirt+{theirs.uri}:")
    assert done.stdout.startswith("3 machines, 2 looked at"), done
    assert "1 unreachable" in done.stdout
