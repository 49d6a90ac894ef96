"""Random mutations in nested transactions, some of which fail; everything is checked after each.

Transactions are opened and closed by rules of their own, so that they overlap mutations in every
way. Listeners listen to some address spaces, and one of them refuses now and then.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from guestmap.base import ConfigError, HostError
from guestmap.memory import (
    AddressSpace,
    FlatView,
    MemoryRegion,
    MemoryRegionSection,
    MemorySystem,
)
from guestmap.memory.map.transaction import Transaction
from guestmap.testing import NopRecordingListener, RecordingListener
from guestmap.testing.strategies import (
    KINDS,
    addresses,
    flags,
    make_region,
    priorities,
    set_flags,
    sizes,
)
from tests.memory.invariants import check_everything
from tests.memory.profile import examples

MOST_REGIONS = 14
MOST_SPACES = 6

some = st.integers(0, 10_000)
"""Picks one of whatever there is."""


class Engine(RecordingListener):
    """Refuses after a number of callbacks, once."""

    refuse_in = 0

    def _count(self) -> None:
        if self.refuse_in:
            self.refuse_in -= 1
            if not self.refuse_in:
                raise HostError("no more slots")

    def begin(self) -> None:
        self._count()
        super().begin()

    def commit(self) -> None:
        super().commit()
        self._count()

    def region_add(self, section: MemoryRegionSection) -> None:
        self._count()
        super().region_add(section)

    def region_del(self, section: MemoryRegionSection) -> None:
        self._count()
        super().region_del(section)


def tree_of(regions: list[MemoryRegion]) -> list[tuple[object, ...]]:
    """Return all that the tree consists of."""
    return [
        (
            r.name, r.addr, r.size, r.priority, r.enabled, r.readonly, r.nonvolatile,
            r.unmergeable, r.romd_mode, r.alias, r.alias_offset, r.container, r.subregions,
        )
        for r in regions
    ]  # fmt: skip


class Mutations(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.memory = MemorySystem()
        self.regions: list[MemoryRegion] = []
        self.listeners: dict[RecordingListener, AddressSpace] = {}
        self.engine: Engine | None = None
        self.open: list[tuple[Transaction, list[tuple[object, ...]]]] = []
        self.published: list[tuple[AddressSpace, FlatView]] = []
        self.generation = 0

    # -- what there is -----------------------------------------------------------------------------

    def region(
        self, number: int, fits: Callable[[MemoryRegion], bool] = lambda _: True
    ) -> MemoryRegion:
        """Pick a region, mostly one for which the mutation makes sense."""
        fitting = [r for r in self.regions if fits(r)] if number % 8 else []
        return (fitting or self.regions)[number % len(fitting or self.regions)]

    def state(self) -> list[tuple[object, ...]]:
        spaces = [(space,) for space in self.memory.address_spaces]
        return [*spaces, *tree_of(self.regions)]

    def assert_state_is(self, before: list[tuple[object, ...]]) -> None:
        """See that all is as before, regions apart that were made since."""
        assert self.state()[: len(before)] == before
        if not self.open:
            assert [(s, s.view) for s in self.memory.address_spaces] == self.published

    def attempt(self, mutate: Callable[[], object]) -> None:
        """Do it, and see that nothing has changed if it is refused."""
        before = self.state()
        try:
            mutate()
        except (ConfigError, HostError):
            self.assert_state_is(before)

    @initialize(
        made=st.lists(st.tuples(st.sampled_from(KINDS), some, sizes, addresses), max_size=8),
        placed=st.lists(st.tuples(some, some, addresses, priorities), max_size=10),
    )
    def start(
        self,
        made: list[tuple[str, int, int, int]],
        placed: list[tuple[int, int, int, int]],
    ) -> None:
        root = self.memory.container("r0", 1 << 64)
        self.regions = [root, self.memory.ram("r1", 0x800, backed=False)]
        for kind, shown, size, offset in made:
            self.new_region(kind, size, shown, offset, frozenset())
        root.add_subregion(0, self.regions[1])
        for parent, child, offset, priority in placed:
            self.add(parent, child, offset, priority)
        self.listen_first(root)

    def listen_first(self, root: MemoryRegion) -> None:
        try:
            space = self.memory.address_space("s0", root)
        except ConfigError:
            root.del_subregion(self.regions[1])
            for child in root.subregions:
                root.del_subregion(child)
            space = self.memory.address_space("s0", root)
        self.listen(space, NopRecordingListener("nops", 5))
        self.engine = Engine("engine", 10)
        self.listen(space, self.engine)

    def listen(self, space: AddressSpace, listener: RecordingListener) -> None:
        space.register_listener(listener)
        self.listeners[listener] = space

    # -- regions -----------------------------------------------------------------------------------

    @precondition(lambda self: len(self.regions) < MOST_REGIONS)
    @rule(kind=st.sampled_from(KINDS), size=sizes, shown=some, offset=addresses, names=flags)
    def new_region(
        self, kind: str, size: int, shown: int, offset: int, names: frozenset[str]
    ) -> None:
        name = f"r{len(self.regions)}"
        region = make_region(self.memory, kind, name, size, self.region(shown), offset)
        set_flags(names, region)
        self.regions.append(region)

    @rule(parent=some, child=some, offset=addresses, priority=priorities)
    def add(self, parent: int, child: int, offset: int, priority: int) -> None:
        holder = self.region(parent, lambda r: r.alias is None)
        region = self.region(child, lambda r: r.container is None)
        self.attempt(lambda: holder.add_subregion(offset, region, priority))

    @rule(child=some)
    def delete(self, child: int) -> None:
        region = self.region(child, lambda r: r.container is not None)
        if region.container is not None:
            holder = region.container
            self.attempt(lambda: holder.del_subregion(region))

    @rule(which=some, offset=addresses)
    def move(self, which: int, offset: int) -> None:
        self.attempt(lambda: self.region(which).set_address(offset))

    @rule(which=some, size=sizes)
    def resize(self, which: int, size: int) -> None:
        self.attempt(lambda: self.region(which).set_size(size))

    @rule(which=some, offset=addresses)
    def slide_alias(self, which: int, offset: int) -> None:
        region = self.region(which, lambda r: r.alias is not None)
        self.attempt(lambda: region.set_alias_offset(offset))

    @rule(which=some, name=st.sampled_from(["enabled", "readonly", "nonvolatile", "unmergeable"]))
    def flip(self, which: int, name: str) -> None:
        region = self.region(which)
        value = not getattr(region, name)
        self.attempt(lambda: getattr(region, f"set_{name}")(value))

    @rule(which=some)
    def flip_romd(self, which: int) -> None:
        region = self.region(which, lambda r: r.rom_device)
        self.attempt(lambda: region.set_romd_mode(not region.romd_mode))

    # -- address spaces and listeners --------------------------------------------------------------

    @precondition(lambda self: len(self.memory.address_spaces) < MOST_SPACES)
    @rule(root=some)
    def new_space(self, root: int) -> None:
        region = self.region(root)
        self.attempt(lambda: self.memory.address_space(f"on {region.name}", region))

    @precondition(lambda self: len(self.memory.address_spaces) > 1)
    @rule(which=some)
    def remove_space(self, which: int) -> None:
        spaces = self.memory.address_spaces[1:]
        space = spaces[which % len(spaces)]
        self.attempt(lambda: self.memory.remove_address_space(space))

    @precondition(lambda self: len(self.listeners) < 5)
    @rule(which=some, priority=st.integers(0, 12), nops=st.booleans())
    def new_listener(self, which: int, priority: int, nops: bool) -> None:
        spaces = self.memory.address_spaces
        space = spaces[which % len(spaces)]
        kind = NopRecordingListener if nops else RecordingListener
        self.listen(space, kind(f"of {space.name}", priority))

    @precondition(lambda self: len(self.listeners) > 2)
    @rule(which=some)
    def remove_listener(self, which: int) -> None:
        others = [each for each in self.listeners if each is not self.engine]
        listener = others[which % len(others)]
        space = self.listeners.pop(listener)
        if listener in space.listeners:
            space.unregister_listener(listener)
        assert not listener.sections
        assert not listener.problems

    @rule(calls=st.integers(1, 8))
    def arm_refusal(self, calls: int) -> None:
        assert self.engine is not None
        self.engine.refuse_in = calls

    # -- transactions ------------------------------------------------------------------------------

    @precondition(lambda self: len(self.open) < 4)
    @rule()
    def open_transaction(self) -> None:
        transaction = self.memory.transaction("a rule")
        transaction.__enter__()
        self.open.append((transaction, self.state()))

    @precondition(lambda self: self.open)
    @rule()
    def close_transaction(self) -> None:
        transaction, before = self.open.pop()
        try:
            transaction.__exit__(None, None, None)
        except (ConfigError, HostError):
            assert not self.open
            self.assert_state_is(before)

    @precondition(lambda self: self.open)
    @rule()
    def fail_transaction(self) -> None:
        transaction, before = self.open.pop()
        transaction.__exit__(ValueError, ValueError(), None)
        self.assert_state_is(before)

    # -- what must always hold ---------------------------------------------------------------------

    @invariant()
    def everything_agrees(self) -> None:
        if not self.regions:
            return
        if self.open:  # nothing is published before the outermost end
            kept = [(s, s.view) for s, _ in self.published]
            assert kept == self.published
            return
        check_everything(self.memory, self.regions)
        spaces = self.memory.address_spaces
        for listener, space in self.listeners.items():
            assert not listener.problems
            if space in spaces:
                listener.assert_shows(space)
            else:
                assert not listener.sections
                assert not len(space.view)
        views = [(space, space.view) for space in spaces]
        if views == self.published:
            assert self.memory.generation == self.generation
        self.generation = self.memory.generation
        self.published = views

    def teardown(self) -> None:
        while self.open:
            self.fail_transaction()
        self.everything_agrees()


@pytest.mark.usefixtures("small_limits")
def test_mutations_keep_views_listeners_and_notes_right() -> None:
    run_state_machine_as_test(Mutations, settings=examples(150))
