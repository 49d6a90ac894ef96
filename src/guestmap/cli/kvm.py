"""``guestmap kvm``: the memory slots that a machine on KVM must have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.cli.output import Json, Source, show, with_notes

if TYPE_CHECKING:
    from guestmap.inspect.ask.kvm_slots import KvmSlot, KvmSlots

_DIFFERS = 1


def kvm(
    source: Source,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare with QEMU's trace of kvm_set_user_memory."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the memory slots that QEMU must have made on KVM for a map.

    With --trace they are compared with those that stand at the end of what QEMU wrote, started with
    -trace kvm_set_user_memory, at the moment of the map; the status is 1 where they differ.
    """
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.ask.kvm_slots import kvm_slots

    lines = None if trace is None else _read(trace).splitlines()
    snapshot = load_snapshot(source)
    told = kvm_slots(snapshot, lines)
    show(with_notes("kvm", told.to_json(), snapshot), _sentences(told), as_json)
    if told.missing or told.surplus:
        raise typer.Exit(_DIFFERS)


def _read(path: Path) -> str:
    from guestmap.base import HostError
    from guestmap.inspect.sources.content import read_bounded

    try:
        with path.open("rb") as file:
            return read_bounded(file, source=str(path)).decode("utf-8", "replace")
    except OSError as error:
        raise HostError(f"cannot read {path}", errno=error.errno, call="open") from error


def _sentences(told: KvmSlots) -> list[str]:
    lines = [_line(each) for each in told.slots] or ["The map needs no slots."]
    lines += [f"not in the trace: {_line(each)}" for each in told.missing]
    lines += [f"in the trace alone: {_line(each)}" for each in told.surplus]
    if told.refused:
        lines.append(f"The kernel refused {told.refused} requests of the trace.")
    if told.compared and not told.missing and not told.surplus:
        lines.append("The trace ends with these slots, and no others.")
    return lines


def _line(slot: KvmSlot) -> str:
    number = "" if slot.number is None else f"slot {slot.number}: "
    flags = "read-only" if slot.readonly else "writable "
    return f"{number}0x{slot.start:x}-0x{slot.end - 1:x} {flags} {slot.region}".rstrip()
