"""The application: its sub-commands, and how errors end it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand

from guestmap import __version__
from guestmap.base.collector import collect_from_now_on
from guestmap.cli.ending import ended, let_interrupts_raise, refused
from guestmap.cli.streams import FAILURE, STATUSES, standard_streams

_PLUGGING = {"plug", "unplug", "resize"}
"""Commands whose help ends with a table of exit statuses, which say what is so with a machine."""
_ONLY_TELLING = {"--dry-run", "--help", "--schema"}
"""With one of these they change nothing, so that what cannot be printed is all that is lost."""
_GROUPS = {"domain", "fleet"}
"""Commands that have verbs of their own."""
_CLEANING_UP = _PLUGGING | {"boot", "conform", "serve", "watch"}
"""What these have begun must be ended, or told, after Ctrl-C; so must what groups do."""
COMMANDS: Final = {
    "boot": "Boot SeaBIOS on a PC and show how its memory map changes.",
    "conform": "Run recordings of a real QEMU and print where guestmap's answers are not QEMU's.",
    "draw": "Draw a memory map: who answers where, the tree behind it, and what is hidden in it.",
    "serve": (
        "Show a memory map live in a web browser, with its history as a timeline to step through."
    ),
    "explain": (
        "Say who answers at an address or in a range, by which way, its RAM, and why others do not."
    ),
    "why-not": "Say where a region is visible, where it is not, and who is in the way.",
    "diff": "Say what changed between two maps, range by range and region by region, and why.",
    "lint": "Say what is wrong or suspicious in a map, where, and what to do about it.",
    "pci": "List PCI functions: their BARs, who answers there, and what bridges pass on.",
    "ram": "List guest-physical memory with the RAM block and offset behind each range.",
    "dma": (
        "Say what a device reaches by itself: memory, other devices, or an IOMMU that translates."
    ),
    "roms": ("Say what firmware, kernels and option ROMs are loaded where, and who answers there."),
    "read": "Print the bytes at a guest-physical address, of our own machine or a running one.",
    "kvm": "List the memory slots that a machine on KVM must have made for a map.",
    "tree": "Print the tree of regions behind each address space, and how much of each is seen.",
    "flat": "Print who answers where: sizes, types, and the share that each range has of its view.",
    "watch": "Print what changes in a running machine's map, until Ctrl-C or the machine's end.",
    "snapshot": (
        "Save a map as JSON: trees, views, RAM blocks. What reads a map takes the file back."
    ),
    "plug": "Plug memory into a running machine, on any QEMU, after saying what will come of it.",
    "unplug": "Ask a running guest for a DIMM, and take it out when the guest lets go of it.",
    "resize": "Request another size of a virtio-mem device, and follow its guest to it.",
    "dimms": "Show what is plugged into a running machine, slot by slot, and what room is left.",
    "completion": (
        "Print what teaches a shell to complete commands, options, sources and names of regions."
    ),
    "doctor": (
        "Say what is installed and what is missing, engines and firmware among it, and how to get"
        " it."
    ),
    "domain": "Manage domains as virsh does: define, start, attach and detach memory, and verify.",
    "fleet": "Audit, ask, and plug memory into many machines at once, on one host or on hundreds.",
}
"""The sub-commands and what their help begins with; each is a function in a module of its name."""

COMPLETE: Final = "_GUESTMAP_COMPLETE"
"""What a shell sets that asks for completion (typer, "CLI option autocompletion")."""

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # its own class has no public name


def application(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """Return the application with these sub-commands; no other's modules are imported."""
    from guestmap.cli.schema_option import with_schema

    app = _bare()
    for name in commands:
        python_name = name.replace("-", "_")
        module = import_module(f"guestmap.cli.{python_name}")
        if name in _GROUPS:
            app.add_typer(_verbs(module, name), name=name)
            continue
        kind = getattr(module, "COMMAND_CLASS", TyperCommand)
        function = getattr(module, python_name)
        command = with_schema(_ending_well(function, cleans_up=name in _CLEANING_UP))
        app.command(name, cls=kind, help=_help(command), epilog=_epilog(name))(command)
    return app


def _verbs(module: Any, name: str) -> typer.Typer:
    """Return the commands of one group."""
    from guestmap.cli.schema_option import with_schema
    from guestmap.cli.verbs_group import VerbsGroup

    group = typer.Typer(cls=VerbsGroup, no_args_is_help=True)
    whole = getattr(module, name)
    group.callback(help=_help(whole))(whole)
    kind = getattr(module, "VerbCommand", TyperCommand)
    for verb, function in module.verbs().items():
        command = with_schema(_ending_well(function, cleans_up=True))
        group.command(verb, cls=kind, help=_help(command))(command)
    return group


def overview() -> typer.Typer:
    """Return what only lists the sub-commands, and knows a wrong one: nothing is imported."""
    app = _bare()
    for name, summary in COMMANDS.items():
        app.command(name, help=summary)(lambda: None)
    return app


def _bare() -> typer.Typer:
    app = typer.Typer(
        name="guestmap",
        help="The guest-physical memory of a PC virtual machine: run, plugged, read and explained.",
        epilog=_table_of_statuses(),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    return app


def _help(command: Callable[..., None]) -> str:
    """Return a command's docstring with no line ends but between paragraphs."""
    paragraphs = (command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


def _epilog(command: str) -> str | None:
    if command not in _PLUGGING:
        return None
    from guestmap.cli.plug_exits import status_table

    return status_table(command)


def _table_of_statuses() -> str:
    table = [f"{n}  {words}" for n, words in STATUSES.items()]
    more = "plug, unplug and resize have more: their --help says which"
    return "\n\n".join(["Exit status:", *table, more])


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"guestmap {__version__}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    del version


def run() -> None:
    """Run the application with the program's arguments."""
    words = sys.argv[1:] or _words_to_complete()
    first = next((word for word in words if not word.startswith("-")), "")
    with standard_streams() as streams:
        status = _run(application((first,)) if first in COMMANDS else overview())
        changes = first in _PLUGGING and _ONLY_TELLING.isdisjoint(words)
        status = streams.settle(status, changes=changes)
    sys.exit(status)


def _words_to_complete() -> list[str]:
    """Return the words that a shell wants completed; it asks through the environment."""
    if COMPLETE not in os.environ:
        return []
    import_module("typer.completion").completion_init()  # the shells that typer knows
    return os.environ.get("COMP_WORDS", os.environ.get("_TYPER_COMPLETE_ARGS", "")).split()[1:]


def _run(app: typer.Typer) -> int:
    """Run; return the exit status."""
    try:
        return int(app(standalone_mode=False, prog_name="guestmap") or 0)
    except _UsageError as error:
        return _misused(error)


def _ending_well(command: Callable[..., None], *, cleans_up: bool) -> Callable[..., None]:
    """Return a command that tells errors in one line, and ends with their status.

    One that only reads ends on Ctrl-C as before it began: an exception would be lost in a callback,
    or raised inside a library that does not expect it.
    """

    @wraps(command)
    def run_command(*args: Any, **kwargs: Any) -> None:
        if cleans_up:
            let_interrupts_raise()  # no sooner: until here, nothing would catch it
        if not getattr(command, "collects", False):
            collect_from_now_on()
        as_json = bool(kwargs.get("as_json"))
        status = ended(lambda: command(*args, **kwargs), as_json=as_json)
        if status:
            raise typer.Exit(status)

    return run_command


def _misused(error: Any) -> int:
    """Say what is wrong with the command line, in one line, or help who gave none."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return FAILURE
    message = error.format_message().strip().removesuffix(".").replace("Value error, ", "")
    message = message.replace("\n\t", " ")  # before each word that there is to choose from
    context = getattr(error, "ctx", None)
    hint = f"; see '{context.command_path} --help'" if context is not None else ""
    return refused(f"{message}{hint}", "UsageError", as_json="--json" in sys.argv)
