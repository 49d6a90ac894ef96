"""The properties of memory back-ends: when they may change, and what is said of wrong ones.

Names, descriptions and refusals are QEMU 7.2's (backends/hostmem*.c; QMP reference,
``MemoryBackendProperties``).
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any, Never

from guestmap.base import ConfigError
from guestmap.memory.ram import NumaPolicy
from guestmap.memory.ram.host.options import hint, preallocate
from guestmap.qom import (
    BOOL,
    SIZE,
    STRING,
    UINT16,
    UINT32,
    Property,
    PropertyType,
    attribute_property,
    enum,
    link_property,
    list_of,
)

MOST_HOST_NODES = 128


def _once(text: str) -> Callable[[Any, str], None]:
    """Return a guard that refuses changes once there is memory, with QEMU's words."""

    def guard(backend: Any, name: str) -> None:
        if backend.region is not None:
            raise ConfigError(text.format(name=name, type=backend.type.name))

    return guard


_QUOTED = _once("cannot change property '{name}' of {type}")
_QUOTED_WITH_DOT = _once("cannot change property '{name}' of {type}.")


def _only_before(backend: Any) -> None:
    if backend.region is not None:
        raise ConfigError("cannot change property value")


def _not_zero(backend: Any, name: str, text: str) -> Never:
    raise ConfigError(text.format(name=name, type=backend.type.name))


_ZERO = "property '{name}' of {type} doesn't take value '0'"


def _set_size(backend: Any, size: int) -> None:
    if not size:
        _not_zero(backend, "size", _ZERO)
    backend.size = size


def _set_threads(backend: Any, threads: int) -> None:
    if not threads:
        _not_zero(backend, "prealloc-threads", _ZERO)
    backend.prealloc_threads = threads


def _set_hugetlb_size(backend: Any, size: int) -> None:
    _only_before(backend)
    if not size:
        _not_zero(backend, "hugetlbsize", "Property '{type}.{name}' doesn't take value '0'")
    backend.hugetlbsize = size


def _set_host_nodes(backend: Any, nodes: list[int]) -> None:
    wrong = next((node for node in nodes if node >= MOST_HOST_NODES), None)
    if wrong is not None:
        raise ConfigError(f"Invalid host-nodes value: {wrong}")
    backend.host_nodes = sorted({*backend.host_nodes, *nodes})


def _advising(name: str, advice: Callable[[bool], int]) -> Callable[[Any, bool], None]:
    """Return a setter that also tells the host, where there is memory already."""

    def put(backend: Any, value: bool) -> None:
        setattr(backend, name, value)
        host = backend.host
        if host is not None:
            hint(host, advice(value))

    return put


def _set_prealloc(backend: Any, value: bool) -> None:
    if value and not backend.get("reserve"):
        raise ConfigError("'prealloc=on' and 'reserve=off' are incompatible")
    host = backend.host
    if host is None:
        backend.prealloc = value
    elif value and not backend.get("prealloc"):  # what has been filled in stays
        preallocate(backend.name, host, backend.prealloc_threads, backend.told)
        backend.prealloc = True


def _set_reserve(backend: Any, value: bool) -> None:
    _only_before(backend)
    if not value and backend.get("prealloc"):
        raise ConfigError("'prealloc=on' and 'reserve=off' are incompatible")
    backend.reserve = value


def _set_share(backend: Any, value: bool) -> None:
    _only_before(backend)
    backend.share = value


def _property(
    name: str, kind: PropertyType, put: Callable[[Any, Any], None], default: Any, text: str = ""
) -> Property:
    """Return a property that is kept in an attribute and set in its own way."""
    field = name.replace("-", "_")
    return Property(name, kind, lambda b: getattr(b, field, default), put, description=text)


_INT_SIZE = SIZE.named("int")
_merge = _advising("merge", lambda on: mmap.MADV_MERGEABLE if on else mmap.MADV_UNMERGEABLE)
_dump = _advising("dump", lambda on: mmap.MADV_DODUMP if on else mmap.MADV_DONTDUMP)


def common_properties() -> tuple[Property, ...]:
    """Return what all back-ends have."""
    about = {
        "share": "Mark the memory as private to QEMU or shared",
        "size": "Size of the memory region (ex: 500M)",
        "dump": "Set to 'off' to exclude from core dump",
        "threads": "Number of CPU threads to use for prealloc",
        "context": "Context to use for creating CPU threads for preallocation",
        "policy": "Set the NUMA policy",
        "reserve": "Reserve swap space (or huge pages) if applicable",
    }
    policies = enum("HostMemPolicy", [policy.name.lower() for policy in NumaPolicy])
    size = Property(
        "size", _INT_SIZE, lambda b: b.size, _set_size, description=about["size"],
        guard=_once("cannot change property {name} of {type} "),
    )  # fmt: skip
    return (
        _property("share", BOOL, _set_share, False, about["share"]),
        size,
        _property("dump", BOOL, _dump, True, about["dump"]),
        _property("prealloc-threads", UINT32.named("int"), _set_threads, 1, about["threads"]),
        attribute_property("x-use-canonical-path-for-ramblock-id", BOOL, default=False),
        attribute_property("policy", policies, default="default", description=about["policy"]),
        link_property("prealloc-context", "thread-context", description=about["context"]),
        _property("prealloc", BOOL, _set_prealloc, False, "Preallocate memory"),
        _property("reserve", BOOL, _set_reserve, True, about["reserve"]),
        _property(
            "host-nodes", list_of(UINT16, "int"), _set_host_nodes, (),
            "Binds memory to the list of NUMA host nodes",
        ),
        _property("merge", BOOL, _merge, True, "Mark memory as mergeable"),
    )  # fmt: skip


def file_properties() -> tuple[Property, ...]:
    """Return what ``memory-backend-file`` has besides."""
    return (
        attribute_property("readonly", BOOL, default=False, guard=_QUOTED_WITH_DOT),
        attribute_property("align", _INT_SIZE, default=0, guard=_QUOTED),
        attribute_property("pmem", BOOL, default=False, guard=_QUOTED_WITH_DOT),
        attribute_property("mem-path", STRING, default="", guard=_QUOTED),
        attribute_property("discard-data", BOOL, default=False),
    )


def memfd_properties() -> tuple[Property, ...]:
    """Return what ``memory-backend-memfd`` has besides."""
    return (
        attribute_property("hugetlb", BOOL, default=False, description="Use huge pages"),
        attribute_property("seal", BOOL, default=True, description="Seal growing & shrinking"),
        _property("hugetlbsize", _INT_SIZE, _set_hugetlb_size, 0, "Huge pages size (ex: 2M, 1G)"),
    )
