"""QAPI types of what is told of drives and block nodes (QEMU 7.2's ``query-qmp-schema``)."""

from __future__ import annotations

from guestmap.machine.options.blockdev import FILE_DRIVERS
from guestmap.qmp import BOOL, INT, NUMBER, STR, Array, Enum, Later, Member, Struct, Type, Union


def _some(names: str, type_: Type, *, optional: bool = False) -> tuple[Member, ...]:
    return tuple(Member(name, type_, optional) for name in names.split())


_SORTS = ("rd", "wr", "flush", "unmap")
_MOVING = ("rd", "wr", "unmap")
_LATENCIES = " ".join(f"{what}_{sort}_latency_ns" for sort in _SORTS[:3]
                      for what in ("min", "max", "avg"))  # fmt: skip
_TIMED = Struct(
    "BlockDeviceTimedStats",
    (
        Member("interval_length", INT),
        *_some(_LATENCIES, INT),
        *_some("avg_rd_queue_depth avg_wr_queue_depth", NUMBER),
    ),
)
_HISTOGRAM = Struct(
    "BlockLatencyHistogramInfo", (Member("boundaries", Array(INT)), Member("bins", Array(INT)))
)
_STATS = Struct(
    "BlockDeviceStats",
    (
        *_some(" ".join(f"{sort}_bytes" for sort in _MOVING), INT),
        *_some(" ".join(f"{sort}_operations" for sort in _SORTS), INT),
        *_some(" ".join(f"{sort}_total_time_ns" for sort in _SORTS), INT),
        Member("wr_highest_offset", INT),
        *_some(" ".join(f"{sort}_merged" for sort in _MOVING), INT),
        Member("idle_time_ns", INT, optional=True),
        *_some(" ".join(f"failed_{sort}_operations" for sort in _SORTS), INT),
        *_some(" ".join(f"invalid_{sort}_operations" for sort in _SORTS), INT),
        *_some("account_invalid account_failed", BOOL),
        Member("timed_stats", Array(_TIMED)),
        *_some(
            " ".join(f"{sort}_latency_histogram" for sort in _SORTS[:3]), _HISTOGRAM, optional=True
        ),
    ),
)
_FILE_STATS = Struct(
    "BlockStatsSpecificFile", _some("discard-nb-ok discard-nb-failed discard-bytes-ok", INT)
)
_FILE_DRIVERS = tuple(sorted(FILE_DRIVERS))
_SPECIFIC = Union(
    "BlockStatsSpecific",
    Struct("BlockStatsSpecific-base", (Member("driver", Enum("BlockdevDriver", _FILE_DRIVERS)),)),
    "driver",
    tuple((driver, _FILE_STATS) for driver in _FILE_DRIVERS),
)
_LATER = Later(lambda: BLOCK_STATS)
BLOCK_STATS: Struct = Struct(
    "BlockStats",
    (
        *_some("device qdev node-name", STR, optional=True),
        Member("stats", _STATS),
        Member("driver-specific", _SPECIFIC, optional=True),
        *_some("parent backing", _LATER, optional=True),
    ),
)

_BITMAP = Struct(
    "Qcow2BitmapInfo",
    (
        Member("name", STR),
        Member("granularity", INT),
        Member("flags", Array(Enum("Qcow2BitmapInfoFlags", ("in-use", "auto")))),
    ),
)
_ENCRYPTION = Union(
    "ImageInfoSpecificQCow2Encryption",
    Struct(
        "ImageInfoSpecificQCow2EncryptionBase",
        (Member("format", Enum("BlockdevQcow2EncryptionFormat", ("aes",))),),
    ),
    "format",
    (),
)
_QCOW2 = Struct(
    "ImageInfoSpecificQCow2",
    (
        Member("compat", STR),
        Member("data-file", STR, optional=True),
        *_some("data-file-raw extended-l2 lazy-refcounts corrupt", BOOL, optional=True),
        Member("refcount-bits", INT),
        Member("encrypt", _ENCRYPTION, optional=True),
        Member("bitmaps", Array(_BITMAP), optional=True),
        Member("compression-type", Enum("Qcow2CompressionType", ("zlib", "zstd"))),
    ),
)
_FORMAT = Union(
    "ImageInfoSpecific",
    Struct("ImageInfoSpecific-base", (Member("type", Enum("ImageInfoSpecificKind", ("qcow2",))),)),
    "type",
    (("qcow2", Struct("ImageInfoSpecificQCow2Wrapper", (Member("data", _QCOW2),))),),
)
_SNAPSHOT = Struct(
    "SnapshotInfo",
    (
        *_some("id name", STR),
        *_some("vm-state-size date-sec date-nsec vm-clock-sec vm-clock-nsec", INT),
        Member("icount", INT, optional=True),
    ),
)
_IMAGE_LATER = Later(lambda: _IMAGE)
_IMAGE: Struct = Struct(
    "ImageInfo",
    (
        *_some("filename format", STR),
        Member("dirty-flag", BOOL, optional=True),
        Member("actual-size", INT, optional=True),
        Member("virtual-size", INT),
        Member("cluster-size", INT, optional=True),
        *_some("encrypted compressed", BOOL, optional=True),
        *_some(
            "backing-filename full-backing-filename backing-filename-format", STR, optional=True
        ),
        Member("snapshots", Array(_SNAPSHOT), optional=True),
        Member("backing-image", _IMAGE_LATER, optional=True),
        Member("format-specific", _FORMAT, optional=True),
    ),
)
LIMITS = ("bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr")
"""What a drive may be held to, by second: none of them is."""
_LIMITS_AT_MOST = " ".join(
    [f"{each}_max" for each in LIMITS] + [f"{each}_max_length" for each in LIMITS]
)
_DIRTY_BITMAP = Struct(
    "BlockDirtyInfo",
    (
        Member("name", STR, optional=True),
        *_some("count granularity", INT),
        *_some("recording busy persistent", BOOL),
        Member("inconsistent", BOOL, optional=True),
    ),
)
BLOCK_NODE = Struct(
    "BlockDeviceInfo",
    (
        Member("file", STR),
        Member("node-name", STR, optional=True),
        Member("ro", BOOL),
        Member("drv", STR),
        Member("backing_file", STR, optional=True),
        Member("backing_file_depth", INT),
        Member("encrypted", BOOL),
        Member("detect_zeroes", Enum("BlockdevDetectZeroesOptions", ("off", "on", "unmap"))),
        *_some(" ".join(LIMITS), INT),
        Member("image", _IMAGE),
        *_some(_LIMITS_AT_MOST, INT, optional=True),
        Member("iops_size", INT, optional=True),
        Member("group", STR, optional=True),
        Member("cache", Struct("BlockdevCacheInfo", _some("writeback direct no-flush", BOOL))),
        Member("write_threshold", INT),
        Member("dirty-bitmaps", Array(_DIRTY_BITMAP), optional=True),
    ),
)
BLOCK_INFO = Struct(
    "BlockInfo",
    (
        Member("device", STR),
        Member("qdev", STR, optional=True),
        Member("type", STR),
        *_some("removable locked", BOOL),
        Member("inserted", BLOCK_NODE, optional=True),
        Member("tray_open", BOOL, optional=True),
        Member(
            "io-status", Enum("BlockDeviceIoStatus", ("ok", "failed", "nospace")), optional=True
        ),
    ),
)
