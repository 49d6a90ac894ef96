"""A few types of QEMU's machine, with the properties that tests set, and a tree to set them in."""

from __future__ import annotations

from typing import Any

from guestmap.base import ConfigError
from guestmap.qom import (
    BOOL,
    INT,
    INT32,
    SIZE,
    STR,
    STRING,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    Device,
    Object,
    ObjectTree,
    ObjectType,
    Property,
    TypeTable,
    attribute_property,
    device_link,
    device_property,
    enum,
    link_property,
    list_of,
)

POLICIES = ("default", "preferred", "bind", "interleave")
MACHINE = "pc-i440fx-7.2-machine"


class PcDimm(Device):
    """The properties of a DIMM; plugs into nothing."""

    addr = 0
    node = 0
    slot = -1
    size = 0


def _add_nodes(backend: Any, nodes: list[int]) -> None:
    """Add to the set of nodes, as QEMU does: setting the property takes none away."""
    backend.nodes = sorted({*getattr(backend, "nodes", ()), *nodes})


def _backend_size(backend: Object, name: str) -> None:
    raise ConfigError(f"cannot change property {name} of {backend.type.name} ")


BACKEND = ObjectType(
    "memory-backend",
    abstract=True,
    interfaces=("user-creatable",),
    properties=(
        attribute_property("merge", BOOL, default=True),
        attribute_property("size", SIZE.named("int"), default=1 << 20, guard=_backend_size),
        attribute_property("prealloc-threads", UINT32.named("int"), default=1),
        attribute_property("policy", enum("HostMemPolicy", POLICIES), default="default"),
        Property(
            "host-nodes",
            list_of(UINT16, "int"),
            lambda backend: getattr(backend, "nodes", []),
            _add_nodes,
        ),
        link_property("prealloc-context", "thread-context"),
    ),
)

TYPES = (
    BACKEND,
    ObjectType("memory-backend-ram", "memory-backend"),
    ObjectType("thread-context", interfaces=("user-creatable",)),
    ObjectType(
        "pc-dimm",
        "device",
        interfaces=("memory-device",),
        make=PcDimm,
        properties=(
            device_link("memdev", "memory-backend"),
            device_property("node", UINT32, default=0),
            device_property("addr", UINT64, default=0),
            device_property("slot", INT32, default=-1),
            attribute_property("size", UINT64, writable=False),
            Property("legacy-memdev", STR),
        ),
    ),
    ObjectType(
        MACHINE,
        properties=(
            attribute_property("hpet", BOOL, default=True),
            attribute_property("firmware", STRING, default="bios-256k.bin"),
            attribute_property("phandle-start", INT, default=0),
            attribute_property("max-fw-size", SIZE, default=8 << 20),
            attribute_property("bus-lock-ratelimit", UINT64.named("uint64_t"), default=0),
            attribute_property("smm", enum("OnOffAuto", ("auto", "on", "off")), default="off"),
            attribute_property("x-narrow", UINT8, default=0),
        ),
    ),
)


def sample_tree(*types: ObjectType) -> ObjectTree:
    """Return a tree with /machine, /objects and the containers for devices."""
    tree = ObjectTree(TypeTable([*TYPES, *types]))
    tree.container("/objects")
    tree.root.add_child("machine", tree.types.new(MACHINE))
    tree.container("/machine/peripheral")
    return tree


def add_object(tree: ObjectTree, type_name: str, name: str) -> Object:
    """Put a new object into /objects."""
    return tree.container("/objects").add_child(name, tree.types.new(type_name))


def add_dimm(tree: ObjectTree, name: str) -> PcDimm:
    """Put a new, unrealized DIMM into /machine/peripheral."""
    dimm = tree.types.new("pc-dimm")
    assert isinstance(dimm, PcDimm)
    dimm.id = name
    tree.container("/machine/peripheral").add_child(name, dimm)
    return dimm
