"""A few of QEMU's declarations, in our words, to be held to QEMU's own account of them."""

from guestmap.qmp import (
    ANY,
    BOOL,
    INT,
    SIZE,
    STR,
    UINT16,
    UINT32,
    Alternate,
    Array,
    Command,
    Enum,
    EventType,
    Later,
    Member,
    Struct,
    Union,
)

VERSION = Struct(
    "VersionInfo",
    (
        Member(
            "qemu",
            Struct(
                "VersionTriple", (Member("major", INT), Member("minor", INT), Member("micro", INT))
            ),
        ),
        Member("package", STR),
    ),
)
RUN_STATE = Enum(
    "RunState",
    (
        *("debug", "inmigrate", "internal-error", "io-error", "paused", "postmigrate"),
        *("prelaunch", "finish-migrate", "restore-vm", "running", "save-vm", "shutdown"),
        *("suspended", "watchdog", "guest-panicked", "colo"),
    ),
)
STATUS = Struct(
    "StatusInfo",
    (Member("running", BOOL), Member("singlestep", BOOL), Member("status", RUN_STATE)),
)
PROPERTY = Struct(
    "ObjectPropertyInfo",
    (
        Member("name", STR),
        Member("type", STR),
        Member("description", STR, optional=True),
        Member("default-value", ANY, optional=True),
    ),
)
HOST_MEMORY = Struct(
    "MemoryBackendProperties",
    (
        Member("dump", BOOL, optional=True),
        Member("host-nodes", Array(UINT16), optional=True),
        Member("merge", BOOL, optional=True),
        Member(
            "policy",
            Enum("HostMemPolicy", ("default", "preferred", "bind", "interleave")),
            optional=True,
        ),
        Member("prealloc", BOOL, optional=True),
        Member("prealloc-threads", UINT32, optional=True),
        Member("prealloc-context", STR, optional=True),
        Member("share", BOOL, optional=True),
        Member("reserve", BOOL, optional=True),
        Member("size", SIZE),
        Member("x-use-canonical-path-for-ramblock-id", BOOL, optional=True),
    ),
)
HOST_FILE = Struct(
    "MemoryBackendFileProperties",
    (
        Member("align", SIZE, optional=True),
        Member("discard-data", BOOL, optional=True),
        Member("mem-path", STR),
        Member("pmem", BOOL, optional=True),
        Member("readonly", BOOL, optional=True),
    ),
    base=HOST_MEMORY,
)
OBJECT_OPTIONS = Union(
    "ObjectOptions",
    Struct(
        "ObjectOptions-base",
        (
            Member(
                "qom-type",
                Enum("ObjectType", ("can-bus", "memory-backend-file", "memory-backend-ram")),
            ),
            Member("id", STR),
        ),
    ),
    "qom-type",
    (("memory-backend-file", HOST_FILE), ("memory-backend-ram", HOST_MEMORY)),
)
COMMANDS = (
    Command("query-version", returns=VERSION),
    Command("query-status", returns=STATUS),
    Command("qom-list", Struct("qom-list-arg", (Member("path", STR),)), Array(PROPERTY)),
    Command("qom-get", Struct("qom-get-arg", (Member("path", STR), Member("property", STR))), ANY),
    Command(
        "human-monitor-command",
        Struct("hmp-arg", (Member("command-line", STR), Member("cpu-index", INT, optional=True))),
        STR,
        features=("savevm-monitor-nodes",),
    ),
    Command("object-add", OBJECT_OPTIONS),
    Command("migrate-pause", oob=True),
)
EVENTS = (
    EventType("STOP"),
    EventType(
        "RESET",
        Struct(
            "RESET-arg",
            (
                Member("guest", BOOL),
                Member(
                    "reason",
                    Enum(
                        "ShutdownCause",
                        (
                            *("none", "host-error", "host-qmp-quit", "host-qmp-system-reset"),
                            *("host-signal", "host-ui", "guest-shutdown", "guest-reset"),
                            *("guest-panic", "subsystem-reset", "snapshot-load"),
                        ),
                    ),
                ),
            ),
        ),
    ),
)

NODE = Struct(
    "Node",
    (
        Member("name", STR),
        Member("inner", Later(lambda: NODE), optional=True),
        Member("all", Array(Later(lambda: NODE)), optional=True),
        Member(
            "either",
            Alternate("StrOrNode", (("s", STR), ("n", Later(lambda: NODE)))),
            optional=True,
        ),
    ),
)
"""A struct that holds itself, for what QEMU's few commands here do not have."""
