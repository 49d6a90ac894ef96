"""Read the text of ``info mtree`` into blocks, exactly as it is written.

Every line must be of a form that some QEMU from 2.4 to 11.1 prints, and all of them in the words of
one version; anything else is an error with its line number. What the blocks mean together is the
business of :mod:`guestmap.inspect.text.mtree.assemble`.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Literal

import msgspec

from guestmap.base import ConfigError, PeerError
from guestmap.base.dataclass import dataclass
from guestmap.inspect.map.snapshot import DispatchInfo, RangeInfo, ViewInfo, ViewUser
from guestmap.inspect.text.mtree.dialects import (
    CONTAINER,
    DIALECTS,
    OLD_VIEW,
    Dialect,
    dialect_of_words,
)
from guestmap.inspect.text.mtree.lines import TreeLine, check_names, fail, range_line, tree_line
from guestmap.inspect.text.mtree.marks import find_more
from guestmap.inspect.text.mtree.read_dispatch import read_dispatch

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LEVELS = 1000
"""How deep a tree may be; QEMU's are a dozen levels deep."""

_SPACE = "address-space: "
_REGION = "memory-region: "
_VIEW = re.compile(r"FlatView #\d+")
_USER = re.compile(r' AS "(?P<name>.*)", root: (?P<root>.*?)(?:, alias (?P<alias>.*))?')
_ROOT = " Root memory region: "
_NOTHING = "  No rendered FlatView"
_PROMPT = "(qemu)"


@dataclass(frozen=True, slots=True)
class PrintedTree:
    """Address spaces with one root, or an alias target, and the tree that is printed for it.

    Attributes:
        lines: one object for all prints of a tree, with the numbers of the first.
        number: of the line after the heading's.
    """

    kind: Literal["address-space", "memory-region"]
    names: tuple[str, ...]
    lines: tuple[TreeLine, ...]
    number: int


@dataclass(frozen=True, slots=True)
class MtreeText:
    """What a text holds, block by block, in its own order.

    Attributes:
        dialect: whose words and headings these are; None: several versions print such a text.
    """

    trees: tuple[PrintedTree, ...] = ()
    views: tuple[ViewInfo, ...] = ()
    dialect: Dialect | None = None

    @property
    def shows_disabled(self) -> bool:
        """Whether a disabled region is printed: then (``-D``, or an old QEMU) all are."""
        return any(not line.enabled for block in self.trees for line in block.lines)

    @property
    def shows_owner(self) -> bool:
        """Whether owners are printed (``-o``)."""
        return any(line.owner for block in self.trees for line in block.lines) or any(
            each.owner for view in self.views for each in view.ranges
        )


def read_mtree(text: str, numbers: Sequence[int] = (), *, tagged: bool = True) -> MtreeText:
    r"""Read the output of ``info mtree`` with any flags; lines may end in ``\n`` or ``\r\n``.

    Args:
        text: the listing.
        numbers: by line of it, the number to call it by; none: from 1 on.
        tagged: whether its headings said what they head before somebody wrote it in this form.

    Raises:
        PeerError: not such a text; says the line number and what was expected there.
    """
    reader = _Reader(text.replace("\r\n", "\n").split("\n"), numbers, tagged=tagged)
    while reader.skip_blank():
        reader.block()
    if not reader.trees and not reader.views:
        raise PeerError(
            "info mtree text: expected 'address-space: NAME' or 'FlatView #N', found nothing"
        )
    return MtreeText(tuple(reader.trees), tuple(find_more(reader.views)), reader.dialect())


@dataclass
class _Reader:
    """Goes through the lines.

    Attributes:
        tree_lines, range_lines: what lines say that were read already. Regions are printed again
            where another tree or view shows them, so half of the lines are old acquaintances.
        tree_prints: the last tree by its first line: where it was read, and what it says.
    """

    lines: list[str]
    numbers: Sequence[int] = ()
    tagged: bool = True
    index: int = 0
    trees: list[PrintedTree] = field(default_factory=list)
    views: list[ViewInfo] = field(default_factory=list)
    has_old_views: bool = False
    tree_lines: dict[str, TreeLine] = field(default_factory=dict)
    tree_prints: dict[str, tuple[int, int, tuple[TreeLine, ...]]] = field(default_factory=dict)
    range_lines: dict[str, RangeInfo] = field(default_factory=dict)

    @property
    def line(self) -> str:
        return self.lines[self.index] if self.index < len(self.lines) else ""

    @property
    def number(self) -> int:
        if not self.numbers:
            return self.index + 1
        return self.numbers[min(self.index, len(self.numbers) - 1)]

    def take(self) -> str:
        """Return a line of a heading, and go to the next."""
        line = self.line
        check_names(self.number, line, line[line.find(": ") + 2 :])
        self.index += 1
        return line

    def skip_blank(self) -> bool:
        """Go to the next line with text on it; tell whether there is one."""
        while self.index < len(self.lines):
            if self.line.strip() and not self.line.startswith(_PROMPT):
                return True
            self.index += 1
        return False

    def block(self) -> None:
        """Read one block, whichever kind its first line says."""
        if self.line.startswith(_SPACE):
            number, names = self.number, []
            while self.line.startswith(_SPACE):
                names.append(self.take().removeprefix(_SPACE))
            self.trees.append(PrintedTree("address-space", tuple(names), self.tree(), number))
        elif self.line.startswith(_REGION):
            number = self.number
            name = self.take().removeprefix(_REGION)
            self.trees.append(PrintedTree("memory-region", (name,), self.tree(), number))
        elif _VIEW.fullmatch(self.line):
            self.take()
            self.views.append(self.view())
        elif self.line.startswith(OLD_VIEW):
            name = self.take().removeprefix(OLD_VIEW)
            self.has_old_views = True
            self.views.append(ViewInfo((ViewUser(name, ""),), "", self.ranges()))
        elif self.line.startswith("  ") and not self.trees and not self.views:
            # A view alone, its heading cut off, as people paste it.
            self.views.append(ViewInfo((), "", self.ranges()))
        else:
            fail(
                self.number,
                "'address-space: NAME', 'memory-region: NAME' or 'FlatView #N'",
                self.line,
            )

    def dialect(self) -> Dialect | None:
        """Tell from which version's monitor the text is, by its words and its headings.

        Raises:
            PeerError: no version uses all of its words.
        """
        words = {line.word for block in self.trees for line in block.lines}
        ranges = [each for view in self.views for each in view.ranges]
        words |= {CONTAINER if each.parentless else each.type for each in ranges}
        try:
            said = dialect_of_words(words, tagged=self.tagged)
        except ConfigError as error:
            raise PeerError(f"info mtree text: {error}: is it of two machines?") from error
        if said is None and any(len(block.names) > 1 for block in self.trees):
            return next(each for each in DIALECTS if each.shares_trees)
        if said is None and self.has_old_views:
            return next(each for each in DIALECTS if each.views == OLD_VIEW)
        return said

    def tree(self) -> tuple[TreeLine, ...]:
        """Read the lines of a tree; of one that is printed again, what was read of it before."""
        first, heading = self.index, self.line
        start, end, lines = self.tree_prints.get(heading, (0, 0, ()))
        if lines and self.lines[first : first + end - start] == self.lines[start:end]:
            self.index += end - start
            if not self.line.strip():
                return lines
            self.index = first
        lines = self.new_tree()
        self.tree_prints[heading] = first, self.index, lines
        return lines

    def new_tree(self) -> tuple[TreeLine, ...]:
        lines: list[TreeLine] = []
        while self.index < len(self.lines) and (text := self.lines[self.index]).strip():
            line = self.tree_lines.get(text)
            if line is None:
                line = self.tree_lines[text] = tree_line(self.number, text)
                if line.level > MAX_LEVELS:
                    fail(self.number, f"at most {MAX_LEVELS} regions in one another", text.strip())
            else:
                line = msgspec.structs.replace(line, number=self.number)
            lines.append(line)
            self.index += 1
        return tuple(lines)

    def view(self) -> ViewInfo:
        users: list[ViewUser] = []
        while match := _USER.fullmatch(self.line):
            users.append(ViewUser(match["name"], match["root"], match["alias"]))
            self.take()
        if not self.line.startswith(_ROOT):
            expected = f"' AS \"NAME\", root: REGION' or '{_ROOT}REGION'"
            fail(self.number, expected, self.line)
        root = self.take().removeprefix(_ROOT)
        ranges = self.ranges()
        dispatch: DispatchInfo | None = None
        if self.line == "  Dispatch":
            dispatch, self.index = read_dispatch(self.lines, self.index)
        if self.line.strip():
            fail(self.number, "a blank line after the view", self.line)
        return ViewInfo(tuple(users), None if root == "(none)" else root, ranges, dispatch)

    def ranges(self) -> tuple[RangeInfo, ...]:
        if self.line == _NOTHING:
            self.take()
            return ()
        ranges: list[RangeInfo] = []
        end = 0
        while self.index < len(self.lines) and (text := self.lines[self.index]).strip():
            if text == "  Dispatch":
                break
            each = self.range_lines.get(text)
            if each is None:
                each = self.range_lines[text] = range_line(self.number, text)
            if each.start < end:
                fail(self.number, f"a range that starts at {end:016x} or later", text)
            end = each.start + each.size
            ranges.append(each)
            self.index += 1
        if not ranges:
            fail(self.number, f"a range or '{_NOTHING}'", self.line)
        return tuple(ranges)
