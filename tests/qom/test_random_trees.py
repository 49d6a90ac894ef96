"""Random changes of a tree, beside a simple model of who holds whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from guestmap.base import ConfigError, StateError
from guestmap.qom import NotFoundError, Object, ObjectTree, ObjectType, TypeTable


class Mortal(Object):
    alive = True

    def finalize(self) -> None:
        assert self.alive, "finalized twice"
        self.alive = False


@dataclass(eq=False)
class Node:
    """What the model knows of one object."""

    real: Object
    parent: Node | None = None
    name: str = ""
    children: dict[str, Node] = field(default_factory=dict)
    links: dict[str, tuple[Node, bool]] = field(default_factory=dict)
    refs: int = 0
    fresh: bool = True
    alive: bool = True

    def leave(self) -> None:
        self.fresh = False
        if self.parent is not None:
            del self.parent.children[self.name]
            self.parent, self.name = None, ""

    def above(self) -> list[Node]:
        return [self, *(self.parent.above() if self.parent else [])]


NAMES = st.sampled_from(["a", "b", "x[*]", "y[*]"])


class RandomTree(RuleBasedStateMachine):
    objects = Bundle("objects")

    @initialize(target=objects)
    def start(self) -> Node:
        self.types = TypeTable([ObjectType("mortal", make=Mortal)])
        self.tree = ObjectTree(self.types)
        self.root = Node(self.tree.root, fresh=False)
        self.nodes = [self.root]
        return self.root

    # -- changes -----------------------------------------------------------------------------------

    @rule(target=objects, parent=objects, name=NAMES)
    def grow(self, parent: Node, name: str) -> Node:
        node = Node(self.types.new("mortal"))
        self.nodes.append(node)
        self.add(parent, name, node)
        return node

    @rule(target=objects)
    def make(self) -> Node:
        node = Node(self.types.new("mortal"))
        self.nodes.append(node)
        return node

    @rule(parent=objects, name=NAMES, child=objects)
    def add(self, parent: Node, name: str, child: Node) -> None:
        if name.endswith("[*]"):
            free = (f"{name[:-3]}[{number}]" for number in count())
            expected = next(each for each in free if each not in parent.children)
        else:
            expected = name
        refused = child.parent or child is self.root or child in parent.above()
        if refused or not child.alive or not parent.alive:
            with pytest.raises(StateError):
                parent.real.add_child(name, child.real)
        elif expected in parent.children or expected in parent.links:
            with pytest.raises(ConfigError, match="duplicate"):
                parent.real.add_child(name, child.real)
        else:
            assert parent.real.add_child(name, child.real) is child.real
            child.parent, child.name, child.fresh = parent, expected, False
            parent.children[expected] = child

    @rule(node=objects)
    def unparent(self, node: Node) -> None:
        node.real.unparent()
        if node is not self.root:
            node.leave()
        self.bury()

    @rule(holder=objects, to=objects, strong=st.booleans(), name=st.sampled_from("pqr"))
    def link(self, holder: Node, to: Node, strong: bool, name: str) -> None:
        if not to.alive or not holder.alive or name in holder.links:
            return
        holder.real.add_link(name, "object", target=to.real, strong=strong)
        holder.links[name] = (to, strong)

    @rule(holder=objects, to=objects, name=st.sampled_from("pqr"))
    def point(self, holder: Node, to: Node, name: str) -> None:
        if name in holder.links and to.alive:
            holder.real.set_link(name, to.real)
            holder.links[name] = (to, holder.links[name][1])
            self.bury()

    @rule(holder=objects, name=st.sampled_from("pqr"))
    def let_go(self, holder: Node, name: str) -> None:
        if holder.links.pop(name, None):
            holder.real.del_property(name)
            self.bury()

    @rule(node=objects)
    def ref(self, node: Node) -> None:
        if node.alive:
            node.real.ref()
            node.refs += 1

    @rule(node=objects)
    def unref(self, node: Node) -> None:
        if node.refs:
            node.real.unref()
            node.refs -= 1
            self.bury()

    def bury(self) -> None:
        """Let everything go that nobody has."""
        for node in self.nodes:
            held = node.fresh or node.parent or node.refs or node is self.root
            if not node.alive or held or self.strong_links(node):
                continue
            node.alive = False
            for child in list(node.children.values()):
                child.leave()
            node.links.clear()
            for other in self.nodes:
                for name, (target, _) in list(other.links.items()):
                    if target is node:
                        other.links[name] = (self.nobody, False)
            self.bury()
            return

    nobody = Node(None, alive=False)  # type: ignore[arg-type]

    def strong_links(self, node: Node) -> int:
        return sum(
            target is node and strong
            for other in self.nodes
            for target, strong in other.links.values()
        )

    # -- what must hold ----------------------------------------------------------------------------

    @invariant()
    def the_same_objects_live(self) -> None:
        for node in self.nodes[1:]:
            assert node.real.alive == node.alive  # type: ignore[attr-defined]
            assert node.real.busy == bool(node.refs + self.strong_links(node))

    @invariant()
    def the_same_children(self) -> None:
        for node in self.nodes:
            ours = {name: child.real for name, child in node.children.items()}
            assert dict(node.real.children) == ours
            assert list(node.real.children) == list(ours)
            children = [p for p in node.real.properties() if p.type.name == "child<mortal>"]
            assert [prop.name for prop in children] == list(ours)

    @invariant()
    def the_same_paths(self) -> None:
        for node in self.nodes:
            above = node.above()
            if above[-1] is not self.root:
                assert not node.real.attached
                continue
            path = "/" + "/".join(each.name for each in above[-2::-1])
            assert node.real.path == path
            assert self.tree.resolve(path) is node.real

    @invariant()
    def the_same_links(self) -> None:
        for node in self.nodes:
            for name, (target, _) in node.links.items():
                assert node.real.link(name) is target.real

    @rule(name=st.sampled_from(["a", "b", "x[0]", "a/b", "x[1]/a"]))
    def partial_paths(self, name: str) -> None:
        def step(node: Node | None, part: str) -> Node | None:
            return node.children.get(part) if node else None

        found = []
        ahead = [self.root]
        while ahead:
            node = ahead.pop()
            ahead += node.children.values()
            place: Node | None = node
            for part in name.split("/"):
                place = step(place, part)
            if place is not None:
                found.append(place.real)
        if len(found) == 1:
            assert self.tree.resolve(name) is found[0]
        else:
            with pytest.raises(ConfigError) as raised:
                self.tree.resolve(name)
            assert isinstance(raised.value, NotFoundError) == (not found)


RandomTree.TestCase.settings = settings(max_examples=60, stateful_step_count=40, derandomize=True)
TestRandomTree = RandomTree.TestCase
