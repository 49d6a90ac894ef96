"""The objects that a machine can be given, as QMP's schema has them (QEMU, qapi/qom.json)."""

from __future__ import annotations

from typing import Final

from guestmap.qmp import BOOL, SIZE, STR, UINT16, UINT32, Array, Enum, Member, Struct, Union

HOST_MEM_POLICY: Final = Enum("HostMemPolicy", ("default", "preferred", "bind", "interleave"))

_BACKEND: Final = Struct(
    "MemoryBackendProperties",
    (
        Member("dump", BOOL, optional=True),
        Member("host-nodes", Array(UINT16), optional=True),
        Member("merge", BOOL, optional=True),
        Member("policy", HOST_MEM_POLICY, optional=True),
        Member("prealloc", BOOL, optional=True),
        Member("prealloc-threads", UINT32, optional=True),
        Member("prealloc-context", STR, optional=True),
        Member("share", BOOL, optional=True),
        Member("reserve", BOOL, optional=True),
        Member("size", SIZE),
        Member("x-use-canonical-path-for-ramblock-id", BOOL, optional=True),
    ),
)
_FILE: Final = Struct(
    "MemoryBackendFileProperties",
    (
        Member("align", SIZE, optional=True),
        Member("discard-data", BOOL, optional=True),
        Member("mem-path", STR),
        Member("pmem", BOOL, optional=True),
        Member("readonly", BOOL, optional=True),
    ),
    base=_BACKEND,
)
_MEMFD: Final = Struct(
    "MemoryBackendMemfdProperties",
    (
        Member("hugetlb", BOOL, optional=True),
        Member("hugetlbsize", SIZE, optional=True),
        Member("seal", BOOL, optional=True),
    ),
    base=_BACKEND,
)
_SECRET: Final = Struct(
    "SecretProperties",
    (
        Member("loaded", BOOL, optional=True, features=("deprecated",)),
        Member("format", Enum("QCryptoSecretFormat", ("raw", "base64")), optional=True),
        Member("keyid", STR, optional=True),
        Member("iv", STR, optional=True),
        Member("data", STR, optional=True),
        Member("file", STR, optional=True),
    ),
)
OBJECT_KINDS: Final = {
    "memory-backend-file": _FILE,
    "memory-backend-memfd": _MEMFD,
    "memory-backend-ram": _BACKEND,
    "secret": _SECRET,
}
"""What each type of object is made with."""

OBJECT_OPTIONS: Final = Union(
    "ObjectOptions",
    Struct(
        "ObjectOptions-base",
        (Member("qom-type", Enum("ObjectType", tuple(OBJECT_KINDS))), Member("id", STR)),
    ),
    "qom-type",
    tuple(OBJECT_KINDS.items()),
)
"""The arguments of ``object-add``."""

NOT_MODELLED: Final = frozenset({
    "authz-list", "authz-listfile", "authz-pam", "authz-simple", "can-bus", "can-host-socketcan",
    "colo-compare", "cryptodev-backend", "cryptodev-backend-builtin", "cryptodev-backend-lkcf",
    "cryptodev-vhost-user", "dbus-vmstate", "filter-buffer", "filter-dump", "filter-mirror",
    "filter-redirector", "filter-replay", "filter-rewriter", "input-barrier", "input-linux",
    "iothread", "main-loop", "memory-backend-epc", "pef-guest", "pr-manager-helper", "qtest",
    "rng-builtin", "rng-egd", "rng-random", "s390-pv-guest", "secret_keyring",
    "sev-guest", "thread-context", "throttle-group", "tls-cipher-suites", "tls-creds-anon",
    "tls-creds-psk", "tls-creds-x509", "x-remote-object", "x-vfio-user-server",
})  # fmt: skip
"""Object types of QEMU 7.2 that are not modelled."""
