"""Paths of our own tree: what QEMU cannot be asked."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.qom import AmbiguousPathError, NotFoundError, ObjectTree
from tests.qom.samples import add_dimm, add_object, sample_tree


@pytest.fixture
def tree() -> ObjectTree:
    return sample_tree()


def test_containers_are_made_once(tree: ObjectTree) -> None:
    first = tree.container("/machine/peripheral-anon/deep")
    assert tree.container("//machine/peripheral-anon/deep/") is first
    assert first.path == "/machine/peripheral-anon/deep"
    assert tree.container("/") is tree.root
    with pytest.raises(ConfigError, match="not an absolute path"):
        tree.container("machine")


def test_by_type(tree: ObjectTree) -> None:
    mm = add_object(tree, "memory-backend-ram", "mm")
    assert tree.resolve("mm", "memory-backend") is mm
    assert tree.resolve("/objects/mm", "user-creatable") is mm
    for path in ("mm", "/objects/mm"):
        with pytest.raises(NotFoundError, match=f"^Device '{path}' not found$"):
            tree.resolve(path, "device")


def test_partial_paths_go_through_links_once(tree: ObjectTree) -> None:
    mm = add_object(tree, "memory-backend-ram", "mm")
    add_dimm(tree, "d0").set("memdev", "mm")
    assert tree.resolve("memdev") is mm
    assert tree.resolve("d0/memdev") is mm
    add_dimm(tree, "d1").set("memdev", "mm")
    with pytest.raises(AmbiguousPathError, match=r"^Path 'memdev' is ambiguous$"):
        tree.resolve("memdev")


def test_reading_and_writing_by_path(tree: ObjectTree) -> None:
    add_object(tree, "memory-backend-ram", "mm")
    tree.set("mm", "merge", value=False)
    assert tree.get("/objects/mm", "merge") is False
    with pytest.raises(NotFoundError, match=r"^Device '' not found$"):
        tree.get("", "type")
    with pytest.raises(NotFoundError, match=r"^Device '/x' not found$"):
        tree.set("/x", "merge", value=True)


def test_walking(tree: ObjectTree) -> None:
    add_object(tree, "memory-backend-ram", "mm")
    assert [place.path for place in tree.root.walk()] == [
        "/",
        "/objects",
        "/objects/mm",
        "/machine",
        "/machine/peripheral",
    ]


def test_a_deep_tree(tree: ObjectTree) -> None:
    path = "/deep" * 2000
    bottom = tree.container(path)
    assert tree.resolve(path) is bottom
    assert bottom.path == path
    assert sum(1 for _ in tree.root.walk()) == 2004
