"""Conditions over a machine's facts: ``left >= 32*GIB and host != "node3"``.

The words are Python's, and nothing but comparisons, and, or, not, in, sums and products is one: a
condition can call nothing and reach nothing.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from guestmap.base import GIB, KIB, MIB, TIB, ConfigError

LONGEST = 1000
FACTS = frozenset({
    "name", "host", "labels", "version", "machine", "status", "running", "ram", "plugged", "used",
    "left", "largest", "slots", "slots_left", "kvm", "orphans",
})  # fmt: skip
"""What a condition may ask for: what is known of each machine, see ``plan_work.facts_of``."""
_UNITS = {"KIB": KIB, "MIB": MIB, "GIB": GIB, "TIB": TIB, "true": True, "false": False}
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
}
_COMPUTED: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


@dataclass(frozen=True, slots=True)
class Where:
    """A condition; "" holds for every machine.

    Raises:
        ConfigError: it is none; says where.
    """

    text: str

    def __post_init__(self) -> None:
        tree = self._tree()
        for node in () if tree is None else ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in FACTS | _UNITS.keys():
                raise self._unknown(node.id)

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Tell whether it holds.

        Raises:
            ConfigError: it asks for a fact that there is not, or compares what cannot be.
        """
        tree = self._tree()
        try:
            return tree is None or bool(self._value(tree, facts))
        except TypeError as error:
            raise ConfigError(f"--where {self.text!r}: {error}") from error

    def _tree(self) -> ast.expr | None:
        if not self.text.strip():
            return None
        if len(self.text) > LONGEST:
            raise ConfigError(f"--where is longer than {LONGEST} characters")
        try:
            return ast.parse(self.text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ConfigError(f"--where {self.text!r} is no condition: {error}") from error

    def _value(self, node: ast.expr, facts: Mapping[str, Any]) -> Any:
        match node:
            case ast.Constant(value=str() | int() as value):
                return value
            case ast.Name(id=name):
                return self._fact(name, facts)
            case ast.Subscript(
                value=ast.Name(id="labels"), slice=ast.Constant(value=str() as name)
            ):
                return facts.get("labels", {}).get(name, "")
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return [self._value(each, facts) for each in parts]
            case ast.BoolOp(op=ast.And(), values=parts):
                return all(self._value(each, facts) for each in parts)
            case ast.BoolOp(op=ast.Or(), values=parts):
                return any(self._value(each, facts) for each in parts)
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return not self._value(part, facts)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _COMPUTED:
                return self._computed(_COMPUTED[type(op)], left, right, facts)
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._compared(left, ops, others, facts)
        raise ConfigError(
            f"--where {self.text!r}: {ast.unparse(node)!r} is not among what a condition may have:"
            " facts, numbers, texts, comparisons, and, or, not, in, + - *"
        )

    def _fact(self, name: str, facts: Mapping[str, Any]) -> Any:
        known = {**_UNITS, **facts}
        if name not in known:
            raise self._unknown(name)
        return known[name]

    def _unknown(self, name: str) -> ConfigError:
        known = ", ".join(sorted(FACTS | _UNITS.keys()))
        return ConfigError(f"--where {self.text!r}: there is no fact {name!r}; there are {known}")

    def _computed(
        self,
        work: Callable[[int, int], int],
        left: ast.expr,
        right: ast.expr,
        facts: Mapping[str, Any],
    ) -> int:
        one, other = self._value(left, facts), self._value(right, facts)
        if not isinstance(one, int) or not isinstance(other, int):
            raise ConfigError(f"--where {self.text!r}: only numbers are added and multiplied")
        return work(one, other)

    def _compared(
        self,
        left: ast.expr,
        ops: list[ast.cmpop],
        others: list[ast.expr],
        facts: Mapping[str, Any],
    ) -> bool:
        value = self._value(left, facts)
        for op, each in zip(ops, others, strict=True):
            work, other = _COMPARED.get(type(op)), self._value(each, facts)
            if work is None:
                raise ConfigError(f"--where {self.text!r}: 'is' compares nothing here: write ==")
            if not work(value, other):
                return False
            value = other
        return True
