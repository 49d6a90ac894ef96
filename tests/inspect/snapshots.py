"""Snapshots for tests: short to write, random, or from recorded vectors."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import assume
from hypothesis import strategies as st

from guestmap.conform import VectorCase, read_case
from guestmap.inspect import AddressSpaceInfo, RangeInfo, RegionInfo, Snapshot
from guestmap.inspect.map.circles import find_circle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.corpus import Corpus


class Builder:
    """Write a tree from the root down; each region goes in front of its equals, as in QEMU."""

    def __init__(self) -> None:
        self.regions: list[RegionInfo] = []
        self.spaces: list[AddressSpaceInfo] = []

    def region(
        self, name: str, addr: int, size: int, *, into: int | None = None, **facts: Any
    ) -> int:
        """Add a region that answers accesses; ``into`` names its container. Return its id."""
        facts = {"terminates": True, **facts}
        new = RegionInfo(id=len(self.regions), name=name, addr=addr, size=size, **facts)
        self.regions.append(new)
        if into is not None:
            before = self.regions[into].children
            index = next(
                (i for i, c in enumerate(before) if self.regions[c].priority <= new.priority),
                len(before),
            )
            children = (*before[:index], new.id, *before[index:])
            self.regions[into] = msgspec.structs.replace(self.regions[into], children=children)
        return new.id

    def container(
        self, name: str, addr: int, size: int, *, into: int | None = None, **facts: Any
    ) -> int:
        return self.region(name, addr, size, into=into, terminates=False, **facts)

    def alias(
        self, name: str, addr: int, size: int, target: int, offset: int = 0,
        *, into: int | None = None, **facts: Any,
    ) -> int:  # fmt: skip
        return self.region(
            name, addr, size, into=into, terminates=False, alias=target, alias_offset=offset,
            type=self.regions[target].type, **facts,
        )  # fmt: skip

    def below(self, id_: int) -> set[int]:
        """Return the ids of all that can be reached from a region, itself included."""
        found, todo = {id_}, [id_]
        while todo:
            region = self.regions[todo.pop()]
            links = region.children if region.alias is None else (region.alias,)
            todo += [link for link in links if link not in found]
            found.update(links)
        return found

    def change(self, id_: int, **facts: Any) -> None:
        self.regions[id_] = msgspec.structs.replace(self.regions[id_], **facts)

    def space(self, name: str, root: int) -> None:
        self.spaces.append(AddressSpaceInfo(name, root))

    def snapshot(self, **facts: Any) -> Snapshot:
        made = Snapshot(tuple(self.regions), tuple(self.spaces), **facts)
        made.check()
        return made


def pc(pam: str = "pci") -> Builder:
    """Return the memory of a small PC; ``pam`` says what C8000-CBFFF leads to: pci, rom or ram."""
    tree = Builder()
    system = tree.container("system", 0, 1 << 64)
    ram = tree.region("pc.ram", 0, 0x800_0000, type="ram")
    tree.alias("ram-below-4g", 0, 0x800_0000, ram, into=system)
    pci = tree.container("pci", 0, 1 << 64, into=system, priority=-1)
    tree.region("pc.rom", 0xC0000, 0x20000, into=pci, priority=1, type="rom", readonly=True)
    tree.region("vga-lowmem", 0xA0000, 0x20000, into=pci, priority=1)
    tree.alias("smram-region", 0xA0000, 0x20000, pci, 0xA0000, into=system, priority=1)
    for mode, target in (("ram", ram), ("rom", ram), ("pci", pci)):
        tree.alias(
            f"pam-{mode}", 0xC8000, 0x4000, target, 0xC8000, into=system, priority=1,
            enabled=pam == mode, readonly=mode == "rom",
        )  # fmt: skip
    bus = tree.container("bus master container", 0, 1 << 64)
    tree.alias("bus master", 0, 1 << 64, system, into=bus, enabled=False)
    tree.space("nic", bus)
    tree.space("memory", system)
    return tree


@st.composite
def trees(draw: st.DrawFn) -> Snapshot:
    """Small trees in which everything overlaps; now and then an alias shows what holds it."""
    builder = Builder()
    small = st.integers(0, 40)
    loop = draw(st.integers(0, 9)) == 0
    builder.container("root", 0, draw(st.integers(20, 64)))
    for number in range(draw(st.integers(1, 11))):
        holders = [r.id for r in builder.regions if r.alias is None]
        into = draw(st.sampled_from([*holders, *holders, None]))
        facts = {
            "into": into,
            "priority": draw(st.integers(-1, 1)) if into is not None else 0,
            "enabled": draw(st.integers(0, 5)) > 0,
            "readonly": draw(st.integers(0, 5)) == 0,
            "nonvolatile": draw(st.integers(0, 8)) == 0,
        }
        place = draw(small), draw(st.integers(1, 48))
        kind = draw(st.sampled_from(["i/o", "ram", "container", "alias", "alias"]))
        if kind == "alias":
            targets = [r.id for r in builder.regions if into not in builder.below(r.id)]
            if targets and not loop:
                target = draw(st.sampled_from(targets))
                builder.alias(f"a{number}", *place, target, draw(small), **facts)
            elif loop:
                loop = False
                builder.alias(f"a{number}", *place, 0, draw(small), **facts)
        elif kind == "container":
            builder.container(f"c{number}", *place, **facts)
        else:
            builder.region(f"r{number}", *place, type=kind, **facts)
    builder.space("memory", 0)
    assume(not find_circle(builder.regions))
    return builder.snapshot()


_SHARED = [
    f.name for f in msgspec.structs.fields(RegionInfo) if f.name not in ("inferred", "sureness")
]


def of_vector(case: VectorCase) -> Snapshot:
    """Return a recorded tree as a snapshot, without the recorded views."""
    return Snapshot(
        regions=tuple(
            RegionInfo(**{name: getattr(r, name) for name in _SHARED}) for r in case.regions
        ),
        address_spaces=tuple(AddressSpaceInfo(s.name, s.root) for s in case.address_spaces),
    )


def vectors(corpus: Corpus, every: int = 1) -> Iterator[tuple[str, VectorCase]]:
    """Yield every so many of the corpus's vectors."""
    number = 0
    for suffix in (".json", ".json.gz"):
        for path, data in corpus.files(suffix):
            if "vectors/" not in path:
                continue
            number += 1
            if number % every == 0:
                case = read_case(_plain(path, data))
                assert isinstance(case, VectorCase)
                yield path, case


def recorded_views(case: VectorCase) -> Iterator[tuple[int, tuple[RangeInfo, ...]]]:
    """Yield (root, ranges) for each address space that is alone in its name."""
    counts = Counter(space.name for space in case.address_spaces)
    roots = {s.name: s.root for s in case.address_spaces if counts[s.name] == 1}
    for view in case.flatviews:
        ranges = tuple(
            RangeInfo(**dict(zip(case.range_fields, values, strict=True)))  # type: ignore[arg-type]
            for values in view.ranges
        )
        for name, _ in view.users:
            if name in roots:
                yield roots[name], ranges


def _plain(path: str, data: bytes) -> bytes:
    import gzip

    return gzip.decompress(data) if path.endswith(".gz") else data
