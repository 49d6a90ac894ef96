"""``guestmap tree``: the region trees of a map."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guestmap.cli.board_option import AtEach, Board
from guestmap.cli.output import say, show_moments, with_notes, write
from guestmap.cli.own_source import headings, own_sources, refuse_several
from guestmap.cli.parameters import Json, OneSpace, Source
from guestmap.cli.qemu_form import QemuForm, QemuFormCommand, dialect_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from guestmap.inspect.ask.trees import TreeBlock, TreeNode
    from guestmap.inspect.map.snapshot import Snapshot

COMMAND_CLASS = QemuFormCommand


def tree(
    source: Source,
    space: OneSpace = None,
    qemu: QemuForm = None,
    owner: Annotated[bool, typer.Option("--owner", "-o", help="Say whose each region is.")] = False,
    disabled: Annotated[
        bool, typer.Option("--disabled", "-D", help="Show regions that are off, too.")
    ] = False,
    machine: Board = "",
    at: AtEach = None,
    as_json: Json = False,
) -> None:
    """Print the tree of regions behind each address space, and how much of each is seen.

    What nothing is seen of is dimmed. Regions that aliases show follow as trees of their own.
    """
    from guestmap.cli.source import load_snapshots
    from guestmap.inspect.ask.trees import tree_blocks

    sources = own_sources(source, machine, at)
    if qemu is not None and not as_json:
        refuse_several(at)
        from guestmap.inspect.map.printable import with_printable_texts
        from guestmap.inspect.text.mtree import write_mtree

        (snapshot,) = load_snapshots(sources)
        chosen = snapshot if space is None else _only(snapshot, space)
        dialect = dialect_for(qemu)
        _check_depth(tree_blocks(chosen, disabled=disabled))
        chosen = with_printable_texts(chosen)
        write(write_mtree(chosen, owner=owner, disabled=disabled, dialect=dialect))
        return
    maps = load_snapshots(sources)
    found = [tree_blocks(each, space=space, disabled=disabled) for each in maps]
    if as_json:
        answers = [(_form(*each), ()) for each in zip(maps, found, strict=True)]
        show_moments("tree", at, answers, as_json=True)
        return
    for moment, blocks in zip(headings(at), found, strict=True):
        if moment:
            say(moment)
        _print(blocks, space=space, owner=owner)


def _print(blocks: list[TreeBlock], *, space: str | None, owner: bool) -> None:
    _check_depth(blocks)
    from guestmap.cli.tables import HIDDEN, cell, console, names_of, print_titled
    from guestmap.inspect.ask.spaces import DEFAULT

    out = console()
    blind = [block for block in blocks if block.spaces and _shows_nothing(block)]
    for block in sorted(blocks, key=lambda block: DEFAULT not in block.spaces):
        if block not in blind or space is not None:
            kind = "shown by aliases" if any(each.spaces for each in blocks) else "region"
            title = names_of(block.spaces) or f"{kind}: {block.nodes[0].name}"
            print_titled(out, title, _table(block, owner=owner))
    if blind and space is None:
        names = ", ".join(name for block in blind for name in block.spaces)
        out.print(cell(f"nobody answers in: {names}"), style=HIDDEN, soft_wrap=True)


def _check_depth(blocks: Sequence[TreeBlock]) -> None:
    """Refuse a tree whose indentation would be most of what is printed.

    Raises:
        ConfigError: it is deeper than any text of QEMU's that is read.
    """
    from guestmap.base import ConfigError
    from guestmap.inspect.text.mtree.read import MAX_LEVELS

    for block in blocks:
        if max(node.level for node in block.nodes) >= MAX_LEVELS:
            raise ConfigError(
                f"below {block.nodes[0].name!r} regions lie more than {MAX_LEVELS} deep in one"
                " another, and such a tree is not printed: --json gives it, 'explain' and 'flat'"
                " answer"
            )


def _shows_nothing(block: TreeBlock) -> bool:
    """Tell whether a tree is a root alone, as a bus master's that is switched off."""
    return len(block.nodes) == 1 and block.nodes[0].is_hidden


def _only(snapshot: Snapshot, space: str) -> Snapshot:
    from guestmap.inspect.ask.spaces import Spaces

    roots = {each.root for each in Spaces(snapshot).named(space)}
    spaces = tuple(each for each in snapshot.address_spaces if each.root in roots)
    return replace(snapshot, address_spaces=spaces)


def _form(snapshot: Snapshot, blocks: list[TreeBlock]) -> dict[str, Any]:
    form = {
        "source": snapshot.source,
        "version": snapshot.version,
        "trees": [block.to_json() for block in blocks],
    }
    return with_notes("tree", form, snapshot)


def _table(block: TreeBlock, *, owner: bool) -> Table:
    from guestmap.cli.tables import table

    made = table(
        "from", "to", ("size", "right"), "type", ("prio", "right"), "region", ("seen", "right"),
        *(["owner"] if owner else []),
    )  # fmt: skip
    for node, branch, holds in _branches(block.nodes):
        _add_row(made, node, branch, holds=holds, owner=owner)
    return made


def _branches(nodes: Sequence[TreeNode]) -> list[tuple[TreeNode, str, bool]]:
    """Return each node with the lines to draw before it, and whether it holds others."""
    rows: list[tuple[TreeNode, str, bool]] = []
    later: set[int] = set()  # levels on which a sibling follows, seen from below
    level_below = 0
    for node in reversed(nodes):
        bars = "".join("│ " if level in later else "  " for level in range(1, node.level))
        corner = ("├ " if node.level in later else "└ ") if node.level else ""
        rows.append((node, bars + corner, level_below > node.level))
        later = {level for level in later if level < node.level} | {node.level}
        level_below = node.level
    rows.reverse()
    return rows


def _add_row(made: Table, node: TreeNode, branch: str, *, holds: bool, owner: bool) -> None:
    from rich.text import Text

    from guestmap.base import ADDRESS_SPACE_SIZE, format_size
    from guestmap.cli.tables import HIDDEN, STYLES, cell, percent

    name = node.name
    if node.alias is not None:
        offset = f" from {node.alias_offset:x}" if node.alias_offset else ""
        name += f" → {node.alias.name}{offset}"
    if not node.enabled:
        name += " [disabled]"
    last = (node.start + max(node.size - 1, 0)) % ADDRESS_SPACE_SIZE
    # Of a container what is seen says little: it holds others, and is seldom filled by them.
    seen = "hidden" if node.is_hidden else "" if holds else percent(node.visible, node.size)
    kind = f"nv-{node.type}" if node.nonvolatile else node.type
    made.add_row(
        f"{node.start:016x}", f"{last:016x}", format_size(node.size), kind, str(node.priority),
        Text(branch, style="dim") + cell(name), seen,
        *([cell(node.owner or "")] if owner else []),
        style=HIDDEN if node.is_hidden else STYLES[node.type],
    )  # fmt: skip
