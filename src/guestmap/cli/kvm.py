"""``guestmap kvm``: the memory slots that a machine on KVM must have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.cli.output import show, with_notes
from guestmap.cli.parameters import Json, Source

if TYPE_CHECKING:
    from guestmap.inspect.ask.kvm_slots import KvmSlot, KvmSlots

_DIFFERS = 1


def kvm(
    source: Source,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare with QEMU's trace of kvm_set_user_memory."),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="See whether the process has their memory: its maps."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the memory slots that a machine on KVM must have made for a map.

    With --trace they are compared with those that stand at the end of what QEMU wrote, started with
    -trace kvm_set_user_memory, at the moment of the map; a machine of our own tells its slots
    itself. --maps /proc/PID/maps looks for their memory in the process. The status is 1 where
    something differs.
    """
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.ask.kvm_slots import kvm_slots
    from guestmap.inspect.ask.mappings import read_mappings

    lines = None if trace is None else _read(trace).splitlines()
    mappings = None
    if maps is not None:
        mappings = read_mappings(_read(maps).splitlines(), source=str(maps))
    snapshot = load_snapshot(source)
    told = kvm_slots(snapshot, lines, mappings)
    show(with_notes("kvm", told.to_json(), snapshot), _sentences(told), as_json)
    if told.missing or told.surplus or told.unmapped:
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
    lines += [f"needed, and not there: {_line(each)}" for each in told.missing]
    lines += [f"there, and not needed: {_line(each)}" for each in told.surplus]
    lines += [f"not mapped in the process: {_line(each)}" for each in told.unmapped]
    if told.refused:
        lines.append(f"The kernel refused {told.refused} requests of the trace.")
    if told.compared and not told.missing and not told.surplus:
        lines.append("These are the slots that there are, and no others.")
    return lines


def _line(slot: KvmSlot) -> str:
    number = "" if slot.number is None else f"slot {slot.number}: "
    flags = "read-only" if slot.readonly else "writable "
    words = f"{number}0x{slot.start:x}-0x{slot.end - 1:x} {flags} {slot.region}".rstrip()
    if slot.logged:
        words += ", logged" if slot.dirty is None else f", logged, {slot.dirty} pages written"
    return words
