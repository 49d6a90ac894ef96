"""The verbs of ``guestmap domain`` for memory that comes and goes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guestmap.cli.deadline import deadline
from guestmap.cli.domain_words import (
    SILENT,
    Config,
    Current,
    File,
    Live,
    Name,
    Persistent,
    read_file,
    targets,
)
from guestmap.cli.output import show
from guestmap.cli.parameters import Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.domain.xml.memory import MemoryDef

CHANGE_S = 60.0
"""Seconds that QEMU has for a command (:data:`guestmap.domain.process.wire.REPLY_S`)."""

Wait = Annotated[
    float, typer.Option("--timeout", min=0.0, max=86400.0, help="Seconds that the guest has.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Do it even where the guest will get nothing of it.")
]


def attach_device(
    ctx: typer.Context,
    domain: Name,
    file: File,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    persistent: Persistent = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Attach the memory device that a file describes.

    It is checked against both definitions before anything is done; what fails leaves everything as
    it was. That the guest acknowledges it is not waited for: see 'guestmap domain verify'.
    """
    to = targets(live, config, current, persistent, default_live=True)
    document = read_file(file)
    with (
        _told(f"Failed to attach device from {file}"),
        deadline(f"{domain}: QEMU makes the device", CHANGE_S, quiet=as_json),
    ):
        device = ctx.obj.manager().changes.attach(domain, document, to, force=force)
    form = {"domain": domain, "attached": True, "device": _form(device)}
    show(form, ["Device attached successfully"], as_json)


def detach_device(
    ctx: typer.Context,
    domain: Name,
    file: File,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    persistent: Persistent = False,
    timeout: Wait = 5.0,
    as_json: Json = False,
) -> None:
    """Detach the memory device that a file describes, the same one from both definitions.

    The guest is asked, and decides. Where it says nothing in time the exit status is 4: both
    definitions keep the device until the machine has let go of it.
    """
    to = targets(live, config, current, persistent, default_live=True)
    document = read_file(file)
    with (
        _told(f"Failed to detach device from {file}"),
        deadline(f"{domain}: the guest is asked to let go", timeout, quiet=as_json),
    ):
        done = ctx.obj.manager().changes.detach(domain, document, to, wait_s=timeout)
    detached(domain, done, timeout, as_json)


def detach_device_alias(
    ctx: typer.Context,
    domain: Name,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="The device's name: dimm0.")],
    live: Live = False,
    config: Config = False,
    current: Current = False,
    timeout: Wait = 5.0,
    as_json: Json = False,
) -> None:
    """Detach the memory device of a name; see detach-device."""
    to = targets(live, config, current, default_live=True)
    with (
        _told(f"Failed to detach device with alias {alias}"),
        deadline(f"{domain}: the guest is asked for {alias}", timeout, quiet=as_json),
    ):
        done = ctx.obj.manager().changes.detach_alias(domain, alias, to, wait_s=timeout)
    detached(domain, done, timeout, as_json)


def update_memory_device(
    ctx: typer.Context,
    domain: Name,
    requested_size: Annotated[
        str, typer.Option("--requested-size", help="How much the guest shall have: 512M, KiB.")
    ],
    alias: Annotated[str | None, typer.Option("--alias", help="The device's name.")] = None,
    node: Annotated[int | None, typer.Option("--node", min=0, help="The guest's node.")] = None,
    print_xml: Annotated[
        bool, typer.Option("--print-xml", help="Print the device as it would be; change nothing.")
    ] = False,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    as_json: Json = False,
) -> None:
    """Request another size of a virtio-mem device; the only one, if there is one."""
    from guestmap.domain.change.which import Which

    kib = _kib(requested_size, "--requested-size")
    to = targets(live, config, current)
    manager = ctx.obj.manager()
    if print_xml:
        text = manager.resized_xml(domain, Which(alias, node), kib, to)
        show({"domain": domain, "requested": kib, "xml": text}, text.splitlines(), as_json)
        return
    with (
        _told("Failed to update memory device"),
        deadline(f"{domain}: QEMU takes the size", CHANGE_S, quiet=as_json),
    ):
        manager.changes.update(domain, Which(alias, node), kib, to)
    show({"domain": domain, "requested": kib}, [], as_json)


def update_device(
    ctx: typer.Context,
    domain: Name,
    file: File,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    persistent: Persistent = False,
    force: Annotated[
        bool, typer.Option("--force", help="As without it: nothing is forced.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Have a virtio-mem device as a file describes it: with another requested size.

    Nothing else of it can change. It is found by its alias, its address or its node, in both
    definitions.
    """
    del force
    to = targets(live, config, current, persistent)
    document = read_file(file)
    with (
        _told(f"Failed to update device from {file}"),
        deadline(f"{domain}: QEMU takes the size", CHANGE_S, quiet=as_json),
    ):
        ctx.obj.manager().changes.update_device(domain, document, to)
    show({"domain": domain, "updated": True}, ["Device updated successfully"], as_json)


def setmem(
    ctx: typer.Context,
    domain: Name,
    size: Annotated[str, typer.Argument(metavar="SIZE", help="512M; plain numbers are KiB.")],
    live: Live = False,
    config: Config = False,
    current: Current = False,
    as_json: Json = False,
) -> None:
    """Ask the guest, by its balloon, to have so much memory."""
    kib = _kib(size, "SIZE")
    to = targets(live, config, current)
    with deadline(f"{domain}: QEMU hands it on to the balloon", CHANGE_S, quiet=as_json):
        ctx.obj.manager().changes.set_memory(domain, kib, to)
    show({"domain": domain, "memory": kib}, [], as_json)


def detached(domain: str, done: Any, timeout: float, as_json: bool) -> None:
    """Tell what came of detaching; a guest that said nothing is another end than success."""
    form = {"domain": domain, "detached": done.is_gone, "alias": done.alias}
    if done.is_gone:
        show(form, ["Device detached successfully"], as_json)
        return
    sentence = (
        f"The guest was asked for {done.alias}, and said nothing within {timeout:g} s: no"
        " definition loses it until it lets go (guestmap domain event --loop, or the next change,"
        " finishes then)"
    )
    show(form, [sentence], as_json)
    raise typer.Exit(SILENT)


def _kib(text: str, what: str) -> int:
    from guestmap.base import KIB, parse_memory_size

    return -(-parse_memory_size(text, default_unit=KIB, what=what) // KIB)


def _form(device: MemoryDef) -> dict[str, Any]:
    return {
        "model": device.model,
        "alias": device.alias,
        "size_kib": device.size,
        "node": device.node,
        "slot": device.slot,
        "base": device.place,
    }


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Begin a refusal with what failed, as virsh does."""
    from guestmap.domain.rules.errors import DomainError

    try:
        yield
    except DomainError as error:
        error.args = (f"{what}: {error}",)
        raise


MEMORY_VERBS: dict[str, Callable[..., None]] = {
    "attach-device": attach_device,
    "detach-device": detach_device,
    "detach-device-alias": detach_device_alias,
    "update-memory-device": update_memory_device,
    "update-device": update_device,
    "setmem": setmem,
}
