"""Objects: properties of the instance, children, how long they live."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError, StateError
from guestmap.qom import (
    BOOL,
    STR,
    UINT32,
    NotFoundError,
    Object,
    ObjectTree,
    ObjectType,
    Property,
    attribute_property,
    escape_name,
    list_of,
    opaque,
)
from tests.qom.samples import POLICIES, add_object, sample_tree


class Counted(Object):
    """Tells when it goes."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.told: list[str] = []

    def unparented(self) -> None:
        self.told.append(f"unparented {self.path if self.attached else self.name}")

    def finalize(self) -> None:
        self.told.append("finalized")


@pytest.fixture
def tree() -> ObjectTree:
    return sample_tree(ObjectType("counted", make=Counted))


def counted(tree: ObjectTree) -> Counted:
    new = tree.types.new("counted")
    assert isinstance(new, Counted)
    return new


# -- properties ------------------------------------------------------------------------------------


def test_instance_properties(tree: ObjectTree) -> None:
    thing = tree.types.new("container")
    thing.add_property(attribute_property("ready", BOOL))
    thing.set("ready", value=True)
    assert thing.get("ready") is True
    assert thing.ready is True  # type: ignore[attr-defined]
    assert [prop.name for prop in thing.properties()] == ["type", "ready"]
    thing.del_property("ready")
    with pytest.raises(ConfigError, match=r"^Property 'container.ready' not found$"):
        thing.get("ready")
    with pytest.raises(ConfigError, match="not found"):
        thing.del_property("ready")
    with pytest.raises(ConfigError, match="not found"):
        thing.del_property("type")


@pytest.mark.parametrize("name", ["type", "ready"])
def test_a_name_is_taken_once(tree: ObjectTree, name: str) -> None:
    thing = tree.types.new("container")
    thing.add_property(attribute_property("ready", BOOL))
    text = rf"^attempt to add duplicate property '{name}' to object \(type 'container'\)$"
    with pytest.raises(ConfigError, match=text):
        thing.add_property(attribute_property(name, STR))
    with pytest.raises(ConfigError, match=text):
        thing.add_child(name, tree.types.new("container"))
    with pytest.raises(ConfigError, match=text):
        thing.add_link(name, "object")


def test_defaults_are_read_until_something_is_set(tree: ObjectTree) -> None:
    backend = tree.types.new("memory-backend-ram")
    assert backend.get("policy") == "default"
    backend.set("policy", "bind")
    assert backend.get("policy") == "bind"
    thing = tree.types.new("container")
    thing.add_property(attribute_property("ready", BOOL))
    with pytest.raises(AttributeError):
        thing.get("ready")


def test_a_refused_value_changes_nothing(tree: ObjectTree) -> None:
    backend = tree.types.new("memory-backend-ram")
    backend.set("policy", "bind")
    for setter in (backend.set, backend.set_text, backend.set_line):
        with pytest.raises(ConfigError, match="does not accept value 'x'"):
            setter("policy", "x")
    assert backend.get("policy") == "bind"
    for policy in POLICIES:
        backend.set_text("policy", policy)
        assert backend.get("policy") == policy


def test_neither_readable_nor_writable(tree: ObjectTree) -> None:
    thing = tree.types.new("container")
    thing.add_property(Property("silent", STR))
    with pytest.raises(ConfigError, match=r"^Property 'container.silent' is not readable$"):
        thing.get("silent")
    for setter in (thing.set, thing.set_text, thing.set_line):
        with pytest.raises(ConfigError, match=r"^Property 'container.silent' is not writable$"):
            setter("silent", "x")


def test_properties_in_an_array(tree: ObjectTree) -> None:
    thing = tree.types.new("container")
    added = [thing.add_property(attribute_property("line[*]", UINT32, "line")) for _ in range(3)]
    assert [prop.name for prop in added] == ["line[0]", "line[1]", "line[2]"]
    thing.del_property("line[1]")
    assert thing.add_property(attribute_property("line[*]", UINT32, "line")).name == "line[1]"


def test_lists_and_structures(tree: ObjectTree) -> None:
    thing = tree.types.new("container")
    thing.add_property(attribute_property("names", list_of(STR)))
    thing.add_property(attribute_property("memory", opaque("MemorySizeConfiguration")))
    thing.set("names", ["a", "b"])
    assert thing.get("names") == ["a", "b"]
    thing.set("memory", {"size": 1})
    assert thing.get("memory") == {"size": 1}
    with pytest.raises(ConfigError, match="cannot be set from one line"):
        thing.set_line("names", "a,b")
    for wrong in ("a", {"0": "a"}, 1, None):
        with pytest.raises(ConfigError, match="Invalid parameter type for 'names', expected: arr"):
            thing.set("names", wrong)  # type: ignore[arg-type]


# -- children --------------------------------------------------------------------------------------


def test_children(tree: ObjectTree) -> None:
    mm = add_object(tree, "memory-backend-ram", "mm")
    objects = tree.container("/objects")
    assert mm.parent is objects
    assert (mm.name, mm.path, mm.attached) == ("mm", "/objects/mm", True)
    assert dict(objects.children) == {"mm": mm}
    assert objects.find_property("mm").type.name == "child<memory-backend-ram>"
    assert objects.get("mm") == "/objects/mm"
    with pytest.raises(ConfigError, match=r"^Property 'container.mm' is not writable$"):
        objects.set("mm", "")


def test_numbered_children(tree: ObjectTree) -> None:
    place = tree.container("/machine/unattached")
    added = [place.add_child("pic[*]", tree.types.new("container")) for _ in range(12)]
    assert [each.name for each in added] == [f"pic[{number}]" for number in range(12)]
    added[5].unparent()
    added[3].unparent()
    assert place.add_child("pic[*]", tree.types.new("container")).name == "pic[3]"
    assert list(place.children)[:4] == ["pic[0]", "pic[1]", "pic[2]", "pic[4]"]
    with pytest.raises(ConfigError, match=r"duplicate property 'pic\[4\]'"):
        place.add_child("pic[4]", tree.types.new("container"))


def test_names_that_a_path_cannot_hold(tree: ObjectTree) -> None:
    name = escape_name("/rom@etc/acpi/rsdp")
    assert name == r"\x2from@etc\x2facpi\x2frsdp"
    assert escape_name(r"a[0]\b") == r"a\x5b0\x5d\x5cb"
    added = tree.root.add_child(f"{name}[*]", tree.types.new("container"))
    assert added.path == rf"/{name}[0]"
    assert tree.resolve(added.path) is added
    for wrong in ("", "a/b", "/"):
        with pytest.raises(ConfigError, match="cannot be the name of a child"):
            tree.root.add_child(wrong, tree.types.new("container"))


def test_an_object_has_one_parent_and_no_cycle(tree: ObjectTree) -> None:
    mm = add_object(tree, "memory-backend-ram", "mm")
    with pytest.raises(StateError, match="has a parent already"):
        tree.root.add_child("mm", mm)
    top = tree.types.new("container")
    below = top.add_child("below", tree.types.new("container"))
    for holder, child in ((below, top), (top, top), (below, tree.root), (tree.root, tree.root)):
        with pytest.raises(StateError, match="cannot become a child"):
            holder.add_child("loop", child)


def test_outside_the_tree(tree: ObjectTree) -> None:
    top = tree.types.new("container")
    below = top.add_child("below", tree.types.new("container"))
    for each in (top, below):
        assert not each.attached
        with pytest.raises(StateError, match="not in the tree"):
            _ = each.path
    tree.root.add_child("top", top)
    assert below.path == "/top/below"
    assert tree.root.path == "/"


def test_children_seen_before_stay_as_they_were(tree: ObjectTree) -> None:
    objects = tree.container("/objects")
    add_object(tree, "memory-backend-ram", "mm")
    before = objects.children
    add_object(tree, "memory-backend-ram", "m1")
    objects.children["mm"].unparent()
    assert list(before) == ["mm"]
    assert list(objects.children) == ["m1"]


# -- life ------------------------------------------------------------------------------------------


def test_unparent(tree: ObjectTree) -> None:
    thing = counted(tree)
    tree.root.add_child("thing", thing)
    inner = counted(tree)
    thing.add_child("inner", inner)
    thing.unparent()
    assert thing.told == ["unparented /thing", "finalized"]
    assert (thing.parent, thing.name, thing.attached) == (None, "", False)
    assert inner.told == ["unparented inner", "finalized"]
    assert inner.parent is None
    assert not tree.root.has_property("thing")
    thing.unparent()
    assert thing.told.count("finalized") == 1
    with pytest.raises(StateError, match="cannot become a child"):
        tree.root.add_child("thing", thing)
    with pytest.raises(StateError, match="cannot become a child"):
        thing.add_child("late", counted(tree))
    with pytest.raises(StateError, match="is gone"):
        thing.ref()


def test_removing_the_property_of_a_child_removes_the_child(tree: ObjectTree) -> None:
    thing = counted(tree)
    tree.root.add_child("thing", thing)
    tree.root.del_property("thing")
    assert thing.told == ["unparented /thing", "finalized"]


def test_an_object_in_nobodys_hands_is_given_up_by_unparent(tree: ObjectTree) -> None:
    thing = counted(tree)
    thing.add_link("to", "object")
    thing.ref()
    thing.unref()
    assert thing.told == []
    thing.unparent()
    assert thing.told == ["finalized"]


def test_references(tree: ObjectTree) -> None:
    thing = counted(tree)
    tree.root.add_child("thing", thing)
    assert not thing.busy
    thing.ref()
    thing.ref()
    assert thing.busy
    thing.unparent()
    thing.unref()
    assert thing.told == ["unparented /thing"]
    assert thing.busy
    thing.unref()
    assert thing.told[-1] == "finalized"
    with pytest.raises(StateError, match="more often than held"):
        thing.unref()


def test_the_tree_does_not_keep_what_fails_to_leave(tree: ObjectTree) -> None:
    class Stubborn(Counted):
        def unparented(self) -> None:
            raise RuntimeError("no")

    tree.types.add(ObjectType("stubborn", make=Stubborn))
    thing = tree.types.new("stubborn")
    assert isinstance(thing, Stubborn)
    tree.root.add_child("thing", thing)
    with pytest.raises(RuntimeError):
        thing.unparent()
    assert thing.told == ["finalized"]
    with pytest.raises(NotFoundError):
        tree.resolve("/thing")


def test_a_hook_may_ask_for_the_same_again(tree: ObjectTree) -> None:
    class Eager(Counted):
        def unparented(self) -> None:
            super().unparented()
            self.unparent()

    tree.types.add(ObjectType("eager", make=Eager))
    thing = tree.types.new("eager")
    assert isinstance(thing, Eager)
    tree.root.add_child("thing", thing)
    thing.unparent()
    assert thing.told == ["unparented /thing", "finalized"]
