"""Which region an alias means, where text has names only.

QEMU queues each region that an alias shows when it first meets the alias, and prints the queue as
``memory-region:`` sections. So the n-th section is the n-th distinct target met in print order.
That settles most names that several regions share; what it leaves open is marked as inferred.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from guestmap.base import PeerError
from guestmap.inspect.map.unshown import UNSHOWN
from guestmap.inspect.text.mtree.choice import choose
from guestmap.inspect.text.mtree.forest import Node, plant_again

if TYPE_CHECKING:
    from collections.abc import Iterable


def identify(roots: list[Node], sections: list[Node], *, stated: bool) -> None:
    """Find the blocks that print a region of another tree again, and link them to it.

    Args:
        roots: trees of the address spaces.
        sections: trees of the alias targets.
        stated: whether the text has a word of its own for what lies in no other region.
    """
    _shape(roots + sections)
    _identify_roots(roots, stated=stated)
    places: dict[int, list[Node]] = defaultdict(list)
    for root in roots:
        for node in root.walk():
            places[node.shape].append(node)
    taken = _link_prints(sections, places)
    for section in sections:
        for node in section.walk():
            if node is not section:
                places[node.shape].append(node)
    for section in _largest_first(sections):
        if section.line is None or section.again is not None:
            continue
        own = set(section.walk())
        originals = dict.fromkeys(node.canonical() for node in places[section.shape])
        free = [node for node in originals if node not in taken and node not in own]
        if free:
            taken.add(free[0])
            if len(originals) > 1:
                section.inferred.add("id")
            _link(section, free[0])


def _link_prints(sections: list[Node], places: dict[int, list[Node]]) -> set[Node]:
    """Link sections that print a tree once more, where no other region looks like one of them.

    Returns:
        The trees.
    """
    trees = {section: section.again.canonical() for section in sections if section.again}
    alike = Counter(node.shape for section in sections for node in section.walk() if trees)
    if all(
        alike[section.shape] == 1 and {n.canonical() for n in places[section.shape]} == {tree}
        for section, tree in trees.items()
    ):
        for section, tree in trees.items():
            section.same = tree
        return set(trees.values())
    for section in trees:
        plant_again(section)
    return set()


def _identify_roots(roots: list[Node], *, stated: bool) -> None:
    """Link roots that lie in another tree, as QEMU's ``device-memory`` does in ``system``.

    Where several look alike the text must say that the root lies in one of them.
    """
    inner: dict[int, list[Node]] = defaultdict(list)
    for root in roots:
        for node in root.walk():
            if node is not root:
                inner[node.shape].append(node)
    taken: set[Node] = set()
    for root in _largest_first(roots):
        within = dict.fromkeys(node.canonical() for node in inner[root.shape])
        free = [node for node in within if node not in taken]
        if root.line is not None and free and (stated or len(within) == 1):
            taken.add(free[0])
            _link(root, free[0])


def _largest_first(roots: list[Node]) -> list[Node]:
    return sorted(roots, key=lambda root: -len(root.walk()))


def stand_in(roots: list[Node], sections: list[Node]) -> None:
    """Add a section for every target that the text has none for.

    It is the one region of that name that the text shows elsewhere (whoever cut the sections off
    left the trees); else one of which name and type are known.
    """
    missing: dict[str, Node] = {}
    known = {section.name for section in sections}
    elsewhere = _only_ones(roots + sections)
    for node in _aliases(roots + sections):
        line = node.line
        assert line is not None
        assert line.target is not None
        original = elsewhere.get(line.target)
        if line.target in known:
            continue
        if original is not None and _may_show(node, line.alias_offset, original):
            missing[line.target] = original
            node.inferred.add("alias")
        else:
            size = line.alias_offset + line.size
            before = missing.get(line.target)
            if before is not None:
                size = max(size, before.size)
            whole = msgspec.structs.replace(
                line, level=1, start=0, size=size, priority=0, name=line.target, enabled=True,
                target=None, alias_offset=0, owner=None,
            )  # fmt: skip
            missing[line.target] = Node(whole, name=line.target, inferred=set(UNSHOWN))
    sections += missing.values()


def _only_ones(roots: list[Node]) -> dict[str, Node]:
    """Return the regions that are no aliases and whose name no other bears, by name."""
    named: dict[str, set[Node]] = defaultdict(set)
    for root in roots:
        for node in root.walk():
            if node.line is not None and node.line.target is None:
                named[node.name].add(node.canonical())
    return {name: nodes.pop() for name, nodes in named.items() if len(nodes) == 1}


def _may_show(alias: Node, offset: int, region: Node) -> bool:
    """Tell whether an alias can be of a region: not of what holds it, or of less than it shows."""
    above: Node | None = alias
    while above is not None and above.canonical() is not region:
        above = above.parent
    return above is None and offset < region.size


def resolve(roots: list[Node], sections: list[Node], *, hides: bool) -> None:
    """Point each alias to the region it shows.

    Raises:
        PeerError: an alias shows a region that the text has no section for, or (where nothing is
            hidden) a section is there that no alias shows.
    """
    unseen = _point(roots, sections, hides=hides)
    if unseen and not hides:
        unseen = _point(roots, sections, hides=False, by_order=True)
    if unseen and not hides:
        # Two regions that look alike were taken for one: keep every print a region of its own.
        for root in roots + sections:
            plant_again(root)
            for node in root.walk():
                node.same = None
        unseen = _point(roots, sections, hides=False, by_order=True)
    if unseen and not hides:
        raise PeerError(
            "info mtree text: expected an alias for each section, found none that shows"
            f" 'memory-region: {unseen[0].name}'"
        )
    _keep(roots, [section.canonical() for section in unseen])


def _point(
    roots: list[Node], sections: list[Node], *, hides: bool, by_order: bool = False
) -> list[Node]:
    """Set the target of every alias; return the sections that none was found for.

    Args:
        roots: trees of the address spaces.
        sections: trees of the alias targets.
        hides: whether aliases may be missing from the text, but not what they show.
        by_order: look at nothing but the order of the sections.
    """
    by_name: dict[str, list[int]] = defaultdict(list)
    for index, section in enumerate(sections):
        by_name[section.name].append(index)
    found: set[int] = set()
    for node in _aliases(roots + sections):
        line = node.line
        assert line is not None
        assert line.target is not None
        candidates = by_name.get(line.target, [])
        if not candidates:
            raise PeerError(
                f"info mtree text, line {line.number}: alias {line.name!r} shows"
                f" {line.target!r}, but no section 'memory-region: {line.target}' follows:"
                " is the text cut off?"
            )
        others = [each for each in candidates if not _leads_to(sections[each].canonical(), node)]
        index = choose(node, others or candidates, sections, found, hides=hides, by_order=by_order)
        if len(candidates) > 1:
            node.inferred.add("alias")
        found.add(index)
        node.target = sections[index].canonical()
    printed = _printed(roots)
    return [section for section in sections if section.canonical() not in printed]


def _leads_to(region: Node | None, alias: Node) -> bool:
    """Tell whether a region is the alias, or an alias of it, as far as that is known by now."""
    seen: set[Node] = set()
    while region is not None and region not in seen:
        if region is alias:
            return True
        seen.add(region)
        region = region.target
    return False


def _printed(roots: list[Node]) -> set[Node]:
    """Return the targets that printing the roots leads to, directly or from target to target."""
    printed: set[Node] = set()
    waiting = [root.canonical() for root in roots]
    while waiting:
        for node in waiting.pop().walk():
            target = node.canonical().target
            if target is not None and target not in printed:
                printed.add(target)
                waiting.append(target)
    return printed


def _shape(roots: Iterable[Node]) -> None:
    numbers: dict[object, int] = {}
    for root in roots:
        if root.again is not None:
            root.shape = root.again.shape
            continue
        for node in reversed(root.walk()):
            line = node.line
            said = line and (
                line.size, line.priority, line.word, line.nonvolatile, line.name, line.enabled,
                line.target, line.alias_offset, line.owner,
            )  # fmt: skip
            key = (node.addr, said, tuple(child.shape for child in node.children))
            node.shape = numbers.setdefault(key, len(numbers))


def _link(copy: Node, original: Node) -> None:
    """Make the second print of a subtree stand for the first."""
    for again, node in zip(copy.walk(), original.walk(), strict=True):
        if again.same is None:
            again.same = node


def _aliases(roots: Iterable[Node]) -> Iterable[Node]:
    """Yield each alias once, as its canonical node, in the order of the text."""
    seen: set[Node] = set()
    for root in roots:
        for node in root.walk():
            original = node.canonical()
            if node.line and node.line.target is not None and original not in seen:
                seen.add(original)
                yield original


def _keep(roots: list[Node], targets: list[Node]) -> None:
    """Hang regions that only hidden aliases show below a place of the first tree that can hold."""
    holders = (
        node
        for root in roots
        for node in root.walk()
        if node.same is None and not (node.line and node.line.target)
    )
    holder = next(holders, None)
    for target in targets:
        alias = Node(None, parent=holder, target=target)
        alias.start = holder.start if holder else 0
        if holder is not None:
            holder.children.append(alias)
    for root in roots:
        root.walked = None
