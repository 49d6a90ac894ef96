"""A DIMM of huge pages in a machine that runs: through libvirt and through us, on one host.

Ours runs where the daemon does, in its mount namespace: a hugetlbfs is nowhere else.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from tests.domain.documents import domain, memory
from tests.support.libvirtd import DIALECTS, Libvirtd, libvirtd
from tests.support.qemu import require_qemu

pytestmark = [pytest.mark.peers, pytest.mark.qemu]

POOL = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
PAGES = 8
SOURCE = "<source><pagesize unit='MiB'>2</pagesize></source>"
FITS, TOO_MANY = memory("8", more=SOURCE), memory("64", more=SOURCE)


@pytest.fixture(scope="module")
def pool() -> Iterator[None]:
    """Have some huge pages while the tests run."""
    setting = POOL / "nr_hugepages"
    try:
        before = setting.read_text()
        setting.write_text(str(int(before) + PAGES))
    except OSError as error:
        pytest.skip(f"needs to set the host's number of huge pages ({error})")
    try:
        if left() < PAGES:
            pytest.skip("the host's memory has no room for huge pages in one piece")
        yield
    finally:
        setting.write_text(before)


class Hosts(NamedTuple):
    """The daemon, and what runs beside it."""

    theirs: Libvirtd
    dialect: str
    work: Path

    def ours(self, *words: object) -> Any:
        """Return what a command of ours prints, run where the daemon is."""
        inside = ["nsenter", f"--mount=/proc/{self.theirs.process}/ns/mnt"]
        program = [sys.executable, "-m", "guestmap", "domain", "--libvirt", self.dialect]
        done = subprocess.run(
            [*inside, *program, "--root", str(self.work / "ours"), *map(str, words), "--json"],
            capture_output=True, text=True, check=False, cwd=self.work,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module", params=DIALECTS)
def hosts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pool: None
) -> Iterator[Hosts]:
    del pool
    dialect, root = request.param
    work = tmp_path_factory.mktemp("libvirt")
    document = domain(emulator=require_qemu()).decode()
    (work / "vm.xml").write_text(re.sub(r"    <odd.*\n", "", document))
    (work / "fits.xml").write_bytes(FITS)
    (work / "many.xml").write_bytes(TOO_MANY)
    with libvirtd(work, require_qemu(), root=root, huge=True) as theirs:
        found = Hosts(theirs, str(dialect), work)
        machine = theirs.connection.defineXML((work / "vm.xml").read_text())
        machine.createWithFlags(theirs.module.VIR_DOMAIN_START_PAUSED)
        found.ours("define", work / "vm.xml")
        found.ours("start", "vm", "--paused")
        yield found
        found.ours("destroy", "vm")
        machine.destroy()
        machine.undefine()


def left() -> int:
    return int((POOL / "free_hugepages").read_text())


def where(commands: list[dict[str, Any]], work: Path) -> list[dict[str, Any]]:
    """Return commands with the place of memory made one: libvirt has folders of its own there."""
    for each in commands:
        given = each.get("arguments", {})
        if "mem-path" in given:
            assert given["mem-path"].startswith(f"{work}/huge")
            given["mem-path"] = "huge"
    return commands


def shape(text: str) -> bytes:
    (found,) = ElementTree.fromstring(text).iterfind("devices/memory")
    for each in found.iter():
        each.text = each.tail = (each.text or "").strip()
    return ElementTree.tostring(found)


def test_a_dimm_of_huge_pages_comes_and_is_described_as_by_libvirt(hosts):
    machine = hosts.theirs.connection.lookupByName("vm")
    hosts.theirs.sent()
    before = left()
    machine.attachDeviceFlags(FITS.decode(), hosts.theirs.module.VIR_DOMAIN_AFFECT_LIVE)
    assert left() == before - 4
    sent = hosts.theirs.sent()
    words = ("vm", hosts.work / "fits.xml", "--live", "--force")
    plan = hosts.ours("plan", *words)
    assert json.dumps(where(plan["commands"], hosts.work)) == json.dumps(where(sent, hosts.work))
    hosts.ours("attach-device", *words)
    assert left() == before - 8
    assert shape(hosts.ours("dumpxml", "vm")["xml"]) == shape(machine.XMLDesc())


def test_more_pages_than_there_are_is_qemus_word_live_and_ours_in_the_stored_definition(hosts):
    machine = hosts.theirs.connection.lookupByName("vm")
    with pytest.raises(hosts.theirs.module.libvirtError) as refused:
        machine.attachDeviceFlags(TOO_MANY.decode(), hosts.theirs.module.VIR_DOMAIN_AFFECT_LIVE)
    words = ("vm", hosts.work / "many.xml", "--force")
    told = hosts.ours("attach-device", *words, "--live")["refusal"]
    assert told["message"] == refused.value.get_error_message()
    assert told["code"] == refused.value.get_error_code()
    assert told["speaker"] == "QEMU"
    stored = hosts.ours("attach-device", *words, "--config")["refusal"]
    assert "huge pages of 2048 KiB in all, and the device needs 32" in stored["message"]
    assert stored["speaker"] == "guestmap's check"
