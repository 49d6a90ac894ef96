"""Types: inheritance, interfaces, what is made of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guestmap.base import ConfigError, StateError
from guestmap.qom import (
    STR,
    Bus,
    Device,
    NotFoundError,
    Object,
    ObjectTree,
    ObjectType,
    Property,
    TypeTable,
    attribute_property,
)


class Backend(Object):
    path_given = ""


def names(types: tuple[ObjectType, ...]) -> list[str]:
    return [each.name for each in types]


@pytest.fixture
def table() -> TypeTable:
    return TypeTable(
        [
            ObjectType(
                "memory-backend-file",
                "memory-backend",
                properties=(attribute_property("mem-path", STR, "path_given"),),
            ),
            ObjectType(
                "memory-backend",
                abstract=True,
                interfaces=("user-creatable",),
                properties=(attribute_property("id", STR),),
                make=Backend,
            ),
            ObjectType("pc-dimm", "device", interfaces=("memory-device",)),
            ObjectType("nvdimm", "pc-dimm"),
        ]
    )


def test_what_a_type_is(table: TypeTable) -> None:
    for ancestor in ("nvdimm", "pc-dimm", "device", "object", "memory-device", "interface"):
        assert table.is_a("nvdimm", ancestor)
    for other in ("user-creatable", "bus", "nosuch", "memory-backend"):
        assert not table.is_a("nvdimm", other)
    assert table.new("nvdimm").is_a("memory-device")


def test_listing(table: TypeTable) -> None:
    assert names(table.all("memory-device")) == ["pc-dimm", "nvdimm"]
    assert names(table.all("memory-device", abstract=True)) == [
        "memory-device",
        "pc-dimm",
        "nvdimm",
    ]
    assert names(table.all("user-creatable")) == ["memory-backend-file"]
    assert names(table.all("nosuch")) == []
    assert not [each for each in table.all() if each.abstract]


def test_class_properties_come_ancestors_first(table: TypeTable) -> None:
    properties = table.properties("memory-backend-file")
    assert [each.name for each in properties] == ["type", "id", "mem-path"]
    assert [each.name for each in table.properties("device")] == [
        "type",
        "parent_bus",
        "realized",
        "hotplugged",
        "hotpluggable",
    ]


def test_the_nearest_python_class_is_made(table: TypeTable) -> None:
    assert type(table.new("memory-backend-file")) is Backend
    assert type(table.new("nvdimm")) is Device
    assert type(table.new("container")) is Object
    table.add(ObjectType("PCI", "bus"))
    assert type(table.new("PCI")) is Bus


@pytest.mark.parametrize("name", ["object", "device", "bus", "memory-backend", "memory-device"])
def test_no_objects_of_abstract_types(table: TypeTable, name: str) -> None:
    with pytest.raises(ConfigError, match=f"'{name}' is abstract"):
        table.new(name)


def test_unknown_types(table: TypeTable) -> None:
    for ask in (table.get, table.new, table.properties):
        with pytest.raises(NotFoundError, match="Class 'nosuch' not found"):
            ask("nosuch")
    table.add(ObjectType("orphan", "nosuch"))
    with pytest.raises(NotFoundError):
        table.new("orphan")


def test_names_are_taken_once(table: TypeTable) -> None:
    before = names(table.all())
    with pytest.raises(ConfigError, match="there is a type 'pc-dimm' already"):
        table.add(ObjectType("new"), ObjectType("pc-dimm"))
    assert names(table.all()) == before


def test_impossible_inheritance(table: TypeTable) -> None:
    table.add(ObjectType("a", "b"), ObjectType("b", "a"))
    with pytest.raises(ConfigError, match="inherits from itself"):
        table.new("a")
    table.add(ObjectType("twice", "memory-backend", properties=(attribute_property("id", STR),)))
    with pytest.raises(ConfigError, match="duplicate property 'id' to class 'twice'"):
        table.new("twice")


def test_one_tree_for_each_table(table: TypeTable) -> None:
    assert table.root is None
    with pytest.raises(StateError, match="no object tree yet"):
        _ = table.tree
    tree = ObjectTree(table)
    assert table.tree is tree
    assert table.root is tree.root
    with pytest.raises(StateError, match="already"):
        ObjectTree(table)


def test_ancestors_are_read_once_for_all_heirs(table: TypeTable) -> None:
    read = 0

    class Watched(tuple[Property, ...]):
        def __iter__(self) -> Iterator[Property]:
            nonlocal read
            read += 1
            return super().__iter__()

    table.add(
        ObjectType("ancestor", "object", properties=Watched((Property("kin", STR),))),
        *(ObjectType(f"heir-{n}", "ancestor") for n in range(3)),
    )
    read = 0
    for n in range(3):
        assert "kin" in table.class_properties(f"heir-{n}")
    assert read == 1


def test_types_that_come_later_are_there_when_they_are_asked_for() -> None:
    asked: list[str] = []

    def more() -> list[ObjectType]:
        asked.append("more")
        return [ObjectType("early", "object"), ObjectType("late", "early")]

    for ask in (
        lambda types: types.get("late").parent == "early",
        lambda types: "late" in types,
        lambda types: types.is_a("late", "object"),
        lambda types: [each.name for each in types.all()][-2:] == ["early", "late"],
    ):
        types = TypeTable([ObjectType("early", "object")])
        types.add_later(more)
        assert "early" in types
        assert types.get("early").name == "early"
        assert asked == []
        assert ask(types)
        assert "nothing" not in types
        assert asked == ["more"]
        asked.clear()


def test_a_type_that_is_missing_is_added_once() -> None:
    types = TypeTable([ObjectType("one", "object")])
    types.add_missing([ObjectType("one", "device"), ObjectType("two", "one")])
    assert types.get("one").parent == "object"
    assert "two" in types.known
