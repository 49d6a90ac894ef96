"""From a text to blocks: strictly where it is QEMU's own, tidied where it is not."""

from __future__ import annotations

import re
from typing import NamedTuple

from guestmap.base import PeerError
from guestmap.inspect.text.mtree import MtreeText, read_mtree
from guestmap.inspect.text.pasted.characters import tells_a_terminal
from guestmap.inspect.text.pasted.columns import RightEdge
from guestmap.inspect.text.pasted.tidy import tidy

_ODD = re.compile(
    r"\(prio[ ].*\(prio[ ]|\\[nr]|(?<!\(qemu\))[ \t\xa0]$|[ ]<[-=]+|[ ]{2}(?://|\#|/\*)|\r|[^\n]\(qemu\)"
    r"|:[ ]alias(?:$|[ ](?!.*[ ]@.*[ ][0-9a-f]{16}-[0-9a-f]{16}(?:$|[ ])))"
    r"|[ ](?:@[0-9a-f]{0,15}|\[[a-z]{0,8})$|\{[^{}]*$"
    r"|\):[ ](?:.*[ ])?(?:[*\#;+|>=]+|//+|--+)[ ]|[\"',;|│┃\\`=]$",
    re.MULTILINE | re.VERBOSE,
)
"""What the strict reader would take for a part of a name."""


_TREE = re.compile(r"^(?:address-space|memory-region): ", re.MULTILINE)
_ROOT = re.compile(r"^(?:\[DETECTED OVERFLOW!\] )* {2}[0-9a-f]{16}-", re.MULTILINE)


_HEADS = re.compile(r"^(?:FlatView #\d+|(?:address-space|memory-region)(?=: ))", re.MULTILINE)


class Pasted(NamedTuple):
    """A text's blocks, and notes on what was taken off it and what is missing."""

    text: MtreeText
    notes: tuple[str, ...] = ()


def read_pasted(text: str) -> Pasted:
    """Read ``info mtree`` with any flags, decorated or not.

    Raises:
        PeerError: not such a text; says the line number in ``text`` and what was expected there.
    """
    text = text.replace("\r\n", "\n")
    problem: PeerError | None = None
    is_odd = _ODD.search(text) or tells_a_terminal(text)
    if not is_odd and (_ROOT.search(text) or not _TREE.search(text)):
        regions = [(len(line), line.strip()) for line in text.split("\n") if "(prio " in line]
        try:
            edge = RightEdge(regions)
            if not _is_doubtful(text, edge):
                return Pasted(read_mtree(text), edge.doubts())
        except PeerError as error:
            problem = error
    tidied = tidy(text)
    if problem is not None and tidied.text.strip() in ("", text.strip()):
        raise problem
    listing = read_mtree(tidied.text, tidied.numbers, tagged=tidied.tagged)
    return Pasted(listing, tidied.notes)


def _is_doubtful(text: str, edge: RightEdge) -> bool:
    """Tell whether a text may hold a listing twice, or be cut inside names.

    Args:
        text: all of it.
        edge: where the widest lines of its regions end.
    """
    heads = _HEADS.findall(text)
    views = [head for head in heads if head.startswith("FlatView")]
    trees = [head for head in heads if not head.startswith("FlatView")]
    targets = trees.index("memory-region") if "memory-region" in trees else len(trees)
    return (
        "address-space" in trees[targets:]
        or len(set(views)) < len(views)
        or edge.cuts
        or "(prio " in text[text.rfind("\n") + 1 :]
    )
