"""The verbs of ``guestmap domain`` for machines that run."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.cli.deadline import deadline
from guestmap.cli.domain_words import Name, read_file
from guestmap.cli.output import show, warn
from guestmap.cli.parameters import Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_EDITOR = "vi"
_GREETING_S, _REPLY_S, _END_S = 30.0, 60.0, 15.0
"""Deadlines of :mod:`guestmap.domain.process`."""


def start(
    ctx: typer.Context,
    domain: Name,
    paused: Annotated[bool, typer.Option("--paused", help="Do not let the guest run yet.")] = False,
    as_json: Json = False,
) -> None:
    """Start a domain's machine."""
    with deadline(f"{domain}: its monitor greets", _GREETING_S, quiet=as_json):
        found = ctx.obj.manager().changes.start(domain, paused=paused)
    for note in found.notes:
        warn(f"guestmap: {note}")
    form = {
        "domain": domain,
        "id": found.status.id,
        "state": found.status.state,
        "pid": found.status.process.number,
        "qmp": found.status.look,
        "notes": list(found.notes),
    }
    show(form, [f"Domain '{domain}' started"], as_json)


def destroy(
    ctx: typer.Context,
    domain: Name,
    graceful: Annotated[
        bool, typer.Option("--graceful", help="With SIGTERM alone first, for 10 s: as always.")
    ] = False,
    as_json: Json = False,
) -> None:
    """End a domain's machine at once, as a power failure does."""
    del graceful
    with deadline(f"{domain}: its process ends", _END_S, quiet=as_json):
        ctx.obj.manager().changes.destroy(domain)
    show({"domain": domain, "state": "shut off"}, [f"Domain '{domain}' destroyed"], as_json)


def shutdown(ctx: typer.Context, domain: Name, as_json: Json = False) -> None:
    """Ask a domain's guest to shut down."""
    with deadline(f"{domain}: QEMU hands it on", _REPLY_S, quiet=as_json):
        ctx.obj.manager().changes.shutdown(domain)
    show({"domain": domain, "asked": True}, [f"Domain '{domain}' is being shutdown"], as_json)


def reset(ctx: typer.Context, domain: Name, as_json: Json = False) -> None:
    """Reset a domain's machine, as its reset button does."""
    with deadline(f"{domain}: QEMU resets it", _REPLY_S, quiet=as_json):
        ctx.obj.manager().changes.reset(domain)
    show({"domain": domain, "reset": True}, [f"Domain '{domain}' was reset"], as_json)


def edit(
    ctx: typer.Context,
    domain: Name,
    skip_validate: Annotated[
        bool, typer.Option("--skip-validate", help="Do not hold it to libvirt's schema.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Edit a domain's stored definition with $VISUAL or $EDITOR.

    What is refused changes nothing; the file is kept then, and named.
    """
    manager = ctx.obj.manager()
    before = manager.dumpxml(domain, inactive=True)
    folder = Path(tempfile.mkdtemp(prefix="guestmap-"))
    file = folder / f"{domain}.xml"
    with _kept(file, before):
        file.write_bytes(before)
        _run_editor(_editor(), file)
        after = read_file(str(file))
        is_other = after != before
        if is_other:
            manager.redefine(domain, after, validate=not skip_validate)
    shutil.rmtree(folder, ignore_errors=True)
    words = "edited" if is_other else "not changed"
    form = {"domain": domain, "edited": is_other}
    show(form, [f"Domain '{domain}' XML configuration {words}"], as_json)


@contextmanager
def _kept(file: Path, before: bytes) -> Iterator[None]:
    """Where an edit fails, keep what was written, and say where; remove what is as it was."""
    from guestmap.base import GuestmapError

    try:
        yield
    except GuestmapError as error:
        if file.is_file() and file.read_bytes() != before:
            error.args = (f"{error}; what you wrote is kept in {file}",)
        else:
            shutil.rmtree(file.parent, ignore_errors=True)
        raise


def _run_editor(words: list[str], file: Path) -> None:
    from guestmap.base import HostError

    try:
        done = subprocess.run([*words, str(file)], check=False)
    except OSError as error:
        raise HostError(f"cannot run {words[0]}", errno=error.errno, call="exec") from error
    if done.returncode:
        raise HostError(f"{words[0]} ended with status {done.returncode}; nothing was changed")


def _editor() -> list[str]:
    """Return the editor's words.

    Raises:
        ConfigError: a variable is no command line.
    """
    from guestmap.base import ConfigError

    for variable in ("VISUAL", "EDITOR"):
        told = os.environ.get(variable, "")
        try:
            words = shlex.split(told)
        except ValueError as error:
            raise ConfigError(f"${variable} is {told!r}: {error}; set it anew") from error
        if words:
            return words
    return [_EDITOR]


RUNNING_VERBS: dict[str, Callable[..., None]] = {
    "start": start,
    "destroy": destroy,
    "shutdown": shutdown,
    "reset": reset,
    "edit": edit,
}
