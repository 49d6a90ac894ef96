"""What ``query-qmp-schema`` answers: commands, events and the types that they use.

Types other than the built-in ones are told by number, in the order of their first use, so that
nobody comes to depend on a name that may change (QEMU, docs/devel/qapi-code-gen, "Client JSON
Protocol introspection"). Every integer type is plain ``int``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.qmp.types import (
    EMPTY,
    INT,
    Alternate,
    Array,
    Builtin,
    Command,
    Enum,
    EventType,
    Member,
    Struct,
    Type,
    Union,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.qmp.parser import JsonValue

    Entry = dict[str, JsonValue]


def introspect(
    commands: Iterable[Command], events: Iterable[EventType], *, mask: bool = True
) -> list[dict[str, Any]]:
    """Return the ``SchemaInfoList`` of these commands and events.

    Args:
        commands: in the order in which they are to be told.
        events: likewise; they come after the commands.
        mask: put numbers in place of the names of types; false gives the names, for people.
    """
    schema = _Schema(mask=mask)
    for command in commands:
        schema.add_command(command)
    for event in events:
        schema.add_event(event)
    schema.add_used_types()
    return schema.entries


class _Schema:
    def __init__(self, *, mask: bool) -> None:
        self._mask = mask
        self._numbers: dict[str, str] = {}
        self._used: dict[str, Type] = {}
        self.entries: list[dict[str, Any]] = []

    def _use(self, declared: Type) -> str:
        """Return how a type is called in the answer, and see to it that it is told."""
        kind = resolve(declared)
        if isinstance(kind, Builtin):
            kind = INT if kind.json_type == "int" else kind
            self._used.setdefault(kind.name, kind)
            return kind.name
        if isinstance(kind, Array):
            key = _array_key(kind)
            self._used.setdefault(key, kind)
            return f"[{self._use(kind.element)}]"
        self._used.setdefault(kind.name, kind)
        return self._name(kind.name)

    def _name(self, name: str) -> str:
        if not self._mask:
            return name
        return self._numbers.setdefault(name, str(len(self._numbers)))

    def _add(self, name: str, meta: str, features: tuple[str, ...], **what: Any) -> None:
        entry = {"name": name, "meta-type": meta, **what}
        if features:
            entry["features"] = [*features]
        self.entries.append(entry)

    def add_command(self, command: Command) -> None:
        argument = self._use(command.arguments or EMPTY)
        result = self._use(command.returns or EMPTY)
        what: dict[str, Any] = {"arg-type": argument, "ret-type": result}
        if command.oob:
            what["allow-oob"] = True
        self._add(command.name, "command", command.features, **what)

    def add_event(self, event: EventType) -> None:
        argument = self._use(event.data or EMPTY)
        self._add(event.name, "event", event.features, **{"arg-type": argument})

    def add_used_types(self) -> None:
        """Tell every used type once; telling one may bring in others."""
        told = 0
        while told < len(self._used):
            for kind in [*self._used.values()][told:]:
                self._add_type(kind)
                told += 1

    def _add_type(self, declared: Type) -> None:
        kind = resolve(declared)
        match kind:
            case Builtin():
                self._add(kind.name, "builtin", (), **{"json-type": kind.json_type})
            case Array():
                element = self._use(kind.element)
                self._add(f"[{element}]", "array", (), **{"element-type": element})
            case Enum():
                self._add_enum(kind)
            case Alternate():
                members = [{"type": self._use(branch)} for _, branch in kind.branches]
                self._add(self._name(kind.name), "alternate", kind.features, members=members)
            case Struct():
                members = [self._member(member) for member in kind.all_members]
                self._add(self._name(kind.name), "object", kind.features, members=members)
            case Union():
                self._add_union(kind)

    def _member(self, member: Member) -> dict[str, Any]:
        told: dict[str, Any] = {"name": member.name, "type": self._use(member.type)}
        if member.optional:
            told["default"] = None
        if member.features:
            told["features"] = [*member.features]
        return told

    def _add_enum(self, kind: Enum) -> None:
        features = dict(kind.value_features)
        members = [
            {"name": value, **({"features": [*features[value]]} if value in features else {})}
            for value in kind.values
        ]
        values = [*kind.values]
        name = self._name(kind.name)
        self._add(name, "enum", kind.features, members=members, values=values)

    def _add_union(self, kind: Union) -> None:
        members = [self._member(member) for member in kind.base.all_members]
        cases = [value for value, _ in kind.branches]
        cases += [value for value in kind.tag.values if value not in cases]
        self._add(
            self._name(kind.name),
            "object",
            kind.features,
            members=members,
            tag=kind.discriminator,
            variants=[{"case": case, "type": self._use(kind.branch(case))} for case in cases],
        )


def _array_key(kind: Array) -> str:
    element = resolve(kind.element)
    if isinstance(element, Array):
        return f"[{_array_key(element)}]"
    plain = isinstance(element, Builtin) and element.json_type == "int"
    return f"[{INT.name if plain else element.name}]"
