"""An initramfs for a Linux guest, written without a cpio program.

The format is "newc": a header of hexadecimal fields, the name, the content, each padded to four
bytes (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
"""

from __future__ import annotations

import gzip
import lzma
import stat
from pathlib import Path

_ALIGN = 4
_TRAILER = "TRAILER!!!"


class Initramfs:
    """Files by their path in the guest; folders above them come by themselves."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, bytes]] = {}

    def add(self, path: str, content: bytes, mode: int = 0o755) -> None:
        """Add a file."""
        for parent in reversed(Path(path).parents[:-1]):
            self._entries.setdefault(str(parent), (stat.S_IFDIR | 0o755, b""))
        self._entries[path] = (stat.S_IFREG | mode, content)

    def add_file(self, path: str, source: Path) -> None:
        """Add a file of this machine's; a compressed kernel module is unpacked."""
        content = source.read_bytes()
        if source.suffix == ".xz":
            content, path = lzma.decompress(content), path.removesuffix(".xz")
        self.add(path, content)

    def folder(self, path: str) -> None:
        """Add an empty folder."""
        self._entries.setdefault(path, (stat.S_IFDIR | 0o755, b""))

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._entries[path] = (stat.S_IFLNK | 0o777, target.encode())

    @property
    def paths(self) -> list[str]:
        """The paths of all that was added."""
        return list(self._entries)

    def image(self) -> bytes:
        """Return the archive, compressed."""
        return gzip.compress(self.archive(), compresslevel=1)

    def archive(self) -> bytes:
        """Return the archive as it is: what a slow guest has read soonest."""
        entries = [*self._entries.items(), (_TRAILER, (0, b""))]
        return b"".join(
            _entry(number, path, mode, content)
            for number, (path, (mode, content)) in enumerate(entries, 1)
        )


def _entry(number: int, path: str, mode: int, content: bytes) -> bytes:
    name = path.encode() + b"\0"
    #        ino     mode  uid gid links mtime size          device and its own, name, check
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % each for each in fields)
    return _padded(header + name) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGN)
