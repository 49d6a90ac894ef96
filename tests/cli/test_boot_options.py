"""Lines of ``guestmap boot`` that are plainly right are read as the command line's library does."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import typer
from typer.main import get_command

from guestmap.cli import app
from guestmap.cli import boot as boot_command
from guestmap.cli.boot_options import PLAIN, BootOptions, plainly_read

NOT_PLAIN = {
    "ctx", "qmp", "gdb", "paused", "snapshots", "schema",
}  # fmt: skip
"""Parameters that say more than a value, or are for machines that run for long."""


@pytest.fixture
def library_reads(monkeypatch: pytest.MonkeyPatch):
    """Return what reads words as the library of the command line does."""

    def read(*words: str) -> BootOptions:
        seen: list[BootOptions] = []
        monkeypatch.setattr(boot_command, "boot_machine", lambda options: seen.append(options) or 0)
        application: typer.Typer = app.application(("boot",))
        application(["boot", *words], standalone_mode=False)
        return seen[0]

    return read


def test_every_option_is_known_or_left_to_the_library() -> None:
    command = get_command(app.application(("boot",))).commands["boot"]
    spelled = {word: each.name for each in command.params for word in each.opts}
    plain = {word: name for word, name in spelled.items() if name not in {*NOT_PLAIN, "help"}}

    valued = {**PLAIN.values, **PLAIN.lists}
    assert plain == PLAIN.flags | {word: name for word, (name, _) in valued.items()}


def test_every_parameter_has_its_default(library_reads) -> None:
    assert plainly_read([]) == library_reads()
    assert {each.name for each in fields(BootOptions)} == {
        each.name for each in get_command(app.application(("boot",))).commands["boot"].params
    } - {"schema", "help"} | {"given"}


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "128M", "--until", "boot", "-q"),
        ("-m", "64M", "-m", "96M"),
        ("-M", "pc,smm=off", "--until", "boot"),
        ("--machine", "microvm"),
        ("--json", "--mtree", "--flat", "-v", "--no-reboot"),
        ("--kernel", "vmlinuz", "--initrd", "a/b.gz", "--append", "console=ttyS0 quiet"),
        ("--kernel", "vmlinuz", "--kernel-entry", "32"),
        ("--device", "pci-testdev", "--device", "pc-dimm,id=d,memdev=m", "--numa", "node"),
        ("--object", "memory-backend-ram,id=m,size=64M", "--option-rom", "x", "--option-rom", "y"),
        ("--bios", "./bios.bin", "--max-ram-below-4g", "2G", "--engine", "none"),
        ("--trace", "c9000-c9fff,w", "--trace", "0x413", "--stop-at", "f000:fff0,x"),
        ("--serial", "stdio", "--save", "f", "--restore", "g", "--quiet", "--verbose"),
    ],
    ids=" ".join,
)
def test_both_read_the_same(words: tuple[str, ...], library_reads) -> None:
    plain, other = plainly_read(words), library_reads(*words)

    assert plain is not None
    assert replace(plain, given={}) == replace(other, given={})
    assert plain.given.keys() == other.given.keys()


@pytest.mark.parametrize(
    "words",
    [
        ("--help",), ("-M", "help"), ("-M", "pc,help"), ("--until", "nowhere"), ("--until",),
        ("-m128M",), ("--until=boot",), ("-qv",), ("--quie",), ("extra",), ("--", "-q"),
        ("--append", ""), ("--append", "-q"), ("--qmp", "unix:x"), ("--schema",),
        ("--gdb", "unix:x"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_all_else_is_left_to_the_library(words: tuple[str, ...]) -> None:
    assert plainly_read(words) is None
