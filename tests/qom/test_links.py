"""Links: what they may point at, what they keep, what becomes of them."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError, StateError
from guestmap.qom import NotFoundError, Object, ObjectTree
from tests.qom.samples import add_object, sample_tree


@pytest.fixture
def tree() -> ObjectTree:
    return sample_tree()


@pytest.fixture
def mm(tree: ObjectTree) -> Object:
    return add_object(tree, "memory-backend-ram", "mm")


def test_a_link_is_a_path(tree: ObjectTree, mm: Object) -> None:
    machine = tree.resolve("/machine")
    prop = machine.add_link("memory-backend", "memory-backend")
    assert prop.type.name == "link<memory-backend>"
    assert machine.get("memory-backend") == ""
    machine.set("memory-backend", "mm")
    assert machine.link("memory-backend") is mm
    assert machine.get("memory-backend") == "/objects/mm"
    machine.set_text("memory-backend", "")
    assert machine.link("memory-backend") is None
    machine.set_line("memory-backend", "/objects/mm")
    assert tree.resolve("/machine/memory-backend") is mm


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("nosuch", NotFoundError, "Device 'nosuch' not found"),
        ("/machine", ConfigError, "Invalid parameter type for 'to', expected: memory-backend"),
        ("x", ConfigError, "Invalid parameter type for 'to', expected: memory-backend"),
        ("m", ConfigError, "Path 'm' does not uniquely identify an object"),
    ],
)
def test_what_cannot_be_linked(
    tree: ObjectTree, mm: Object, path: str, kind: type[Exception], text: str
) -> None:
    for place in ("/a", "/b"):
        tree.container(place).add_child("m", tree.types.new("memory-backend-ram"))
        tree.container(f"{place}/x")
    machine = tree.resolve("/machine")
    machine.add_link("to", "memory-backend", target=mm)
    with pytest.raises(kind) as raised:
        machine.set("to", path)
    assert (type(raised.value), str(raised.value)) == (kind, text)
    assert machine.link("to") is mm


def test_a_partial_path_is_looked_for_among_the_right_types(tree: ObjectTree, mm: Object) -> None:
    tree.container("/a/mm")
    with pytest.raises(ConfigError, match="Path 'mm' is ambiguous"):
        tree.resolve("mm")
    machine = tree.resolve("/machine")
    machine.add_link("to", "memory-backend")
    machine.set("to", "mm")
    assert machine.link("to") is mm


def test_the_holders_own_code(tree: ObjectTree, mm: Object) -> None:
    machine = tree.resolve("/machine")
    machine.add_link("fixed", "memory-backend", target=mm, writable=False)
    with pytest.raises(ConfigError, match=r"\.fixed' is not writable"):
        machine.set("fixed", "")
    machine.set_link("fixed", None)
    assert machine.get("fixed") == ""
    with pytest.raises(ConfigError, match="Invalid parameter type for 'fixed', expected: memory-b"):
        machine.set_link("fixed", machine)
    with pytest.raises(ConfigError, match="Invalid parameter type for 'odd', expected: device"):
        machine.add_link("odd", "device", target=mm)
    assert not machine.has_property("odd")
    for name in ("type", "hpet"):
        with pytest.raises(ConfigError, match="is not a link"):
            machine.link(name)
    with pytest.raises(ConfigError, match="not found"):
        machine.set_link("nosuch", mm)


def test_a_check_may_refuse(tree: ObjectTree, mm: Object) -> None:
    told: list[tuple[Object, str, Object | None]] = []

    def check(holder: Object, name: str, target: Object | None) -> None:
        told.append((holder, name, target))
        if target is None:
            raise ConfigError("not that")

    machine = tree.resolve("/machine")
    machine.add_link("to", "memory-backend", check=check)
    machine.set("to", "mm")
    with pytest.raises(ConfigError, match="not that"):
        machine.set("to", "")
    assert told == [(machine, "to", mm), (machine, "to", None)]
    assert machine.link("to") is mm


def test_a_strong_link_keeps_its_target(tree: ObjectTree, mm: Object) -> None:
    machine = tree.resolve("/machine")
    machine.add_link("to", "memory-backend", target=mm)
    assert mm.busy
    mm.unparent()
    assert machine.link("to") is mm
    assert machine.get("to") == ""
    mm.set("merge", value=False)
    with pytest.raises(StateError, match="not in the tree"):
        _ = mm.path
    machine.set("to", "")
    assert machine.link("to") is None
    assert not mm.busy
    with pytest.raises(StateError, match="is gone"):
        mm.ref()


def test_a_weak_link_becomes_empty(tree: ObjectTree, mm: Object) -> None:
    machine = tree.resolve("/machine")
    machine.add_link("to", "memory-backend", target=mm, strong=False)
    assert not mm.busy
    mm.ref()
    mm.unparent()
    assert machine.link("to") is mm
    mm.unref()
    assert machine.link("to") is None
    assert machine.get("to") == ""


def test_a_link_may_be_set_to_what_it_points_at(tree: ObjectTree, mm: Object) -> None:
    machine = tree.resolve("/machine")
    machine.add_link("to", "memory-backend", target=mm)
    machine.add_link("weak", "memory-backend", target=mm, strong=False)
    mm.unparent()
    for name in ("to", "weak"):
        machine.set_link(name, mm)
        assert machine.link(name) is mm
    assert mm.busy
    machine.set_link("to", None)
    assert not mm.busy
    assert machine.link("weak") is None


def test_a_weak_link_forgets_what_it_pointed_at(tree: ObjectTree, mm: Object) -> None:
    other = add_object(tree, "memory-backend-ram", "other")
    machine = tree.resolve("/machine")
    machine.add_link("to", "memory-backend", target=mm, strong=False)
    machine.set_link("to", other)
    mm.unparent()
    assert machine.link("to") is other


def test_what_is_gone_cannot_be_linked(tree: ObjectTree, mm: Object) -> None:
    mm.unparent()
    with pytest.raises(StateError, match="is gone"):
        tree.resolve("/machine").add_link("to", "memory-backend", target=mm)


def test_what_is_gone_links_nothing(tree: ObjectTree, mm: Object) -> None:
    holder = add_object(tree, "thread-context", "holder")
    holder.add_link("to", "memory-backend")
    holder.unparent()
    with pytest.raises(StateError, match="is that of an object that is gone"):
        holder.set_link("to", mm)
    holder.set_link("to", None)
    assert not mm.busy


@pytest.mark.parametrize("strong", [True, False])
def test_a_holder_lets_go(tree: ObjectTree, mm: Object, strong: bool) -> None:
    holder = add_object(tree, "thread-context", "holder")
    holder.add_link("to", "memory-backend", target=mm, strong=strong)
    assert mm.busy is strong
    holder.unparent()
    assert not mm.busy
    other = add_object(tree, "thread-context", "other")
    other.add_link("to", "memory-backend", target=mm, strong=strong)
    other.del_property("to")
    assert not mm.busy
    assert not other.has_property("to")
    mm.unparent()


def test_links_in_an_array(tree: ObjectTree, mm: Object) -> None:
    machine = tree.resolve("/machine")
    for _ in range(2):
        machine.add_link("irq[*]", "memory-backend", target=mm)
    assert machine.get("irq[1]") == "/objects/mm"
    machine.set("irq[0]", "")
    assert machine.link("irq[0]") is None
    assert machine.link("irq[1]") is mm


def test_two_objects_that_hold_each_other_live_on(tree: ObjectTree) -> None:
    one, two = (add_object(tree, "thread-context", name) for name in ("one", "two"))
    one.add_link("to", "thread-context", target=two)
    two.add_link("to", "thread-context", target=one)
    one.unparent()
    two.unparent()
    assert one.busy
    assert two.busy
    one.set_link("to", None)
    assert not one.busy
