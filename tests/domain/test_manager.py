"""Domains are defined, listed, shown and forgotten; nothing waits that only reads."""

import pytest

from guestmap.domain.events.log import Tail
from guestmap.domain.manager import Manager
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.store.store import Store
from guestmap.domain.xml.schema import check_schema
from tests.domain.documents import domain


@pytest.fixture
def manager(tmp_path):
    return Manager(Store(tmp_path / "config", tmp_path / "run"))


def test_a_definition_gets_a_uuid_and_stays_as_it_is_besides(manager):
    assert manager.define(domain()) == "vm"
    text = manager.dumpxml("vm")
    (listed,) = manager.domains(everything=True)
    assert text.replace(f"\n  <uuid>{listed.uuid}</uuid>".encode(), b"") == domain()
    assert (listed.name, listed.id, listed.state, listed.persistent) == (
        "vm", None, "shut off", True,
    )  # fmt: skip
    assert manager.domains() == ()


def test_another_definition_of_a_domain_keeps_its_uuid(manager):
    manager.define(domain())
    (before,) = manager.domains(everything=True)
    manager.define(domain(limit=""))
    (after,) = manager.domains(everything=True)
    assert after.uuid == before.uuid
    assert b"maxMemory" not in manager.dumpxml("vm")


UUID = "01234567-89ab-cdef-0123-456789abcdef"


def with_uuid(name: str, uuid: str = UUID) -> bytes:
    return domain(name).replace(b"<metadata>", f"<uuid>{uuid}</uuid><metadata>".encode())


def test_a_uuid_belongs_to_one_domain(manager):
    manager.define(with_uuid("a"))
    with pytest.raises(DomainError, match=f"domain 'a' already exists with uuid {UUID}"):
        manager.define(with_uuid("b"))
    with pytest.raises(DomainError, match="domain 'a' is already defined with uuid"):
        manager.define(with_uuid("a", UUID[::-1]))


def test_a_refused_definition_changes_nothing(manager):
    manager.define(domain())
    before = manager.dumpxml("vm")
    with pytest.raises(DomainError):
        manager.define(domain(numa=""))
    assert manager.dumpxml("vm") == before


def test_what_is_forgotten_is_not_there(manager):
    manager.define(domain())
    manager.undefine("vm")
    with pytest.raises(DomainError, match="no domain with matching name 'vm'"):
        manager.dumpxml("vm")


def test_reading_never_waits_for_a_job(manager):
    manager.define(domain())
    with manager.store.job("vm", "attach-device"):
        assert manager.dumpxml("vm")
        assert manager.info("vm").max_memory == 524288
        assert len(manager.domains(everything=True)) == 1


def test_a_definition_that_cannot_be_read_does_not_hide_the_others(manager):
    manager.define(domain("a"))
    manager.define(domain("b"))
    manager.store.config_file("a").write_text("<domain")
    found = {each.name: each.trouble for each in manager.domains(everything=True)}
    assert found["b"] == ""
    assert "(domain_definition):1:" in found["a"]


def test_events_tell_what_was_done(manager):
    tail = Tail(manager.log)
    manager.define(domain())
    manager.undefine("vm")
    assert [(each.event, each.domain, each.detail) for each in tail.news()] == [
        ("lifecycle", "vm", "defined"), ("lifecycle", "vm", "undefined"),
    ]  # fmt: skip
    assert tail.news() == []


def test_a_schema_is_asked_last_and_its_answer_is_put_right(tmp_path):
    schema = tmp_path / "domain.rng"
    schema.write_text(
        '<element name="domain" xmlns="http://relaxng.org/ns/structure/1.0"><element name="name">'
        "<text/></element></element>"
    )
    assert check_schema(b"<domain><name>a</name></domain>", schema)
    with pytest.raises(DomainError, match="failed to validate against schema: line 2") as refused:
        check_schema(b"<domain>\n<nome/></domain>", schema)
    assert refused.value.code == 35
    assert not check_schema(b"<domain/>", tmp_path / "none")
