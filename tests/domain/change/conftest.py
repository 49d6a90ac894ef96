import pytest

from guestmap.testing.qmp_peer import install
from tests.support.domains import domains


@pytest.fixture(scope="session")
def emulator(tmp_path_factory):
    return install(tmp_path_factory.mktemp("emulator") / "qemu-system-x86_64")


@pytest.fixture
def manager(tmp_path, emulator):
    with domains(tmp_path, emulator) as found:
        yield found
