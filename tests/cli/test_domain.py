"""``guestmap domain``: virsh's verbs, JSON of each, and what a shell completes."""

import json

import pytest

from tests.domain.documents import domain
from tests.support.program import run_program


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("GUESTMAP_DOMAINS", str(tmp_path / "domains"))
    (tmp_path / "vm.xml").write_bytes(domain())
    return tmp_path


def test_a_domain_is_defined_listed_shown_and_forgotten(root):
    done = run_program("domain", "define", str(root / "vm.xml"))
    assert done.stdout == f"Domain 'vm' defined from {root / 'vm.xml'}\n"
    done = run_program("domain", "list", "--all")
    assert done.stdout.splitlines()[2].split() == ["-", "vm", "shut", "off"]
    assert run_program("domain", "list").stdout.count("\n") == 2
    assert run_program("domain", "list", "--all", "--name").stdout == "vm\n"
    text = run_program("domain", "dumpxml", "vm").stdout
    assert text.startswith('<?xml version="1.0"?>\n<!-- of')
    info = run_program("domain", "dominfo", "vm").stdout
    assert "State:          shut off\n" in info
    assert run_program("domain", "undefine", "vm").stdout == "Domain 'vm' has been undefined\n"
    assert json.loads(run_program("domain", "list", "--all", "--json").stdout) == {"domains": []}


def test_a_refusal_is_one_line_that_says_who_where_and_what_to_do(root):
    (root / "bad.xml").write_bytes(domain(numa=""))
    done = run_program("domain", "define", str(root / "bad.xml"))
    assert done.status == 2
    assert done.stderr == (
        "guestmap: unsupported configuration: At least one numa node has to be configured when"
        " enabling memory hotplug [libvirt's rule, 67/20, <maxMemory> on line 8]; add"
        " <cpu><numa><cell .../></numa></cpu>\n"
    )


def test_whose_strictness_counts_is_one_setting(root):
    (root / "new.xml").write_bytes(domain(numa=""))
    assert run_program("domain", "define", str(root / "new.xml"), "--libvirt", "12.9").status == 0
    done = run_program("domain", "--libvirt", "8.0", "list")
    assert done.stderr == "guestmap: --libvirt '8.0' is not one of 9.0, 12.9\n"


def test_a_file_that_is_not_there_is_named(root):
    done = run_program("domain", "define", "none.xml")
    assert done.stderr == "guestmap: Failed to open file 'none.xml': No such file or directory\n"


def test_names_of_domains_are_completed(root, monkeypatch):
    run_program("domain", "define", str(root / "vm.xml"))
    monkeypatch.setenv("_GUESTMAP_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "guestmap domain dumpxml v")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert run_program().stdout.split() == ["vm"]
