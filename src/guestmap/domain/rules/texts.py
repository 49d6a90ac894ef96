"""libvirt's numbers and texts, where its 9.0 and 12.9 differ as well: data only.

Numbers: virErrorNumber and virErrorDomain (virterror.h); texts as both versions print them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class LibvirtDialect(StrEnum):
    """Whose strictness and words: the two versions that were watched."""

    V9 = "9.0"
    V12 = "12.9"


INTERNAL_ERROR = 1
INVALID_ARG = 8
OPERATION_FAILED = 9
XML_ERROR = 27
XML_DETAIL = 35
NO_DOMAIN = 42
OPERATION_INVALID = 55
CONFIG_UNSUPPORTED = 67
OPERATION_TIMEOUT = 68
OVERFLOW = 82
DEVICE_MISSING = 99

PREFIXES: Mapping[int, str] = MappingProxyType(
    {
        INTERNAL_ERROR: "internal error: ",
        INVALID_ARG: "invalid argument: ",
        OPERATION_FAILED: "operation failed: ",
        XML_ERROR: "XML error: ",
        NO_DOMAIN: "Domain not found: ",
        OPERATION_INVALID: "Requested operation is not valid: ",
        CONFIG_UNSUPPORTED: "unsupported configuration: ",
        OPERATION_TIMEOUT: "Timed out during operation: ",
        OVERFLOW: "numerical overflow: ",
        DEVICE_MISSING: "device not found: ",
    }
)
"""What stands before a text, by number."""


class Text(NamedTuple):
    """A refusal: number, part, and words with places for the particulars."""

    code: int
    domain: int
    words: str


BOTH: Mapping[str, Text] = MappingProxyType(
    {
        "slot-taken": Text(67, 10, "memory device slot '{slot}' is already being used by another"
                           " memory device"),
        "base-taken": Text(67, 10, "memory device base '{base:#x}' is already being used by another"
                           " memory device"),
        "slot-range": Text(67, 10, "memory device slot '{slot}' exceeds slots count '{slots}'"),
        "slots-full-live": Text(67, 10, "memory device count '{count}' exceeds slots count"
                                " '{slots}'"),
        "slots-full-config": Text(67, 10, "no free memory device slot available"),
        "same-address": Text(55, 20, "Domain already contains a device with the same address"),
        "over-max": Text(67, 20, "Attaching memory device with size '{size}' would exceed domain's"
                         " maxMemory config size '{max}'"),
        "no-max": Text(67, 10, "cannot use/hotplug a memory device when domain 'maxMemory' is not"
                       " defined"),
        "node-count": Text(35, 20, "can't add memory backend for guest node '{node}' as the guest"
                           " has only '{nodes}' NUMA nodes configured"),
        "no-node": Text(67, 10, "target NUMA node needs to be specified for memory device"),
        "dimm-address": Text(67, 10, "only 'dimm' addresses are supported for the {driver} device"),
        "pci-address": Text(67, 10, "only 'pci' addresses are supported for the {model} device"),
        "host-node": Text(67, 0, "NUMA node {node} is unavailable"),
        "no-hugetlbfs": Text(1, 10, "hugetlbfs filesystem is not mounted or disabled by"
                             " administrator config"),
        "no-page-mount": Text(1, 10, "Unable to find any usable hugetlbfs mount for {page} KiB"),
        "bad-tune-mode": Text(67, 20, "Unsupported NUMA memory tuning mode '{value}'"),
        "alias-taken": Text(67, 20, "non unique alias detected: {alias}"),
        "not-running": Text(55, 20, "domain is not running"),
        "flags": Text(8, 20, "flags 'live' and 'current' are mutually exclusive"),
        "config-and-current": Text(8, 20, "flags 'config' and 'current' are mutually exclusive"),
        "job": Text(68, 20, "cannot acquire state change lock (held by {holder})"),
        "no-domain": Text(42, 10, "no domain with matching name '{name}'"),
        "no-xml": Text(35, 20, "({document}):{line}: {said}"),
        "no-model": Text(27, 5, "Missing required attribute '{attribute}' in element '{element}'"),
        "bad-value": Text(27, 5, "Invalid value for attribute '{attribute}' in element '{element}':"
                          " '{value}'."),
        "not-a-number": Text(27, 5, "Invalid value for attribute '{attribute}' in element"
                             " '{element}': '{value}'. Expected non-negative integer value"),
        "no-size": Text(27, 5, "missing element or attribute './{name}'"),
        "bad-size": Text(27, 5, "Invalid value '{value}' for element or attribute './{name}'"),
        "no-target": Text(27, 20, "missing <target> element for <memory> device"),
        "bad-node": Text(27, 20, "invalid value of memory device node"),
        "suffix": Text(8, 0, "unknown suffix '{suffix}'"),
        "overflow": Text(82, 0, "value too large: {value}{suffix}"),
        "bitmap": Text(8, 0, "Failed to parse bitmap '{value}'"),
        "not-memory": Text(67, 20, "unknown device type '{name}'"),
        "no-address-type": Text(1, 20, "No type specified for device address"),
        "address-type": Text(67, 20, "unknown address type '{value}'"),
        "no-numa": Text(67, 10, "At least one numa node has to be configured when enabling memory"
                        " hotplug"),
        "no-slots": Text(27, 20, "both maximum memory size and memory slot count must be"
                         " specified"),
        "no-slot-count": Text(27, 20, "Failed to parse memory slot count"),
        "max-zero": Text(27, 20, "both maximum memory size and memory slot count must be"
                         " specified"),
        "no-name": Text(21, 20, "missing name information"),
        "bad-uuid": Text(1, 20, "malformed uuid element"),
        "no-cell-memory": Text(27, 5, "missing element or attribute './@memory'"),
        "no-os": Text(27, 20, "an os <type> must be specified"),
        "not-domain": Text(27, 5, "expecting root element of 'domain', not '{name}'"),
        "bad-backing": Text(67, 20, "unknown memoryBacking/{path} '{value}'"),
        "pages-anonymous": Text(67, 10, "hugepages are not allowed with anonymous memory source"),
        "two-pages": Text(35, 20, "two master hugepages detected: {first} and {second}"),
        "no-page-size": Text(27, 5, "missing element or attribute './@size'"),
        "page-node": Text(35, 20, "hugepages: node {node} not found"),
        "no-cell": Text(27, 20, "Argument 'cellid' in memnode element must correspond to existing"
                        " guest's NUMA cell"),
        "no-numad": Text(1, 20, "Advice from numad is needed in case of automatic numa placement"),
        "max-small": Text(27, 20, "maximum memory size must be equal or greater than the actual"
                          " memory size"),
        "label-large": Text(27, 20, "label size must be smaller than NVDIMM size"),
        "label-small": Text(27, 20, "nvdimm label must be at least 128KiB"),
        "no-path": Text(35, 20, "path is required for model '{model}'"),
        "discard": Text(67, 20, "discard is not supported for nvdimms"),
        "pmem-node": Text(67, 20, "virtio-pmem does not support NUMA nodes"),
        "requested-large": Text(35, 20, "requested size must be smaller than or equal to @size"
                                " ({size}KiB)"),
        "requested-block": Text(35, 20, "requested size must be an integer multiple of block size"),
        "block-power": Text(35, 20, "block size must be a power of two"),
        "block-small": Text(35, 20, "block size too small, must be at least {least}KiB"),
        "live-missing": Text(99, 10, "model '{model}' memory device not present in the domain"
                             " configuration"),
        "config-missing": Text(99, 10, "matching memory device was not found"),
        "no-alias": Text(1, 10, "no device found with alias {alias}"),
        "update-missing": Text(67, 10, "memory '{alias}' not found"),
        "fixed-model": Text(67, 10, "cannot modify memory of model '{model}'"),
        "fixed-size": Text(67, 10, "cannot modify memory size from '{was}' to '{now}'"),
        "fixed-block": Text(67, 10, "cannot modify memory block size from '{was}' to '{now}'"),
        "fixed-access": Text(67, 10, "cannot modify memory access from '{was}' to '{now}'"),
        "fixed-address": Text(67, 10, "cannot modify memory address from '{was}' to '{now}'"),
        "update-missing-config": Text(8, 10, "memory not found"),
        "rejected": Text(9, 10, "unplug of device was rejected by the guest"),
        "qemu": Text(1, 10, "unable to execute QEMU command '{command}': {said}"),
        "no-balloon": Text(55, 10, "Unable to change memory of active domain without the balloon"
                           " device and guest OS balloon driver"),
        "over-memory": Text(8, 10, "cannot set memory higher than max memory"),
        "no-emulator": Text(38, 10, "Cannot check QEMU binary {path}: No such file or directory"),
        "died": Text(1, 10, "qemu unexpectedly closed the monitor: {said}"),
        "already-active": Text(55, 10, "domain is already running"),
        "undefine-missing": Text(55, 10, "cannot undefine transient domain"),
        "uuid-taken": Text(9, 10, "domain '{name}' already exists with uuid {uuid}"),
        "name-taken": Text(9, 10, "domain '{name}' is already defined with uuid {uuid}"),
    }
)  # fmt: skip
"""By what is wrong: as 9.0 says it, and 12.9 too where it is not below."""

NEWER: Mapping[str, Text] = MappingProxyType(
    {
        "slot-taken": Text(67, 20, BOTH["slot-taken"].words),
        "base-taken": Text(67, 20, "memory device address [{start:#x}:{end:#x}] overlaps with other"
                           " memory device ({other:#x})"),
        "slots-full-live": Text(67, 10, "count of memory devices requiring memory slots '{count}'"
                                " exceeds slots count '{slots}'"),
        "same-address": Text(67, 20, BOTH["slot-taken"].words),
        "no-xml": Text(35, 20, "at line {line}: {said}"),
        "pci-address": Text(67, 10, "only 'pci' and 'ccw' addresses are supported for the {model}"
                            " device"),
        "max-zero": Text(27, 20, "maximum memory size must be specified when specifying number of"
                         " memory slots"),
        "no-address-type": Text(27, 5, "Missing required attribute 'type' in element 'address'"),
        "address-type": Text(27, 5, "Invalid value for attribute 'type' in element 'address':"
                             " '{value}'."),
        "died": Text(1, 10, "QEMU unexpectedly closed the monitor (vm='{name}'): {said}"),
    }
)  # fmt: skip
"""What 12.9 says otherwise."""


def text_of(dialect: LibvirtDialect, what: str) -> Text:
    """Return the refusal of a version."""
    return (dialect is LibvirtDialect.V12 and NEWER.get(what)) or BOTH[what]
