"""The machine's types beside what a real QEMU tells of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from guestmap.machine.tree import DeclaredType, machine_types
from guestmap.qom import UNSET, Property
from tests.support.qemu import Qemu

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.qemu, pytest.mark.qemu_7_2("its object types")]

NOT_QEMUS = {"interface"}
"""QEMU keeps it out of its list."""

CPU_TYPES = {"x86_64-cpu", "qemu64-x86_64-cpu"}
"""QEMU's have a property for each CPU feature; here that is the engine's affair."""

NOT_ASKED = {"microvm-machine"}
"""To answer, QEMU 7.2 makes an object, and this one ends it: it takes itself for the machine."""

INSTANCES = {"bus", "virtio-bus"}
"""QEMU's abstract buses have no properties of their own: each bus gets them when it is made."""

UNWRITTEN = {
    "pflash0", "pflash1", "peripheral", "peripheral-anon", "system.flash0", "system.flash1",
}  # fmt: skip
"""The machine's: flash that this machine has not, and children that every object lists itself."""


@pytest.fixture(scope="module")
def qemu() -> Iterator[Qemu]:
    with Qemu("-m", "128M") as running:
        yield running


def _types(qemu: Qemu, **arguments: Any) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in qemu.qmp("qom-list-types", **arguments)}


def test_parents_and_abstract_types_are_qemus(qemu):
    theirs = _types(qemu, abstract=True)
    for each in machine_types().all(abstract=True):
        if each.name not in NOT_QEMUS:
            known = theirs[each.name]
            assert each.parent == known.get("parent"), each.name
            assert each.abstract == known.get("abstract", each.parent == "interface"), each.name


def test_interfaces_are_qemus(qemu):
    types = machine_types()
    interfaces = [each.name for each in types.all(abstract=True) if each.parent == "interface"]
    assert len(interfaces) > 5
    for interface in interfaces:
        ours = {each.name for each in types.all(interface, abstract=True)}
        theirs = set(_types(qemu, implements=interface, abstract=True))
        assert ours == {name for name in theirs if name in types}, interface


def _own(properties: list[Property]) -> dict[str, tuple[str, str]]:
    return {each.name: (each.type.name, each.description) for each in properties}


def test_class_properties_are_qemus(qemu):
    types = machine_types()
    for each in types.all(abstract=True):
        if each.parent == "interface" or each.name in NOT_QEMUS | CPU_TYPES | INSTANCES | NOT_ASKED:
            continue
        theirs = {
            prop["name"]: (prop["type"], prop.get("description", ""))
            for prop in qemu.qmp("qom-list-properties", typename=each.name)
            if not prop["type"].startswith("child<") and prop["name"] not in UNWRITTEN
        }
        assert _own(list(types.properties(each.name))) == theirs, each.name


def test_settings_and_their_defaults_are_qemus(qemu):
    types = machine_types()
    checked = 0
    for each in types.all("device"):
        if each.name in CPU_TYPES:
            continue
        ours = {
            prop.name: prop.default
            for prop in types.properties(each.name)
            if prop.default is not UNSET
        }
        theirs = {
            prop["name"]: prop["default-value"]
            for prop in qemu.qmp("device-list-properties", typename=each.name)
            if "default-value" in prop
        }
        assert ours == theirs, each.name
        checked += len(ours)
    assert checked > 100


def _shown(qemu: Qemu) -> dict[str, list[str]]:
    """Return the settings that ``info qtree`` prints, by type."""
    shown: dict[str, list[str]] = {}
    names: list[str] = []
    for line in qemu.hmp("info qtree").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "dev:":
            names = shown[rest.partition(",")[0]] = []
        elif rest.startswith("= "):
            names.append(word)
    return shown


def test_settings_come_in_the_order_in_which_qemu_prints_them(qemu):
    types = machine_types()
    shown = _shown(qemu)
    assert len(shown) > 20
    for name, theirs in shown.items():
        each, ours = types.get(name), []
        while isinstance(each, DeclaredType):
            ours += each.settings
            each = types.get(each.parent or "")
        assert ours == theirs, name
