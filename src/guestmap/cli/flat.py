"""``guestmap flat``: who answers where, in each address space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from guestmap.base import ConfigError
from guestmap.cli.board_option import AtEach, Board
from guestmap.cli.output import say, show_moments, with_notes, write
from guestmap.cli.own_source import headings, own_sources, refuse_several
from guestmap.cli.parameters import Json, OneSpace, Source
from guestmap.cli.qemu_form import QemuForm, QemuFormCommand, dialect_for

if TYPE_CHECKING:
    from rich.table import Table

    from guestmap.inspect import Snapshot
    from guestmap.inspect.ask.flats import FlatBlock

COMMAND_CLASS = QemuFormCommand


def flat(
    source: Source,
    space: OneSpace = None,
    qemu: QemuForm = None,
    owner: Annotated[bool, typer.Option("--owner", "-o", help="Say whose each region is.")] = False,
    dispatch: Annotated[
        bool, typer.Option("--dispatch", "-d", help="With --qemu: print how views are looked up.")
    ] = False,
    machine: Board = "",
    at: AtEach = None,
    as_json: Json = False,
) -> None:
    """Print who answers where: sizes, types, and the share that each range has of its view.

    Views are the source's own; where it has none they are rendered from its trees.
    """
    from guestmap.cli.source import load_snapshots
    from guestmap.inspect.ask.flats import flat_blocks, with_views

    if dispatch and qemu is None and not as_json:
        raise ConfigError("-d prints how QEMU looks views up: it goes with --qemu or --json")
    sources = own_sources(source, machine, at)
    if qemu is not None and not as_json:
        refuse_several(at)
        from guestmap.inspect.map.printable import with_printable_texts
        from guestmap.inspect.text.mtree import write_flat

        (snapshot,) = load_snapshots(sources, trees=False, dispatch=dispatch)
        chosen = with_views(snapshot, space=space)
        dialect = dialect_for(qemu)
        chosen = with_printable_texts(chosen)
        write(write_flat(chosen, owner=owner, dispatch=dispatch, dialect=dialect))
        return
    maps = load_snapshots(sources, trees=False, dispatch=dispatch)
    found = [flat_blocks(each, space=space) for each in maps]
    if as_json:
        answers = [(_form(*each), ()) for each in zip(maps, found, strict=True)]
        show_moments("flat", at, answers, as_json=True)
        return
    for moment, blocks in zip(headings(at), found, strict=True):
        if moment:
            say(moment)
        _print(blocks, owner=owner)


def _form(snapshot: Snapshot, blocks: list[FlatBlock]) -> dict[str, Any]:
    form = {
        "source": snapshot.source,
        "version": snapshot.version,
        "views": [block.to_json() for block in blocks],
    }
    return with_notes("flat", form, snapshot)


def _print(blocks: list[FlatBlock], *, owner: bool) -> None:
    from guestmap.cli.tables import console, print_titled
    from guestmap.inspect.ask.spaces import DEFAULT

    out = console()
    for block in sorted(blocks, key=lambda block: DEFAULT not in block.spaces):
        print_titled(out, _title(block), _table(block, owner=owner))


def _table(block: FlatBlock, *, owner: bool) -> Table:
    from guestmap.base import format_size
    from guestmap.cli.tables import STYLES, cell, percent, table

    made = table(
        "from", "to", ("size", "right"), ("share", "right"), "type", "region", "offset",
        *(["owner"] if owner else []),
    )  # fmt: skip
    for each in block.ranges:
        kind = f"nv-{each.type}" if each.nonvolatile else each.type
        name = " ".join((each.name, *each.accelerator))
        made.add_row(
            f"{each.start:016x}", f"{each.start + each.size - 1:016x}", format_size(each.size),
            percent(each.size, block.mapped), kind, cell(name),
            f"@{each.offset_in_region:x}" if each.offset_in_region else "",
            *([cell(each.owner or "")] if owner else []),
            style=STYLES[each.type],
        )  # fmt: skip
    return made


def _title(block: FlatBlock) -> str:
    from guestmap.base import format_size
    from guestmap.cli.tables import names_of, percent

    who = names_of(block.spaces) or block.root or "a view"
    if not block.ranges:
        return f"{who}: nobody answers anywhere"
    shares = ", ".join(
        f"{kind} {format_size(size)} ({percent(size, block.mapped)})"
        for kind, size in block.by_type.items()
    )
    return f"{who}: {len(block.ranges)} ranges, {format_size(block.mapped)}: {shares}"
