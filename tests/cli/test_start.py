"""What a command does not need it does not import, and what it tells before it is imported."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from guestmap import __version__
from guestmap.cli.app import COMMANDS

MAP = """address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): pc.ram
"""
STARTED = """
import json, sys
from guestmap.cli import main
try:
    main()
except SystemExit as ended:
    print(json.dumps([ended.code or 0, sorted(sys.modules)]), file=sys.stderr)
else:
    print(json.dumps([0, sorted(sys.modules)]), file=sys.stderr)
"""
ENGINE = {"unicorn", "guestmap.accel", "guestmap.machine", "guestmap.hw", "guestmap.memory"}
LIBRARIES = {"unicorn"}
"""What a quiet boot needs of others."""

OURS, OTHERS = 384, 120 + (sys.version_info >= (3, 13))
"""The budget of a quiet boot, in modules; which of others there are is for each Python to say."""

NOT_THERE = (
    "guestmap.hw.vga", "guestmap.hw.ide.disk", "guestmap.hw.ide.cdrom", "guestmap.hw.pci.bridge",
    "guestmap.hw.pci.testdev", "guestmap.hw.acpi.ged", "guestmap.hw.virtio_mmio",
    "guestmap.firmware.linux", "guestmap.hw.catalog",
)  # fmt: skip
"""What a machine is made without that has none of it."""

HEAVY = {
    "argparse", "asyncio", "concurrent", "decimal", "email", "http", "logging", "multiprocessing",
    "socket", "ssl", "subprocess", "tempfile", "unittest", "xml",
}  # fmt: skip
ROOMS = {"accel", "base", "cli", "firmware", "hw", "machine", "memory", "qom", "rcu", "start"}

PICTURES = {"bokeh", "matplotlib", "numpy", "guestmap.view"}
SERVERS = {"asyncio", "qemu.qmp", "guestmap.monitor", "guestmap.domain", "guestmap.qmp"}

TELLING = {
    "typer", "rich", "pydantic", "msgspec", "logging", "guestmap.cli.app", "guestmap.cli.story",
    "guestmap.inspect",
}  # fmt: skip


def imported(*words: str | Path) -> set[str]:
    """Return the names of all modules that a run of guestmap has imported at its end."""
    program = [sys.executable, "-c", STARTED, *map(str, words)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=600, check=False)
    code, names = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return set(names)


@pytest.fixture
def pasted(tmp_path: Path) -> Path:
    path = tmp_path / "mtree.txt"
    path.write_text(MAP)
    return path


def test_the_version_needs_next_to_nothing() -> None:
    ours = {name for name in imported("--version") if name.startswith("guestmap")}
    nothing = subprocess.run(
        [sys.executable, "-c", "import json, sys; print(json.dumps(list(sys.modules)))"],
        capture_output=True, check=True,
    )  # fmt: skip

    assert ours == {"guestmap", "guestmap.cli"}
    assert imported("--version") - ours <= {*json.loads(nothing.stdout), "__future__"}


def test_the_version_is_the_packages() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "guestmap", "--version"], capture_output=True, check=True, text=True
    )

    assert done.stdout == f"guestmap {__version__}\n"
    assert done.stderr == ""


def test_help_imports_no_command() -> None:
    ours = {name for name in imported("--help") if name.startswith("guestmap.")}

    assert {name for name in ours if name.startswith("guestmap.cli.")} == {
        "guestmap.cli.app", "guestmap.cli.ending", "guestmap.cli.streams"
    }  # fmt: skip
    assert {name.split(".")[1] for name in ours} == {"base", "cli", "start"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lists_each_command_with_what_its_own_help_begins_with(command: str) -> None:
    name = command.replace("-", "_")
    documentation = inspect.getdoc(getattr(import_module(f"guestmap.cli.{name}"), name))

    assert documentation is not None
    assert documentation.split("\n\n")[0].replace("\n", " ") == COMMANDS[command]


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "{map}", "0x1000"),
        ("explain", "{map}", "0x1000", "--json"),
        ("why-not", "{map}", "pc.ram"),
        ("flat", "{map}"),
        ("tree", "{map}"),
        ("ram", "{map}"),
        ("lint", "{map}"),
        ("diff", "{map}", "{map}"),
        ("snapshot", "{map}"),
    ],
    ids=" ".join,
)
def test_who_reads_a_file_needs_no_machine_no_pictures_and_no_loop(
    words: tuple[str, ...], pasted: Path
) -> None:
    names = imported(*(word.format(map=pasted) for word in words))

    assert not names & (ENGINE | PICTURES | SERVERS)


def test_a_plain_question_about_a_file_needs_no_library_of_the_command_line(pasted: Path) -> None:
    names = imported("explain", pasted, "0x1000", "--as", "memory", "--json")

    assert not names & {"typer", "rich", "pydantic", "guestmap.cli.app"}


def test_a_boot_needs_no_pictures_and_no_monitor() -> None:
    names = imported("boot", "--help")

    assert not names & (PICTURES | SERVERS - {"guestmap.qmp"})  # -object may be given as JSON


@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_boot_that_tells_nothing_needs_nothing_to_tell_it_with() -> None:
    boot = ("boot", "-m", "64M", "--until", "boot", "-q")
    imported(*boot)  # whoever boots for the first time looks at the engine, in a process of its own
    names = imported(*boot)

    assert not names & (PICTURES | SERVERS | TELLING)
    usual = {name.split(".")[0] for name in imported("--version")}
    tops = {name.split(".")[0] for name in names} - usual
    assert tops - sys.stdlib_module_names <= LIBRARIES
    assert not tops & HEAVY
    if sys.version_info < (3, 13):  # from there on each dataclass with slots looks into inspect
        assert not names & {"dis", "tokenize"}  # what modules need that nobody looks into
    ours = {name for name in names if name.startswith("guestmap.")}
    assert {name.split(".")[1] for name in ours} == ROOMS
    assert len(ours) <= OURS
    assert len(names - ours) <= OTHERS
    assert not [name for name in ours if name.startswith(NOT_THERE)]


def test_a_picture_needs_no_machine_where_the_map_is_a_file(pasted: Path, tmp_path: Path) -> None:
    names = imported("draw", pasted, "-o", tmp_path / "map.html")

    assert not names & (ENGINE | SERVERS - {"asyncio"} | {"matplotlib"})  # bokeh imports it
