"""QAPI declarations as values: what a command takes and returns, what an event tells.

A declaration is frozen and says everything that the schema language of QEMU says (QEMU,
docs/devel/qapi-code-gen); :mod:`guestmap.qmp.validate` holds a client's arguments to it and
:mod:`guestmap.qmp.introspect` tells a client about it, so the two cannot differ::

    QOM_GET = Command(
        "qom-get",
        Struct("qom-get-arg", (Member("path", STR), Member("property", STR))),
        returns=ANY,
    )
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from guestmap.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Builtin:
    """A type of the language itself.

    Attributes:
        name: as in a schema: ``int``, ``uint32``, ``size``, ``str``, ``any``, ...
        json_type: ``int``, ``number``, ``string``, ``boolean``, ``null`` or ``value`` (anything).
        low, high: the range of an integer, both inclusive.
        unsigned: read as an unsigned integer; a negative one then wraps at 64 bits, as in QEMU.
    """

    name: str
    json_type: str
    low: int = 0
    high: int = 0
    unsigned: bool = False


def _integer(name: str, bits: int, *, unsigned: bool) -> Builtin:
    high = (1 << (bits if unsigned else bits - 1)) - 1
    return Builtin(name, "int", 0 if unsigned else -high - 1, high, unsigned)


STR: Final = Builtin("str", "string")
BOOL: Final = Builtin("bool", "boolean")
NUMBER: Final = Builtin("number", "number")
NULL: Final = Builtin("null", "null")
ANY: Final = Builtin("any", "value")
INT: Final = _integer("int", 64, unsigned=False)
INT8: Final = _integer("int8", 8, unsigned=False)
INT16: Final = _integer("int16", 16, unsigned=False)
INT32: Final = _integer("int32", 32, unsigned=False)
INT64: Final = _integer("int64", 64, unsigned=False)
UINT8: Final = _integer("uint8", 8, unsigned=True)
UINT16: Final = _integer("uint16", 16, unsigned=True)
UINT32: Final = _integer("uint32", 32, unsigned=True)
UINT64: Final = _integer("uint64", 64, unsigned=True)
SIZE: Final = _integer("size", 64, unsigned=True)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct, a union's base, or a command's arguments.

    Attributes:
        features: for example ``("deprecated",)``.
    """

    name: str
    type: Type
    optional: bool = False
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Struct:
    """A JSON object with these members; ``base`` lends its own, which come first."""

    name: str
    members: tuple[Member, ...] = ()
    base: Struct | None = None
    features: tuple[str, ...] = ()

    @property
    def all_members(self) -> tuple[Member, ...]:
        """The members with those of the base, in the order in which they are checked."""
        return (*self.base.all_members, *self.members) if self.base else self.members


EMPTY: Final = Struct("q_empty")
"""What a command without arguments takes, and one without a result returns."""


@dataclass(frozen=True, slots=True)
class Enum:
    """One of these strings; ``value_features`` names those that have features."""

    name: str
    values: tuple[str, ...]
    value_features: tuple[tuple[str, tuple[str, ...]], ...] = ()
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Union:
    """A JSON object whose other members depend on one of them.

    Attributes:
        base: the members that every variant has, the discriminator (an enum) among them.
        branches: (value, struct) for the values that add members; the others add none.
    """

    name: str
    base: Struct
    discriminator: str
    branches: tuple[tuple[str, Struct], ...]
    features: tuple[str, ...] = ()

    @property
    def tag(self) -> Enum:
        """The discriminator's type."""
        for member in self.base.all_members:
            if member.name == self.discriminator:
                tag = resolve(member.type)
                if isinstance(tag, Enum):
                    return tag
        raise TypeError(
            f"union {self.name!r}: {self.discriminator!r} is no enum member of its base"
        )

    def branch(self, value: str) -> Struct:
        """Return what a value of the discriminator adds."""
        return next((struct for name, struct in self.branches if name == value), EMPTY)


@dataclass(frozen=True, slots=True)
class Array:
    """A JSON array of one type."""

    element: Type


@dataclass(frozen=True, slots=True)
class Alternate:
    """One of several types, told apart by the kind of JSON value."""

    name: str
    branches: tuple[tuple[str, Type], ...]
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Later:
    """A type that is declared further down: for types that hold themselves."""

    get: Callable[[], Type]


Type: TypeAlias = Builtin | Struct | Enum | Union | Array | Alternate | Later
"""Everything that a member, an argument or a result can be."""


def resolve(declared: Type) -> Builtin | Struct | Enum | Union | Array | Alternate:
    """Return the type itself, for one that is declared :class:`Later` too."""
    while isinstance(declared, Later):
        declared = declared.get()
    return declared


@dataclass(frozen=True, slots=True)
class Command:
    """One QMP command.

    Attributes:
        arguments: None where it takes none.
        returns: None where it returns an empty object.
        gen: whether arguments are held to the declaration before the command sees them;
            ``device_add`` is told everything (QEMU: ``'gen': false``).
        oob: whether ``exec-oob`` may be used.
        allow_preconfig: whether it may be used before the machine is made.
    """

    name: str
    arguments: Struct | Union | None = None
    returns: Type | None = None
    gen: bool = True
    oob: bool = False
    allow_preconfig: bool = False
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventType:
    """One QMP event; ``data`` is None where it has none."""

    name: str
    data: Struct | Union | None = None
    features: tuple[str, ...] = ()
