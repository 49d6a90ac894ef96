"""A libvirt that is reached over TLS, by its own remote driver: certificates of this run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.test_fleet_beside_libvirt import DIMM, named
from tests.support.certificates import write_certificates
from tests.support.libvirtd import Libvirtd, libvirtd
from tests.support.qemu import require_qemu
from tests.support.remote_libvirt import (
    assert_found_audited_and_planned_for,
    assert_refused,
)

pytestmark = [pytest.mark.peers, pytest.mark.qemu, pytest.mark.timeout(120)]


def client_keys(keys: Path, folder: Path) -> Path:
    """Return a folder that libvirt's client takes as ``pkipath``."""
    folder.mkdir()
    for theirs, ours in (("ca-cert", "cacert"), ("client-cert", "clientcert"),
                         ("client-key", "clientkey")):  # fmt: skip
        (folder / f"{ours}.pem").write_bytes((keys / f"{theirs}.pem").read_bytes())
    return folder


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Libvirtd, str]]:
    """A daemon with a domain that runs, and where it is."""
    keys = write_certificates(tmp_path_factory.mktemp("keys"))
    ours = client_keys(keys, tmp_path_factory.mktemp("pki") / "client")
    with libvirtd(tmp_path_factory.mktemp("libvirt"), require_qemu(), keys=keys) as daemon:
        domain = daemon.connection.defineXML(named("plugged", DIMM))
        domain.createWithFlags(daemon.module.VIR_DOMAIN_START_PAUSED)
        yield daemon, f"qemu+tls://localhost/system?pkipath={ours}"


def test_its_domains_are_found_audited_and_planned_for(theirs):
    assert_found_audited_and_planned_for(*theirs)


def test_who_has_no_certificate_is_one_line(theirs, tmp_path):
    daemon, uri = theirs
    stranger = client_keys(write_certificates(tmp_path / "keys"), tmp_path / "client")
    assert_refused(daemon, uri.partition("?")[0] + f"?pkipath={stranger}", "ertificate")
