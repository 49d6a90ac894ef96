"""Dataclasses that are made late are the standard library's in all that one can see."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields
from functools import partial
from typing import Any, ClassVar

import pytest

from guestmap.base import dataclass as module
from guestmap.base.dataclass import dataclass

KINDS: list[dict[str, bool]] = [
    {}, {"slots": True}, {"frozen": True}, {"frozen": True, "slots": True},
    {"eq": False}, {"frozen": True, "eq": False}, {"kw_only": True, "slots": True},
]  # fmt: skip
Decorator = Callable[..., Any]


def point(decorator: Decorator, **kind: bool) -> Any:
    @decorator(**kind)
    class Point:
        """A point."""

        x: int
        y: int = 2
        names: list[str] = field(default_factory=list)
        made: int = field(init=False, default=7)
        tail: str = field(default="t", kw_only=True)
        hidden: int = field(default=0, compare=False, repr=False)
        ORIGIN: ClassVar[int] = 0

        def __post_init__(self) -> None:
            self.names.append(f"{self.x},{self.y},{self.made}")

    return Point


def outcome(action: Callable[[], Any]) -> Any:
    """Return what comes of an action, without what tells the two classes apart."""
    try:
        return action()
    except (TypeError, AttributeError) as error:
        return type(error), str(error)


ACTIONS: dict[str, Callable[[Any], Any]] = {
    "repr": lambda kind: repr(kind(x=1)),
    "equal": lambda kind: kind(x=1) == kind(x=1),
    "equal but for what is not compared": lambda kind: kind(x=1) == kind(x=1, hidden=3),
    "not equal": lambda kind: kind(x=1) == kind(x=1, y=3),
    "equal to another kind": lambda kind: kind(x=1) == 1,
    "is hashable": lambda kind: kind.__hash__ is None,
    "hash": lambda kind: hash(kind(x=1, names=())) == hash(kind(x=1, names=())),
    "set": lambda kind: setattr(kind(x=1), "x", 5),
    "delete": lambda kind: delattr(kind(x=1), "x"),
    "by place": lambda kind: repr(kind(1, 3)),
    "too many": lambda kind: kind(1, 2, [], 4, 5, 6, 7),
    "too few": lambda kind: kind(),
    "unknown": lambda kind: kind(x=1, z=2),
    "not of init": lambda kind: kind(x=1, made=2),
    "replaced": lambda kind: repr(dataclasses.replace(kind(x=1), y=4)),
    "as a dictionary": lambda kind: dataclasses.asdict(kind(x=1)),
    "fields": lambda kind: [(each.name, each.type, each.init) for each in fields(kind)],
    "matched": lambda kind: kind.__match_args__,
    "a default of its own": lambda kind: kind(x=1).names is kind(x=1).names,
    "copied": lambda kind: repr(copy.copy(kind(x=1))),
    "document": lambda kind: kind.__doc__,
    "name": lambda kind: kind.__init__.__qualname__,
}


def assert_all_alike(library: Any, made_ours: Callable[[], Any]) -> None:
    """Assert that each action does the same, before a class's methods are made and after."""
    for name, action in ACTIONS.items():
        ours, expected = made_ours(), outcome(partial(action, library))
        assert outcome(partial(action, ours)) == expected, name
        for _ in range(30):
            ours(x=1)
        assert outcome(partial(action, ours)) == expected, name


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_it_does_what_the_librarys_does(kind: dict[str, bool]) -> None:
    assert_all_alike(point(dataclasses.dataclass, **kind), partial(point, dataclass, **kind))


def child(decorator: Decorator, parents: Decorator, **kind: bool) -> Any:
    """Return a class that inherits fields, overrides one, and adds some."""

    @decorator(**kind)
    class Child(point(parents, **kind)):  # type: ignore[misc]
        """A child."""

        more: list[int] = field(default_factory=lambda: [1])
        y: int = 9
        last: int = field(default=0, kw_only=True)

        def __post_init__(self) -> None:
            self.names.append(f"{self.x},{self.y},{self.made},{self.more}")

    return Child


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("parents", [dataclass, dataclasses.dataclass], ids=["ours", "library"])
def test_a_class_that_inherits_fields_does_what_the_librarys_does(
    parents: Decorator, kind: dict[str, bool]
) -> None:
    library = child(dataclasses.dataclass, dataclasses.dataclass, **kind)
    assert_all_alike(library, partial(child, dataclass, parents, **kind))


def test_a_class_without_fields_of_its_own_has_those_of_its_parent() -> None:
    @dataclass(slots=True)
    class Child(point(dataclass)):  # type: ignore[misc]
        pass

    assert [each.name for each in fields(Child)] == [each.name for each in fields(point(dataclass))]
    assert Child(1) == Child(1)
    assert Child.__slots__ == ("x", "y", "names", "made", "tail", "hidden")


@dataclass(frozen=True, slots=True)
class Pickled:
    """A class that a pickle can name."""

    x: int
    y: tuple[int, ...] = ()


def test_it_can_be_pickled_frozen_and_with_slots() -> None:
    assert pickle.loads(pickle.dumps(Pickled(1, (2,)))) == Pickled(1, (2,))


def test_a_class_of_another_with_fields_has_both() -> None:
    @dataclass(frozen=True)
    class Child(Pickled):
        z: int = 3

    assert (Child(1).x, Child(1).z) == (1, 3)
    with pytest.raises(FrozenInstanceError):
        Child(1).x = 2  # type: ignore[misc]


def test_a_method_of_its_own_stays() -> None:
    @dataclass
    class Own:
        x: int = 0

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = object.__hash__

    assert repr(Own()) == "own"
    assert Own(1) == Own(2)
    assert hash(Own(1)) != hash(None)


def test_nothing_is_compiled_before_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(
        module, "compiled", lambda _fields, cls: made.append(cls.__name__) or (lambda *_: None)
    )

    kind = point(dataclass)
    assert made == []
    for _ in range(10):
        kind(1)
    assert made == []
    for _ in range(30):
        kind(1)
    assert made == ["Point"]
