"""Definitions and what runs are kept, and read back as they were."""

import pytest
from msgspec.structs import replace

from guestmap.base import ConfigError, PeerError
from guestmap.domain.journal import Process
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.store.journal import Note
from guestmap.domain.store.opening import open_store
from guestmap.domain.store.status import PAUSED, Pending, Status
from guestmap.domain.store.store import Store
from tests.domain.documents import definition


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "config", tmp_path / "run")


def status(process: Process | None = None) -> Status:
    return Status(
        PAUSED,
        7,
        process or Process.this(),
        "/run/a&b/monitor",
        "/run/look",
        "/run/events",
        definition(),
        ("dimm0", "ua-'x'"),
        (Pending("dimm0", config=True),),
        "/var/ram/7-vm",
    )


def test_a_definition_comes_back_byte_for_byte(store):
    found = definition()
    store.save(found)
    again = store.definition("vm")
    assert again is not None
    assert again.data == found.data
    assert store.names() == ("vm",)


def test_a_status_comes_back(store):
    store.save_status(status())
    again = store.status("vm")
    assert again is not None
    one = status()
    assert (again.state, again.id, again.process) == (one.state, one.id, one.process)
    assert (again.monitor, again.look, again.events) == (one.monitor, one.look, one.events)
    assert (again.aliases, again.pending) == (one.aliases, one.pending)
    assert again.definition.data in one.definition.data
    assert again.definition.devices == one.definition.devices


def test_a_process_that_has_another_ones_number_is_not_the_machine(store):
    mine = Process.this()
    store.save_status(status(Process(mine.number, mine.start - 1)))
    assert store.status("vm") is not None
    assert store.running("vm") is None


def test_a_status_of_somebody_else_is_refused(store):
    store.save_status(status())
    store.status_file("vm").write_bytes(b"<domstatus/>")
    with pytest.raises(PeerError, match="no status"):
        store.status("vm")


@pytest.mark.parametrize("name", ["nosuch", "../etc/passwd", "", ".hidden", "a\nb"])
def test_a_domain_that_is_not_there_is_named(store, name):
    store.save(definition())
    with pytest.raises(DomainError) as refused:
        store.known(name)
    assert refused.value.text == f"Domain not found: no domain with matching name '{name}'"
    assert refused.value.code == 42


def test_a_note_comes_back_until_it_is_struck_out(store, tmp_path):
    store.save_status(status())
    notes = store.notes("vm")
    note = Note("attach", alias="dimm0", backend="memdimm0", config="<domain/>")
    notes.write(note)
    assert notes.read() == note
    notes.strike()
    assert notes.read() is None
    notes.strike()


def test_folders_are_the_users_own(monkeypatch, tmp_path):
    for name in ("GUESTMAP_DOMAINS", "GUESTMAP_MEMORY_BACKING_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, folder in (("CONFIG_HOME", "c"), ("RUNTIME_DIR", "r"), ("STATE_HOME", "s")):
        monkeypatch.setenv(f"XDG_{name}", str(tmp_path / folder))
    found = open_store(dialect=LibvirtDialect.V12)
    assert found.config == tmp_path / "c/guestmap/domains"
    assert found.run == tmp_path / "r/guestmap/domains"
    assert found.dialect is LibvirtDialect.V12
    assert found.memory_folder("vm", 3) == tmp_path / "s/guestmap/domains/ram/3-vm"
    assert open_store(str(tmp_path)).config == tmp_path / "config"
    assert open_store(str(tmp_path)).memory_folder("vm", 3) == tmp_path / "ram/3-vm"
    monkeypatch.setenv("GUESTMAP_MEMORY_BACKING_DIR", str(tmp_path / "m"))
    for each in (open_store(), open_store(str(tmp_path))):
        assert each.memory_folder("vm", 3) == tmp_path / "m/3-vm"


def test_definitions_and_what_runs_are_not_in_one_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("GUESTMAP_DOMAINS", raising=False)
    for name in ("CONFIG_HOME", "RUNTIME_DIR"):
        monkeypatch.setenv(f"XDG_{name}", str(tmp_path))
    with pytest.raises(ConfigError, match=f"one folder, {tmp_path}: set XDG_CONFIG_HOME and"):
        open_store()
    assert open_store(str(tmp_path)).run == tmp_path / "run"


def test_only_a_folder_that_was_made_for_a_machine_goes_with_it(store, tmp_path):
    own, other = tmp_path / "7-vm", tmp_path / "7-other"
    for each in (own, other):
        each.mkdir()
        store.forget_all_memory(replace(status(), memory=str(each)))
    assert not own.exists()
    assert other.exists()
    assert store.status("vm") is None


def test_what_another_program_wrote_counts_and_not_what_was_read_before(store):
    store.save(definition())
    assert store.definition("vm").current == 512 << 10
    assert store.definition("vm") is store.definition("vm")
    path = store.config_file("vm")
    path.write_bytes(path.read_bytes().replace(b">524288<", b">262144<"))
    assert store.definition("vm").current == 256 << 10
    store.save_status(status())
    path = store.status_file("vm")
    assert store.status("vm").state == "paused"
    path.write_bytes(path.read_bytes().replace(b"state='paused'", b"state='running'"))
    assert store.status("vm").state == "running"
