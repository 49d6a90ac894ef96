"""Captures: rebuild the tree from text, render it, and compare with QEMU's flat views.

Twice: from the tree's text alone, and with the views' text as evidence of what the tree leaves
open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, PeerError, UnsupportedError
from guestmap.conform.build import build
from guestmap.conform.cases import PLAIN_RANGE, VectorCase, VectorRegion, VectorSpace, VectorView
from guestmap.conform.compare import compare_spaces
from guestmap.conform.results import Differs, Equal, Result, Unreadable
from guestmap.conform.vectors import check_vector
from guestmap.inspect.text.mtree import assemble, read_mtree
from guestmap.inspect.text.rebuild import differing_facts, rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from guestmap.conform.compare import Expected
    from guestmap.conform.results import Difference, How
    from guestmap.inspect.map.snapshot import Snapshot
    from guestmap.inspect.text.mtree import MtreeText

TREES = ("mtree-o-D.txt", "mtree-D.txt", "mtree-o.txt", "mtree.txt", "mtree-d.txt")
"""Files with the trees, that with most facts first (``-d`` without ``-f`` changes nothing)."""

VIEWS = ("mtree-f-o.txt", "mtree-f.txt", "mtree-f-d.txt")
"""Files with the flat views, in the same order."""


MAX_REASONS = 4
"""Facts that a line about a difference names."""


@dataclass(frozen=True, slots=True)
class CaptureCase:
    """The best texts of a folder; ``path`` tells whose machine it is."""

    path: str
    tree: MtreeText
    flat: MtreeText

    @property
    def is_x86(self) -> bool:
        """Whether the machine is one that the rules must know."""
        return re.search(r"(^|[/:])(x86|i386)", self.path) is not None


def read_capture(path: str, files: Mapping[str, bytes]) -> CaptureCase:
    """Return the capture that a folder's files give.

    Raises:
        UnsupportedError: there is no text of the trees, or none of the views to compare with.
        PeerError: a text is malformed; names the file and the line.
    """
    return CaptureCase(path, _best(files, TREES, "the trees"), _best(files, VIEWS, "the views"))


def _best(files: Mapping[str, bytes], names: tuple[str, ...], what: str) -> MtreeText:
    for name in names:
        if name in files:
            try:
                return read_mtree(files[name].decode("utf-8", "surrogateescape"))
            except PeerError as error:
                raise PeerError(f"{name}: {error}") from error
    raise UnsupportedError(f"no text of {what} (one of {', '.join(names)})")


def check_capture(case: CaptureCase) -> Iterator[Result]:
    """Yield what became of the capture from the tree's text alone, then with the flat view."""
    try:
        alone, settled = rebuild(assemble(case.tree)), rebuild(assemble(case.tree, case.flat))
    except PeerError as error:
        yield Unreadable(case.path, str(error))
        return
    yield _judge(case, "text alone", replace(alone, views=settled.views), settled)
    yield _judge(case, "with flat view", settled, settled)


def _judge(case: CaptureCase, how: How, rebuilt: Snapshot, settled: Snapshot) -> Result:
    check = check_alone if how == "text alone" else check_rebuilt
    try:
        difference = check(rebuilt)
    except (PeerError, ConfigError) as error:
        return Unreadable(case.path, str(error), how)
    if difference is None:
        return Equal(case.path, how)
    wrong = differing_facts(rebuilt, settled)
    reason = "; ".join([*wrong[:MAX_REASONS], *(["..."] if len(wrong) > MAX_REASONS else [])])
    return Differs(case.path, difference, how, reason, how == "text alone" and not case.is_x86)


def check_rebuilt(snapshot: Snapshot) -> Difference | None:
    """Return the first difference between the snapshot's tree, rendered, and its views.

    Which address spaces share a view is part of it.
    """
    return check_vector(recorded(snapshot))


def check_alone(snapshot: Snapshot) -> Difference | None:
    """Return the first address space that does not show what the snapshot's views say.

    Which of several regions that look alike an address space shows is left out: a tree's text does
    not tell, and it makes no difference to what is shown.
    """
    case = recorded(snapshot)
    expected: Expected = {}
    for view in case.flatviews:
        for user in view.users:
            expected.setdefault(user, []).append((view.root, view.ranges))
    spaces = build(case).memory.address_spaces
    return next(iter(compare_spaces("", case.range_fields, expected, spaces)), None)


def recorded(snapshot: Snapshot) -> VectorCase:
    """Return a snapshot with views as a recording of them."""
    has_owners = all(region.owner for region in snapshot.regions) and any(
        each.owner for view in snapshot.views for each in view.ranges
    )
    fields = (*PLAIN_RANGE, "owner") if has_owners else PLAIN_RANGE
    return VectorCase(
        range_fields=fields,
        regions=tuple(
            VectorRegion(
                id=r.id, name=r.name, addr=r.addr, size=r.size, priority=r.priority, type=r.type,
                enabled=r.enabled, terminates=r.terminates, readonly=r.readonly,
                nonvolatile=r.nonvolatile, children=r.children, owner=r.owner or "",
                alias=r.alias, alias_offset=r.alias_offset,
            )
            for r in snapshot.regions
        ),
        address_spaces=tuple(VectorSpace(s.name, s.root) for s in snapshot.address_spaces),
        flatviews=tuple(
            VectorView(
                users=tuple((user.name, user.root) for user in view.users),
                root=view.root or "(none)",
                ranges=tuple(tuple(getattr(r, name) for name in fields) for r in view.ranges),
            )
            for view in snapshot.views
        ),
    )  # fmt: skip
