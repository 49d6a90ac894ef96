"""Named tuples that compile nothing are the standard library's in all that one can see."""

from __future__ import annotations

import pickle
import typing
from collections.abc import Callable
from typing import Any

import pytest

from guestmap.base import named_tuple as module
from guestmap.base.named_tuple import NamedTuple


class Ours(NamedTuple):
    """A pair."""

    x: int
    y: int = 2

    def sum(self) -> int:
        return self.x + self.y

    @property
    def mirrored(self) -> Ours:
        return self._replace(x=self.y, y=self.x)


class Librarys(typing.NamedTuple):
    """A pair."""

    x: int
    y: int = 2

    def sum(self) -> int:
        return self.x + self.y

    @property
    def mirrored(self) -> Librarys:
        return self._replace(x=self.y, y=self.x)


ACTIONS: dict[str, Callable[[Any], Any]] = {
    "by place": lambda kind: kind(1, 3),
    "by name": lambda kind: kind(y=1, x=3),
    "by both": lambda kind: kind(1, y=3),
    "with a default": lambda kind: kind(1),
    "too few": lambda kind: kind(),
    "too many": lambda kind: kind(1, 2, 3),
    "unknown": lambda kind: kind(1, z=3),
    "twice": lambda kind: kind(1, x=3),
    "repr": lambda kind: repr(kind(1)).replace(kind.__name__, ""),
    "equal": lambda kind: kind(1) == (1, 2),
    "hash": lambda kind: hash(kind(1)),
    "taken apart": lambda kind: [*kind(1)],
    "made of a list": lambda kind: kind._make([1, 2]),
    "made of too little": lambda kind: kind._make([1]),
    "replaced": lambda kind: kind(1)._replace(x=4),
    "replaced what is not there": lambda kind: kind(1)._replace(z=4),
    "as a dictionary": lambda kind: kind(1)._asdict(),
    "its own method": lambda kind: kind(1).sum(),
    "its own property": lambda kind: kind(1).mirrored,
    "set": lambda kind: setattr(kind(1), "x", 2),
    "new attribute": lambda kind: setattr(kind(1), "z", 2),
    "fields": lambda kind: (kind._fields, kind._field_defaults, kind.__match_args__),
    "document": lambda kind: (kind.__doc__, kind.x.__doc__),
    "a child": lambda kind: type("Child", (kind,), {})(1).sum(),
    "its kind": lambda kind: (type(kind), kind.__bases__, kind.__qualname__ == kind.__name__),
}


def outcome(action: Callable[[Any], Any], kind: Any) -> Any:
    """Return what comes of an action, without what tells the two classes apart."""
    try:
        return action(kind)
    except (TypeError, AttributeError, ValueError) as error:
        return type(error), str(error).replace(kind.__name__, "")


@pytest.mark.parametrize("action", ACTIONS)
def test_it_does_what_the_librarys_does(action: str) -> None:
    expected = outcome(ACTIONS[action], Librarys)
    assert outcome(ACTIONS[action], Ours) == expected
    for _ in range(60):  # and with the library's function in it
        Ours(1, 2)
    assert outcome(ACTIONS[action], Ours) == expected


def test_it_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Ours(1, 3))) == Ours(1, 3)


def test_a_field_without_a_default_is_refused_behind_one_that_has_one() -> None:
    with pytest.raises(TypeError, match="without a default"):

        class _Odd(NamedTuple):
            x: int = 1
            y: int  # type: ignore[misc]


def test_nothing_is_compiled_for_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    librarys = module._librarys
    monkeypatch.setattr(module, "_librarys", lambda kind: made.append(kind) or librarys(kind))

    class Pair(NamedTuple):
        x: int
        y: int = 2

    for _ in range(20):
        assert Pair(x=1) == (1, 2)
    assert made == []
    for _ in range(200):
        assert Pair(1) == (1, 2)
    assert made == [Pair]
