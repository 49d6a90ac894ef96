"""What a machine's manager is refused, and in which words: those of QEMU 7.2 where it has them.

Kinds of objects that QMP's schema does not know are refused there first, by either program.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guestmap.base import MIB, ConfigError, ManualClock, UnsupportedError
from guestmap.machine import MachineConfig, Pc, make_board
from guestmap.qom import JsonValue, NotFoundError

pytestmark = pytest.mark.seabios

CPU = "/machine/unattached/device[0]"


@pytest.fixture(scope="module")
def pc() -> Iterator[Pc]:
    made = Pc(MachineConfig(slots=2, max_ram=1 << 30), ManualClock())
    made.manage.object_add("memory-backend-ram", "m0", {"size": 2 * MIB})
    made.manage.device_add("pci-testdev", "t0", {})
    yield made
    made.system.close()


@pytest.mark.parametrize(("kind", "id_", "refusal"), [
    ("nonsense", "m1", "invalid object type: nonsense"),
    ("container", "m1", "invalid object type: container"),
    ("pc-dimm", "m1", "invalid object type: pc-dimm"),
    ("memory-backend", "m1", "object type 'memory-backend' is abstract"),
    ("memory-backend-ram", "1", "Parameter 'id' expects an identifier"),
    ("memory-backend-ram", "", "Parameter 'id' expects an identifier"),
    ("memory-backend-ram", "a b", "Parameter 'id' expects an identifier"),
    ("memory-backend-ram", "m0",
     "attempt to add duplicate property 'm0' to object (type 'container')"),
])  # fmt: skip
def test_an_object_that_cannot_be(pc: Pc, kind: str, id_: str, refusal: str) -> None:
    before = pc.manage.memory_backends()
    with pytest.raises(ConfigError) as told:
        pc.manage.object_add(kind, id_, {"size": MIB})
    assert str(told.value) == refusal
    assert pc.manage.memory_backends() == before


ABSTRACT = "Parameter 'driver' expects a non-abstract device type"
FIXED = "Parameter 'driver' expects a pluggable device type"


@pytest.mark.parametrize(("driver", "id_", "properties", "refusal"), [
    ("nonsense", None, {}, "'nonsense' is not a valid device model name"),
    ("memory-backend-ram", None, {}, "'memory-backend-ram' is not a valid device model name"),
    ("pci-device", None, {}, ABSTRACT), ("device", None, {}, ABSTRACT),
    ("i8257", None, {}, FIXED), ("PIIX4_PM", None, {}, FIXED),
    ("pci-testdev", "t0", {}, "Duplicate device ID 't0'"),
    ("pci-testdev", "1", {}, "Parameter 'id' expects an identifier"),
    ("pci-testdev", "t1", {"bus": "nope"}, "Bus 'nope' not found"),
    ("pci-testdev", "t1", {"bus": "nope/x"}, "Bus 'nope' not found"),
    ("pci-testdev", "t1", {"bus": "isa.0"}, "Device 'pci-testdev' can't go on ISA bus"),
    ("isa-serial", "t1", {}, "Bus 'isa.0' does not support hotplugging"),
    ("isa-serial", "t1", {"bus": "pci.0"}, "Device 'isa-serial' can't go on PCI bus"),
    ("pc-dimm", "t1", {"bus": "pci.0", "memdev": "m0"}, "Device 'pc-dimm' can't go on PCI bus"),
    ("pc-dimm", "t1", {"bus": "nope", "memdev": "m0"}, "Bus 'nope' not found"),
])  # fmt: skip
def test_a_device_that_cannot_be(
    pc: Pc, driver: str, id_: str | None, properties: dict[str, JsonValue], refusal: str
) -> None:
    before = [each.path for each in pc.tree.root.walk()]
    with pytest.raises(ConfigError) as told:
        pc.manage.device_add(driver, id_, properties)
    assert str(told.value) == refusal
    assert [each.path for each in pc.tree.root.walk()] == before


@pytest.mark.parametrize("later", [True, False])
@pytest.mark.parametrize(("driver", "refusal"), [
    *((name, f"device {name} is not modelled: use pc-dimm")
      for name in ("nvdimm", "virtio-mem-pci", "virtio-pmem-pci", "sgx-epc")),
    ("qemu64-x86_64-cpu", "CPUs cannot be plugged into a running machine: use -smp"),
])  # fmt: skip
def test_a_device_that_is_not_modelled(pc: Pc, later: bool, driver: str, refusal: str) -> None:
    with pytest.raises(UnsupportedError) as told:
        pc.manage.device_add(driver, None, {}, hotplugged=later)
    assert str(told.value) == refusal


def test_a_driver_that_nobody_knows_is_not_modelled_from_the_start(pc: Pc) -> None:
    with pytest.raises(UnsupportedError, match=r"^device rtl8139 is not modelled$"):
        pc.manage.device_add("rtl8139", None, {}, hotplugged=False)


@pytest.mark.parametrize(("id_", "refusal"), [
    ("nope", "Device 'nope' not found"), ("m0", "Device 'm0' not found"),
    ("", " is not a hotpluggable device"),
    ("/machine", "/machine is not a hotpluggable device"),
    ("/objects/m0", "/objects/m0 is not a hotpluggable device"),
    (CPU, "Boot CPU is unpluggable"),
])  # fmt: skip
def test_what_cannot_be_asked_for(pc: Pc, id_: str, refusal: str) -> None:
    with pytest.raises((ConfigError, NotFoundError)) as told:
        pc.manage.device_del(id_)
    assert str(told.value) == refusal


def test_a_machine_without_a_place_for_memory() -> None:
    pc = Pc(MachineConfig(acpi=False, slots=1, max_ram=1 << 30), ManualClock())
    with pc.system:
        pc.manage.object_add("memory-backend-ram", "m0", {"size": 2 * MIB})
        with pytest.raises(ConfigError, match="missing acpi device or acpi disabled"):
            pc.manage.device_add("pc-dimm", "d", {"memdev": "m0"})
        assert pc.manage.memory_size_summary() == {
            "base-memory": 128 * MIB, "plugged-memory": 0,
        }  # fmt: skip


@pytest.mark.parametrize("machine", ["pc", "microvm"])
@pytest.mark.parametrize(
    "driver", ["isa-serial", "isa-debugcon", "isa-fdc", "i8042", "mc146818rtc"]
)
def test_a_second_one_of_what_every_machine_has(machine: str, driver: str) -> None:
    board = make_board(MachineConfig(machine=machine), ManualClock())
    with pytest.raises(UnsupportedError, match=f"device {driver} is not modelled but as what"):
        board.manage.device_add(driver, "t0", {}, hotplugged=False, typed=True)
    board.system.close()
