"""Devices come and go in one order, and a failure anywhere leaves nothing behind."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError, GuestmapError, HostError, StateError
from guestmap.qom import Bus, Device, NotFoundError, Object, ObjectTree, ObjectType
from tests.qom.samples import PcDimm, add_dimm, add_object, sample_tree

STEPS = ("pre_plug", "do_realize", "plug")


class Recorder:
    """What happened, in order; the named steps fail."""

    def __init__(self, *failing: str) -> None:
        self.steps: list[str] = []
        self.failing = failing

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if step in self.failing:
            raise HostError(f"{step} failed")


class Handler:
    def __init__(self, record: Recorder) -> None:
        self.record = record

    def pre_plug(self, device: Device) -> None:
        self.record("pre_plug")

    def undo_pre_plug(self, device: Device) -> None:
        self.record("undo_pre_plug")

    def plug(self, device: Device) -> None:
        assert not device.realized
        self.record("plug")

    def unplug_request(self, device: Device) -> None:
        self.record("unplug_request")

    def unplug(self, device: Device) -> None:
        self.record("unplug")


class Recorded(PcDimm):
    record: Recorder

    def do_realize(self) -> None:
        self.record("do_realize")

    def do_unrealize(self) -> None:
        self.record("do_unrealize")

    def finalize(self) -> None:
        self.record("finalize")


@pytest.fixture
def tree() -> ObjectTree:
    return sample_tree(
        ObjectType("recorded", "pc-dimm", make=Recorded), ObjectType("PCI", "bus", make=Bus)
    )


def recorded(tree: ObjectTree, record: Recorder, name: str | None = "d0") -> Recorded:
    device = tree.types.new("recorded")
    assert isinstance(device, Recorded)
    device.record = record
    device.id = name
    if name is not None:
        tree.container("/machine/peripheral").add_child(name, device)
    return device


def test_realize(tree: ObjectTree) -> None:
    record = Recorder()
    device = recorded(tree, record)
    assert device.get("realized") is False
    handler = Handler(record)
    device.realize(handler)
    assert record.steps == ["pre_plug", "do_realize", "plug"]
    assert device.get("realized") is True
    assert device.handler is handler
    assert device.canonical_path == "/machine/peripheral/d0"
    with pytest.raises(StateError, match="realized already"):
        device.realize(handler)
    device.unparent()
    assert record.steps[3:] == ["do_unrealize", "finalize"]
    assert device.realized is False
    assert device.handler is None
    assert device.canonical_path == "/machine/peripheral/d0"


UNDONE = {
    "pre_plug": ["pre_plug"],
    "do_realize": ["pre_plug", "do_realize", "undo_pre_plug"],
    "plug": ["pre_plug", "do_realize", "plug", "do_unrealize", "undo_pre_plug"],
}


@pytest.mark.parametrize("failing", STEPS)
def test_a_failure_undoes_what_was_done(tree: ObjectTree, failing: str) -> None:
    record = Recorder(failing)
    device = recorded(tree, record)
    with pytest.raises(HostError, match=f"^{failing} failed$"):
        device.realize(Handler(record))
    assert record.steps == UNDONE[failing]
    assert device.realized is False
    assert device.canonical_path == ""
    assert tree.resolve("d0") is device
    record.failing = ()
    device.realize(Handler(record))
    assert device.realized


@pytest.mark.parametrize("failing", STEPS)
def test_a_failed_device_without_a_parent_is_gone(tree: ObjectTree, failing: str) -> None:
    tree.container("/machine/unattached")
    before = [place.path for place in tree.root.walk()]
    record = Recorder(failing)
    device = recorded(tree, record, None)
    with pytest.raises(HostError):
        device.realize(Handler(record))
    assert record.steps == [*UNDONE[failing], "finalize"]
    assert [place.path for place in tree.root.walk()] == before
    with pytest.raises(NotFoundError):
        tree.resolve("device[0]")


def test_undoing_goes_on_when_it_fails_itself(tree: ObjectTree) -> None:
    record = Recorder("plug", "do_unrealize", "undo_pre_plug")
    device = recorded(tree, record)
    with pytest.raises(HostError, match=r"^plug failed") as raised:
        device.realize(Handler(record))
    assert record.steps == UNDONE["plug"]
    assert raised.value.__notes__ == [
        "while undoing: do_unrealize failed",
        "while undoing: undo_pre_plug failed",
    ]
    assert device.realized is False


def test_without_a_handler(tree: ObjectTree) -> None:
    record = Recorder()
    device = recorded(tree, record, None)
    device.realize()
    assert record.steps == ["do_realize"]
    assert device.path == "/machine/unattached/device[0]"
    other = recorded(tree, record, None)
    other.set("realized", value=True)
    assert other.path == "/machine/unattached/device[1]"
    other.set("realized", value=False)
    assert record.steps[-1] == "do_unrealize"
    assert other.path == "/machine/unattached/device[1]"
    other.unrealize()
    assert record.steps[-2:] == ["do_realize", "do_unrealize"]


def test_numbers_of_devices_without_a_parent_do_not_come_again(tree: ObjectTree) -> None:
    """As QEMU's do (test_numbers_against_qemu): only one that failed gives its number back."""
    devices = [recorded(tree, Recorder(), None) for _ in range(4)]
    devices[0].realize()
    devices[1].realize()
    devices[1].unparent()
    devices[2].realize()
    assert devices[2].path == "/machine/unattached/device[2]"
    with pytest.raises(HostError):
        recorded(tree, Recorder("do_realize"), None).realize()
    devices[3].realize()
    assert devices[3].path == "/machine/unattached/device[3]"


def test_a_device_cannot_be_realized_inside_its_own_realize(tree: ObjectTree) -> None:
    class Nested(Recorded):
        def do_realize(self) -> None:
            with pytest.raises(StateError):
                self.realize()
            self.unrealize()
            super().do_realize()

    tree.types.add(ObjectType("nested", "pc-dimm", make=Nested))
    device = tree.types.new("nested")
    assert isinstance(device, Nested)
    device.record = Recorder()
    device.realize()
    assert device.record.steps == ["do_realize"]


def test_a_device_that_cannot_come_later(tree: ObjectTree) -> None:
    record = Recorder()
    device = recorded(tree, record)
    device.hotplugged = True
    device.hotpluggable = False
    with pytest.raises(ConfigError, match=r"^Device 'recorded' does not support hotplugging$"):
        device.realize(Handler(record))
    assert record.steps == []
    device.hotplugged = False
    device.realize(Handler(record))


def test_properties_are_fixed_once_realized(tree: ObjectTree) -> None:
    add_object(tree, "memory-backend-ram", "mm")
    named, unnamed = add_dimm(tree, "d0"), add_dimm(tree, "d1")
    unnamed.id = None
    for dimm in (named, unnamed):
        dimm.set("slot", 3)
        dimm.set("memdev", "mm")
        dimm.realize()
    for setter, value in ((named.set, "x"), (named.set_text, "1"), (named.set_line, "")):
        with pytest.raises(ConfigError) as raised:
            setter("slot", value)
        assert str(raised.value) == (
            "Attempt to set property 'slot' on device 'd0' (type 'pc-dimm') after it was realized"
        )
    with pytest.raises(ConfigError) as raised:
        unnamed.set("slot", 1)
    assert str(raised.value) == (
        "Attempt to set property 'slot' on anonymous device (type 'pc-dimm') after it was realized"
    )
    for value in ("", "mm"):
        with pytest.raises(ConfigError) as raised:
            unnamed.set("memdev", value)
        assert str(raised.value) == (
            "Attempt to set link property 'memdev' on anonymous device (type 'pc-dimm')"
            " after it was realized"
        )
    assert (named.slot, named.get("memdev")) == (3, "/objects/mm")
    named.unrealize()
    named.set("slot", 4)
    assert named.slot == 4


def test_a_device_link_has_a_check_of_its_own(tree: ObjectTree) -> None:
    from guestmap.qom import device_link

    def check(device: Object, name: str, target: Object | None) -> None:
        raise ConfigError(f"{name} is taken")

    tree.types.add(
        ObjectType("picky", "device", properties=(device_link("to", "object", check=check),))
    )
    device = tree.types.new("picky")
    with pytest.raises(ConfigError, match="to is taken"):
        device.set("to", "/machine")


# -- buses -----------------------------------------------------------------------------------------


def bridge(tree: ObjectTree, record: Recorder) -> tuple[Recorded, Bus]:
    device = recorded(tree, record, "b0")
    bus = tree.types.new("PCI")
    assert isinstance(bus, Bus)
    return device, device.add_bus("pci.1", bus)


def test_a_device_on_a_bus(tree: ObjectTree) -> None:
    device, bus = bridge(tree, Recorder())
    inner = [recorded(tree, Recorder(), f"d{number}") for number in range(3)]
    for each in inner:
        bus.add(each)
    assert device.buses == (bus,)
    assert bus.path == "/machine/peripheral/b0/pci.1"
    assert bus.devices == tuple(inner)
    assert inner[1].parent_bus is bus
    assert inner[1].get("parent_bus") == bus.path
    assert bus.get("child[1]") == "/machine/peripheral/d1"
    assert bus.find_property("child[1]").type.name == "link<recorded>"
    with pytest.raises(ConfigError, match="not writable"):
        inner[1].set("parent_bus", "")
    with pytest.raises(StateError, match="sits on a bus already"):
        bus.add(inner[1])


def test_a_place_on_a_bus_is_not_given_twice(tree: ObjectTree) -> None:
    _, bus = bridge(tree, Recorder())
    first, second, third = (recorded(tree, Recorder(), f"d{number}") for number in range(3))
    bus.add(first)
    bus.add(second)
    second.unparent()
    assert bus.devices == (first,)
    assert not bus.has_property("child[1]")
    bus.add(third)
    assert bus.get("child[2]") == "/machine/peripheral/d2"
    bus.remove(third)
    assert third.parent_bus is None
    bus.remove(third)
    assert bus.devices == (first,)


def test_a_bus_takes_its_devices_along(tree: ObjectTree) -> None:
    record = Recorder()
    device, bus = bridge(tree, record)
    inner = recorded(tree, record, "d0")
    bus.add(inner)
    inner.realize()
    device.realize()
    record.steps.clear()
    device.unparent()
    assert record.steps == ["do_unrealize", "do_unrealize", "finalize", "finalize"]
    assert inner.attached is False
    assert device.buses == ()
    assert bus.attached is False
    for gone in ("b0", "d0", "pci.1"):
        with pytest.raises(NotFoundError):
            tree.resolve(gone)


def test_a_device_that_is_kept_loses_its_buses_all_the_same(tree: ObjectTree) -> None:
    device, bus = bridge(tree, Recorder())
    inner = recorded(tree, Recorder(), "d0")
    bus.add(inner)
    device.ref()
    device.unparent()
    assert bus.parent is None
    assert inner.parent is None
    assert dict(device.children) == {}


def test_everything_on_a_bus_leaves_whatever_fails(tree: ObjectTree) -> None:
    device, bus = bridge(tree, Recorder())
    second = device.add_bus("pci.2", tree.types.new("PCI"))  # type: ignore[arg-type]
    records = [Recorder("do_unrealize") for _ in range(4)]
    for number, record in enumerate(records):
        inner = recorded(tree, record, f"d{number}")
        (bus if number < 2 else second).add(inner)
        inner.realize()
    with pytest.raises(HostError, match="do_unrealize failed"):
        device.unparent()
    for record in records:
        assert record.steps == ["do_realize", "do_unrealize", "finalize"]
    assert dict(tree.container("/machine/peripheral").children) == {}


def test_children_go_whatever_fails(tree: ObjectTree) -> None:
    record = Recorder("finalize")
    top = tree.root.add_child("top", tree.types.new("container"))
    for number in range(3):
        inner = recorded(tree, record, None)
        top.add_child(f"d{number}", inner)
    with pytest.raises(HostError, match="finalize failed"):
        top.unparent()
    assert record.steps == ["finalize"] * 3
    assert dict(top.children) == {}


def test_a_device_that_cannot_be_unrealized_leaves_all_the_same(tree: ObjectTree) -> None:
    record = Recorder()
    device, bus = bridge(tree, record)
    device.realize()
    record.failing = ("do_unrealize",)
    with pytest.raises(GuestmapError, match="do_unrealize failed"):
        device.unparent()
    assert device.attached is False
    assert bus.attached is False
    assert device.realized is False
    assert record.steps[-1] == "finalize"
