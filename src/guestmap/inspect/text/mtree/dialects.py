"""What each version of QEMU prints as ``info mtree``: the one table.

A text seldom says which QEMU it is from; its words and its shape do, roughly: a *dialect* is what a
run of versions has in common. Reader, writer and rules look here and nowhere else.

Sources: the monitors of QEMU 5.2.0, 7.2.22, 10.0.13 and 11.1.3, public dumps of 1.x to 2.x, and
QEMU's history up to 5.2 (``memory.c``), where each border is the release after a commit: accesses
4896d74b84 (1.1); ``address-space:`` e48816aac6 and ``[disabled]`` f8a9f720dd (2.4); types
4e83190146 and ``-f`` 57bb40c9db (2.9); ``FlatView #`` 5e8fd947e2 (2.11); ``-o`` fc051ae6c4 (3.0);
``nv-`` c26763f8ec (3.1); marks of accelerators 8072aae377 (4.1); ``-D`` 2261d3939f (5.1). The later
borders, 6.2 and 11.1, are known from dumps on both sides alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from guestmap.base import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.map.snapshot import RegionInfo, RegionType, Snapshot

Version = tuple[int, int]
"""Major and minor number."""

CONTAINER = "container"
"""Printed of what is neither RAM nor ROM and lies in no other region. Whether it answers accesses
the word does not tell: I/O space, IOMMUs and ECAM windows have it and do; ``pci``, a pure
container, lies in ``system`` and is ``i/o``."""

_TYPES: Mapping[RegionType, str] = MappingProxyType(
    {"i/o": "i/o", "ram": "ram", "rom": "rom", "romd": "romd", "ramd": "ramd"}
)
_ACCESS: Mapping[RegionType, str] = MappingProxyType(
    {"i/o": "RW", "ram": "RW", "rom": "R-", "romd": "R-", "ramd": "RW"}
)
"""Before types there were accesses: what a ``RW`` region is, such a word does not tell."""

_NOTHING: Mapping[RegionType, str] = MappingProxyType(dict.fromkeys(_TYPES, ""))


@dataclass(frozen=True, slots=True)
class Dialect:
    """How ``info mtree`` looks from a version on, until the next dialect's.

    Attributes:
        since: the first version.
        until: the last version that is known to print so.
        accesses: whether accesses are printed (``RW``), not types.
        typeless: whether neither is: ``(prio 0): name``.
        parentless: the word in place of ``i/o`` of what lies in no region; "": none, and whether
            an alias's target lies in one must be inferred.
        shares_trees: a tree that several address spaces have is printed once, under all names.
        tagged: whether a heading says what it heads (``address-space: memory``); else it is a name
            alone, nothing is indented for it, and ``aliases`` stands above the alias targets.
        hides_disabled: disabled regions have a line with ``-D`` only.
        hides_below: what lies in disabled regions has no line either, and there is no ``-D``.
        marks_nonvolatile: ``nv-`` is put before the type of non-volatile memory.
        views: how ``-f`` begins a flat view; "": there is no ``-f``.
    """

    since: Version
    until: Version
    accesses: bool = False
    typeless: bool = False
    parentless: str = ""
    tagged: bool = True
    shares_trees: bool = True
    hides_disabled: bool = True
    hides_below: bool = False
    marks_nonvolatile: bool = True
    views: str = "FlatView #"

    @property
    def name(self) -> str:
        """The first version, as people write it."""
        return _text(self.since)

    @property
    def words(self) -> Mapping[RegionType, str]:
        """What is printed of each type."""
        if self.typeless:
            return _NOTHING
        return _ACCESS if self.accesses else _TYPES

    @property
    def all_words(self) -> frozenset[str]:
        """Every word that may stand for a type."""
        rare = {"-W", "--"} if self.accesses else {self.parentless} - {""}
        return frozenset(self.words.values()) | rare

    def word(
        self,
        kind: RegionType,
        *,
        parentless: bool,
        nonvolatile: bool = False,
        readonly: bool = False,
    ) -> str:
        """Return what is printed of a region of a type; of an alias, what it shows counts."""
        if readonly and self.accesses:
            return self.words["rom"]
        word = self.parentless if parentless and kind == "i/o" else ""
        mark = "nv-" if nonvolatile and self.marks_nonvolatile else ""
        return mark + (word or self.words[kind])


OLD_VIEW = "address-space (flat view): "

DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        (1, 0), (1, 0), typeless=True, tagged=False, shares_trees=False, hides_below=True,
        marks_nonvolatile=False, views="",
    ),
    Dialect(
        (1, 1), (2, 3), accesses=True, tagged=False, shares_trees=False, hides_below=True,
        marks_nonvolatile=False, views="",
    ),
    Dialect(
        (2, 4), (2, 8), accesses=True, shares_trees=False, hides_disabled=False,
        marks_nonvolatile=False, views="",
    ),
    Dialect(
        (2, 9), (2, 10), shares_trees=False, hides_disabled=False,
        marks_nonvolatile=False, views=OLD_VIEW,
    ),
    Dialect(
        (2, 11), (3, 0), shares_trees=False, hides_disabled=False, marks_nonvolatile=False,
    ),
    Dialect((3, 1), (5, 0), shares_trees=False, hides_disabled=False),
    Dialect((5, 1), (6, 1), shares_trees=False),
    Dialect((6, 2), (10, 0)),
    Dialect((11, 1), (11, 1), parentless=CONTAINER),
)  # fmt: skip
"""Oldest first. What lies between two of them is taken to print as the older one."""

OURS = DIALECTS[-2]
"""How our own monitor prints: as QEMU 7.2."""


def dialect_called(name: str) -> Dialect:
    """Return the dialect of a QEMU version that somebody names: ``11.1``, ``7.2.22``.

    Raises:
        ConfigError: no such version is known; lists those that are.
    """
    version = parse_version(name)
    if version is None or not DIALECTS[0].since <= version <= DIALECTS[-1].until:
        known = ", ".join(
            each.name if each.since == each.until else f"{each.name} to {_text(each.until)}"
            for each in DIALECTS
        )
        raise ConfigError(
            f"how QEMU {name!r} prints 'info mtree' is not known; known are the versions {known}"
        )
    return _newest(version)


def dialect_of(snapshot: Snapshot) -> Dialect:
    """Return the dialect of a snapshot's source: its text's, or its version's; else ours."""
    if snapshot.dialect:
        return dialect_called(snapshot.dialect)
    version = parse_version(snapshot.version)
    return OURS if version is None else _newest(version)


def dialect_of_words(words: Iterable[str], *, tagged: bool = True) -> Dialect | None:
    """Return the dialect that a text's words for types belong to; None: several have them all.

    Args:
        words: as printed.
        tagged: whether its headings say what they head.

    Raises:
        ConfigError: no version uses all of them.
    """
    used = frozenset(words)
    having = [e for e in DIALECTS if e.tagged == tagged and used <= e.all_words]
    if not having:
        told = ", ".join(word or "'' (none)" for word in sorted(used))
        raise ConfigError(f"no version of QEMU has all of the words {told}")
    return having[0] if len(having) == 1 else None


def versions_of(snapshot: Snapshot) -> tuple[Version, Version]:
    """Return the first and the last version that a snapshot can be from."""
    version = parse_version(snapshot.version)
    if version is not None:
        return version, version
    if snapshot.dialect:
        dialect = dialect_called(snapshot.dialect)
        return dialect.since, dialect.until
    return DIALECTS[0].since, DIALECTS[-1].until


def parse_version(text: str) -> Version | None:
    """Return the major and minor number that a version begins with; None where it has none."""
    match = re.match(r"v?(\d{1,3})\.(\d{1,3})(?!\d)", text)
    return None if match is None else (int(match[1]), int(match[2]))


def parentless_names(regions: Iterable[RegionInfo]) -> frozenset[str]:
    """Return the names that only regions bear which lie in no other."""
    every = list(regions)
    contained = {child for region in every for child in region.children}
    names = {region.name for region in every if region.id not in contained}
    return frozenset(names - {every[child].name for child in contained})


def _newest(version: Version) -> Dialect:
    fitting = [each for each in DIALECTS if each.since <= version]
    return fitting[-1] if fitting else DIALECTS[0]


def _text(version: Version) -> str:
    return ".".join(map(str, version))
