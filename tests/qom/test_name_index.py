"""Objects are found by the names that they have now."""

from __future__ import annotations

import gc
from weakref import ref

import pytest

from guestmap.qom import NotFoundError, ObjectTree, TypeTable


@pytest.fixture
def tree() -> ObjectTree:
    return ObjectTree(TypeTable())


def test_an_object_that_moves_is_found_by_its_new_name_alone(tree: ObjectTree) -> None:
    moved = tree.root.add_child("old", tree.types.new("container"))
    moved.ref()
    moved.unparent()
    with pytest.raises(NotFoundError):
        tree.resolve("old")
    tree.container("/a/b").add_child("new", moved)
    assert tree.resolve("new") is moved
    assert tree.resolve("b/new") is moved
    with pytest.raises(NotFoundError):
        tree.resolve("old")


def test_what_is_outside_the_tree_is_not_found(tree: ObjectTree) -> None:
    outside = tree.types.new("container")
    outside.add_child("inner", tree.types.new("container"))
    with pytest.raises(NotFoundError):
        tree.resolve("inner")


def test_an_object_that_has_gone_is_kept_by_nobody(tree: ObjectTree) -> None:
    gone = tree.root.add_child("gone", tree.types.new("container"))
    gone.unparent()
    watched = ref(gone)
    del gone
    gc.collect()
    assert watched() is None
