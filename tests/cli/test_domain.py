"""``guestmap domain``: virsh's verbs, JSON of each, and what a shell completes."""

import io
import json
import os
import tempfile
from contextlib import suppress

import pytest

from guestmap.cli.deadline import deadline
from guestmap.cli.domain_words import Setting
from guestmap.domain.rules.errors import DomainError
from guestmap.testing.qmp_peer import install
from tests.domain.documents import domain, memory
from tests.domain.machines import FakePace
from tests.support.domains import domains
from tests.support.program import assert_one_clear_line, run_program


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
        " enabling memory hotplug [libvirt's rule, 67/10, <maxMemory> on line 8]; add"
        " <cpu><numa><cell .../></numa></cpu>\n"
    )


def test_a_refusal_is_json_where_json_is_asked_for(root):
    done = run_program("domain", "dominfo", "none", "--json")
    assert done.status == 2
    assert json.loads(done.stdout)["refusal"] == {
        "code": 42, "domain": 10, "speaker": "libvirt's rule", "element": None, "line": None,
        "message": "Domain not found: no domain with matching name 'none'",
        "remedy": "there are: none",
    }  # fmt: skip


def test_whose_strictness_counts_is_one_setting(root):
    (root / "new.xml").write_bytes(domain(numa=""))
    assert run_program("domain", "define", str(root / "new.xml"), "--libvirt", "12.9").status == 0
    done = run_program("domain", "--libvirt", "8.0", "list")
    assert done.stderr == "guestmap: --libvirt '8.0' is not one of 9.0, 12.9\n"


def test_an_option_of_all_verbs_stands_behind_a_verb_too_and_has_a_value(root):
    run_program("domain", "define", str(root / "vm.xml"))
    elsewhere = str(root / "elsewhere")
    for words in (
        ["list", "--all", "--name", "--root", elsewhere],
        ["list", "--all", f"--root={elsewhere}"],
    ):
        assert "vm" not in run_program("domain", *words).stdout
    assert_one_clear_line(run_program("domain", "list", "--root"), "--root needs a value")


def test_a_file_that_is_not_there_is_named(root):
    done = run_program("domain", "define", "none.xml")
    assert done.stderr == "guestmap: Failed to open file 'none.xml': No such file or directory\n"


def test_names_of_domains_are_completed(root, monkeypatch):
    run_program("domain", "define", str(root / "vm.xml"))
    monkeypatch.setenv("_GUESTMAP_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "guestmap domain dumpxml v")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert run_program().stdout.split() == ["vm"]


@pytest.fixture
def running(root):
    emulator = install(root / "qemu-system-x86_64")
    (root / "vm.xml").write_bytes(domain(emulator=str(emulator)))
    (root / "dimm.xml").write_bytes(memory())
    run_program("domain", "define", root / "vm.xml")
    yield root
    run_program("domain", "destroy", "vm")


def test_memory_is_attached_and_detached_with_virshs_words(running):
    done = run_program("domain", "start", "vm")
    assert done.stdout == "Domain 'vm' started\n"
    assert "<odd> on line 18 is kept in the definition, and no part of" in done.stderr
    done = run_program("domain", "attach-device", "vm", running / "dimm.xml", "--live", "--config")
    assert done.stdout == "Device attached successfully\n"
    assert run_program("domain", "dumpxml", "vm").stdout.count("base='0x100000000'") == 1
    assert run_program("domain", "dumpxml", "vm", "--inactive").stdout.count("slot='0'") == 1
    done = run_program("domain", "detach-device", "vm", running / "dimm.xml", "--live", "--config")
    assert (done.stdout, done.status) == ("Device detached successfully\n", 0)
    assert run_program("domain", "destroy", "vm").stdout == "Domain 'vm' destroyed\n"


def test_without_a_flag_attach_is_for_the_machine_alone(running):
    done = run_program("domain", "attach-device", "vm", running / "dimm.xml")
    assert done.status == 2
    assert done.stderr.startswith(
        f"guestmap: Failed to attach device from {running / 'dimm.xml'}: Requested operation is not"
        " valid: domain is not running [libvirt's rule, 55/20]"
    )
    run_program("domain", "start", "vm")
    form = json.loads(
        run_program("domain", "attach-device", "vm", running / "dimm.xml", "--json").stdout
    )
    assert form["device"]["alias"] == "dimm0"
    assert "memory model" not in run_program("domain", "dumpxml", "vm", "--inactive").stdout


def test_a_guest_that_says_nothing_is_another_end_than_success(running):
    (running / "vm.xml").write_bytes(domain(emulator=str(running / "qemu-system-x86_64")))
    run_program("domain", "start", "vm", "--paused")
    run_program("domain", "attach-device", "vm", running / "dimm.xml", "--live", "--config")
    with domains(running / "domains", running / "qemu-system-x86_64") as manager:
        manager.ask("x-fake-guest", does="silent")
        done = run_program(
            "domain", "detach-device", "vm", running / "dimm.xml", "--live", "--config",
            "--timeout", "0",
        )  # fmt: skip
        assert done.status == 4
        assert "The guest was asked for dimm0, and said nothing within 0 s: no" in done.stdout
        assert "no definition loses it until it lets go" in done.stdout
        info = run_program("domain", "dominfo", "vm").stdout
        assert "Unplugging:     dimm0\n" in info


def test_a_definition_is_edited_and_keeps_its_name(root, monkeypatch):
    run_program("domain", "define", root / "vm.xml")
    monkeypatch.setenv("VISUAL", "sed -i s/8<.maxMemory/16<\\\\/maxMemory/")
    assert run_program("domain", "edit", "vm").stdout == "Domain 'vm' XML configuration edited\n"
    assert "'GiB'>16</maxMemory>" in run_program("domain", "dumpxml", "vm").stdout
    assert "not changed" in run_program("domain", "edit", "vm").stdout
    monkeypatch.setenv("VISUAL", "sed -i s/name.vm/name>other/")
    done = run_program("domain", "edit", "vm")
    assert "the definition is of 'other', and not of 'vm'" in done.stderr
    monkeypatch.setenv("VISUAL", "false")
    assert "ended with status 1; nothing was changed" in run_program("domain", "edit", "vm").stderr


@pytest.mark.parametrize(
    ("editor", "words"),
    [
        ('"vi', "$VISUAL is '\"vi': No closing quotation"),
        ("no-such-editor", "cannot run no-such-editor"),
        ("rm", "No such file or directory"),
    ],
)
def test_an_editor_that_cannot_be_used_is_one_line(root, monkeypatch, editor, words):
    run_program("domain", "define", root / "vm.xml")
    monkeypatch.setenv("VISUAL", editor)
    assert_one_clear_line(run_program("domain", "edit", "vm"), words)


def test_a_blank_variable_names_no_editor(root, monkeypatch):
    run_program("domain", "define", root / "vm.xml")
    monkeypatch.setenv("VISUAL", " ")
    monkeypatch.setenv("EDITOR", "true")
    assert "not changed" in run_program("domain", "edit", "vm").stdout


def test_a_refused_edit_is_kept(root, monkeypatch):
    run_program("domain", "define", root / "vm.xml")
    monkeypatch.setattr(tempfile, "tempdir", str(root))
    monkeypatch.setenv("VISUAL", "sed -i s,>8<,>x<,")
    done = run_program("domain", "edit", "vm")
    assert_one_clear_line(done, "what you wrote is kept in ")
    (kept,) = root.glob("guestmap-*/vm.xml")
    assert b">x</maxMemory>" in kept.read_bytes()
    assert done.stderr.rstrip().endswith(f" {kept}")
    assert ">8</maxMemory>" in run_program("domain", "dumpxml", "vm").stdout
    monkeypatch.setenv("VISUAL", "true")
    run_program("domain", "edit", "vm")
    assert len([*root.glob("guestmap-*")]) == 1


_SCHEMA = (
    "<element name='domain' xmlns='http://relaxng.org/ns/structure/1.0'><element name='name'>"
    "<text/></element></element>"
)


def test_what_libvirts_schema_does_not_know_is_told_and_refused_where_that_is_asked(
    root, monkeypatch
):
    schema = root / "domain.rng"
    monkeypatch.setenv("GUESTMAP_LIBVIRT_SCHEMA", str(schema))
    done = run_program("domain", "define", root / "vm.xml", "--validate")
    assert f"{schema} is not installed: nothing was held to" in done.stderr
    schema.write_text(_SCHEMA)
    done = run_program("domain", "define", root / "vm.xml")
    assert (done.status, done.stdout.split()[0]) == (0, "Domain")
    assert "would refuse this where it is told to --validate: XML document failed" in done.stderr
    done = run_program("domain", "define", root / "vm.xml", "--validate")
    assert done.status == 2
    assert_one_clear_line(done, "failed to validate against schema: line ")
    monkeypatch.setenv("VISUAL", "sed -i s,>8<,>16<,")
    assert "against schema" in run_program("domain", "edit", "vm").stderr
    assert run_program("domain", "edit", "vm", "--skip-validate").status == 0
    assert ">16</maxMemory>" in run_program("domain", "dumpxml", "vm").stdout


def test_a_domain_is_meant_by_its_id_its_uuid_or_its_name(running):
    run_program("domain", "start", "vm", "--paused")
    (uuid,) = run_program("domain", "list", "--uuid").stdout.split()
    assert run_program("domain", "list", "--id", "--name").stdout == "1 vm\n"
    assert run_program("domain", "list", "--state-paused", "--name").stdout == "vm\n"
    assert run_program("domain", "list", "--all", "--state-running", "--name").stdout == ""
    for word in ("1", uuid, uuid.upper(), "vm"):
        assert "Name:           vm\n" in run_program("domain", "dominfo", word).stdout
    (running / "1.xml").write_bytes(domain().replace(b"<name>vm<", b"<name>1<"))
    run_program("domain", "define", running / "1.xml")
    assert "Name:           vm\n" in run_program("domain", "dominfo", "1").stdout
    run_program("domain", "destroy", uuid)
    assert "Name:           1\n" in run_program("domain", "dominfo", "1").stdout
    assert_one_clear_line(run_program("domain", "dominfo", "7"), "name '7'")


def test_arguments_have_virshs_names_in_any_order(running):
    run_program("domain", "start", "--domain", "vm")
    file = running / "dimm.xml"
    done = run_program("domain", "attach-device", "--file", file, "--live", "--domain=vm")
    assert done.stdout == "Device attached successfully\n"
    done = run_program("domain", "detach-device", f"--file={file}", "--timeout", "9", "vm")
    assert done.stdout == "Device detached successfully\n"
    wrong = [
        (["attach-device", "--file", file], "Missing argument 'DOMAIN'"),
        (["attach-device", "vm", "--file"], "Missing argument 'FILE'"),
        (["attach-device", "vm", file, "more"], "unexpected extra argument"),
        (["attach-device", "vm", "--fiel", file], "No such option: --fiel"),
        (["detach-device", "vm", file, "--timeout"], "requires an argument"),
    ]
    for words, told in wrong:
        assert_one_clear_line(run_program("domain", *words), told)
    done = run_program("domain", "attach-device", "--", "vm", "--no-such-file")
    assert_one_clear_line(done, "'--no-such-file': No such file")


def test_persistent_is_the_definition_and_the_machine_if_it_runs(running):
    file = running / "dimm.xml"
    run_program("domain", "attach-device", "vm", file, "--persistent")
    run_program("domain", "start", "vm")
    run_program("domain", "attach-device", "vm", file, "--persistent")
    for words in ([], ["--inactive"]):
        assert run_program("domain", "dumpxml", "vm", *words).stdout.count("<memory model") == 2
    done = run_program("domain", "attach-device", "vm", file, "--persistent", "--current")
    assert_one_clear_line(done, "mutually exclusive")


def test_a_terminal_is_told_whose_end_is_waited_for(root, monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    manager = Setting(str(root), "9.0").manager()
    ours = FakePace()
    with (
        manager.store.job("vm", "attach-device"),
        pytest.raises(DomainError),
        manager.store.job("vm", "reset", pace=ours),
    ):
        pass
    assert terminal.getvalue() == (
        f"guestmap: vm: attach-device, process {os.getpid()} is at work; its end is waited for,"
        " 30 s at most\n"
    )


def test_a_wait_is_shown_with_its_deadline_on_a_terminal(monkeypatch):
    ours, theirs = os.openpty()
    with open(theirs, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        patch.setattr("sys.stderr", terminal)
        with deadline("vm: the guest is asked", 5.0):
            pass
        with deadline("vm: nothing is waited for", 0.0):
            pass
    shown = b""
    with suppress(OSError):  # the other end is closed
        while more := os.read(ours, 1 << 16):
            shown += more
    os.close(ours)
    assert b"vm: the guest is asked" in shown
    assert b"of 5 s" in shown
    assert b"nothing" not in shown
