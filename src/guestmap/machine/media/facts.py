"""What there is to know of an image without opening it as a drive: its size, and its header.

A qcow2 header is laid out as QEMU's docs/interop/qcow2 says; nothing but the header is read.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from guestmap.base.dataclass import dataclass
from guestmap.hw.medium import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC, _VERSION_3 = b"QFI\xfb", 3
_START = struct.Struct(">4sIQIIQ")
"""Magic, version, where the backing file's name is, how long it is, cluster bits, size."""
_FEATURES_AT, _REFCOUNT_AT, _COMPRESSION_AT = 72, 96, 104
_DIRTY, _CORRUPT, _EXTENDED_L2 = 1 << 0, 1 << 1, 1 << 4
_LAZY = 1 << 0
_REFCOUNT_BITS = 16
_LONGEST_NAME = 1023
_CLUSTER_BITS = range(9, 22)


@dataclass(frozen=True, slots=True)
class Qcow2Header:
    """What a qcow2 image says of itself.

    Attributes:
        size: bytes that a guest sees.
        cluster_size: bytes.
        backing: the name of the file that it stands on, as it is written there; "" for none.
        is_new: whether it is of version 3, which QEMU calls 1.1; else 0.10.
        refcount_bits: width of a reference count.
        compression: zlib or zstd.
        dirty, corrupt, extended_l2, lazy_refcounts: flags.
    """

    size: int
    cluster_size: int
    backing: str = ""
    is_new: bool = False
    refcount_bits: int = _REFCOUNT_BITS
    compression: str = "zlib"
    dirty: bool = False
    corrupt: bool = False
    extended_l2: bool = False
    lazy_refcounts: bool = False

    @classmethod
    def of(cls, path: Path) -> Qcow2Header | None:
        """Read a file's header; None where it has none, or cannot be read."""
        try:
            with _opened(path) as file:
                head = file.read(_COMPRESSION_AT + 8)
                magic, version, at, length, bits, size = _START.unpack_from(head)
                if magic != _MAGIC or bits not in _CLUSTER_BITS:
                    return None
                name = b""
                if at and 0 < length <= _LONGEST_NAME:
                    file.seek(at)
                    name = file.read(length)
        except (OSError, OverflowError, ValueError, struct.error):
            return None
        backing = os.fsdecode(name.partition(b"\0")[0])
        if version < _VERSION_3:
            return cls(size, 1 << bits, backing)
        head = head.ljust(_COMPRESSION_AT + 8, b"\0")
        unknown, compatible = struct.unpack_from(">QQ", head, _FEATURES_AT)
        order, length = struct.unpack_from(">II", head, _REFCOUNT_AT)
        has_compression = length > _COMPRESSION_AT and head[_COMPRESSION_AT]
        return cls(
            size, 1 << bits, backing,
            is_new=True,
            refcount_bits=1 << min(order, 6),
            compression="zstd" if has_compression else "zlib",
            dirty=bool(unknown & _DIRTY),
            corrupt=bool(unknown & _CORRUPT),
            extended_l2=bool(unknown & _EXTENDED_L2),
            lazy_refcounts=bool(compatible & _LAZY),
        )  # fmt: skip


class ImageInfo(NamedTuple):
    """A file, as one of the images that stand on each other.

    Attributes:
        file: where it is.
        format: qcow2, or how else its content is read.
        header: of a qcow2 image; None of others, and of one that has none.
    """

    file: Path
    format: str
    header: Qcow2Header | None

    @property
    def backing(self) -> Path | None:
        """The file that it stands on; None without one."""
        if self.header is None or not self.header.backing:
            return None
        return self.file.parent / self.header.backing.removeprefix("file:")


def images(file: Path, form: str) -> Iterator[ImageInfo]:
    """Return an image, and those below it, each of which is read when it is asked for.

    They may stand on each other in a circle: who asks says how deep.

    Args:
        file: the image.
        form: how it is read; of those below, their headers tell.
    """
    image = ImageInfo(file, form, Qcow2Header.of(file) if form == "qcow2" else None)
    while True:
        yield image
        below = image.backing
        if below is None:
            return
        header = Qcow2Header.of(below)
        image = ImageInfo(below, "raw" if header is None else "qcow2", header)


def _opened(path: Path) -> BinaryIO:
    """Open a file; what an image stands on may be anything, and a pipe is not waited for."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def backing_file(path: Path) -> Path | None:
    """Return the file that a qcow2 image stands on; None without one."""
    return next(images(path, "qcow2")).backing


def length_of(path: Path) -> int:
    """Return the bytes of a file or of a block device; 0 where the host does not tell."""
    try:
        with _opened(path) as file:
            return file.seek(0, os.SEEK_END)
    except (OSError, ValueError):
        return 0


def allocated(path: Path) -> int | None:
    """Return how many bytes a file takes on the host; None where the host does not tell."""
    try:
        return path.stat().st_blocks * SECTOR
    except (OSError, ValueError):
        return None
