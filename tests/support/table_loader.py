"""A firmware's side of the table loader: obeys the script in a bytearray that stands for RAM.

Written after SeaBIOS's description of the commands (src/fw/romfile_loader.h), not after our
encoder. It is strict where firmware is lax: files are allocated before use, once, with addresses
that are multiples of what was asked for; nothing is written outside them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

HIGH_BASE, F_SEGMENT_BASE = 0x07FE_0000, 0xF_5A00


@dataclass
class Firmware:
    """RAM after the script ran.

    Attributes:
        files: what fw_cfg holds.
        placed: file name: address.
        content: file name: its bytes as they now are.
    """

    files: dict[str, bytes]
    placed: dict[str, int] = field(default_factory=dict)
    content: dict[str, bytearray] = field(default_factory=dict)

    def obey(self, script: bytes) -> None:
        assert len(script) % 128 == 0
        ended = False
        for start in range(0, len(script), 128):
            entry = script[start : start + 128]
            (command,) = struct.unpack_from("<I", entry)
            if command == 0:
                assert entry == bytes(128)
                ended = True
                continue
            assert not ended, "a command behind the end"
            {1: self._allocate, 2: self._add_pointer, 3: self._add_checksum}[command](entry[4:])

    def _allocate(self, entry: bytes) -> None:
        name, align, zone = struct.unpack_from("<56sIB", entry)
        assert align & (align - 1) == 0
        file = _text(name)
        assert file not in self.placed
        base = {1: HIGH_BASE, 2: F_SEGMENT_BASE}[zone]
        self.placed[file] = -(-base // align) * align
        self.content[file] = bytearray(self.files[file])

    def _add_pointer(self, entry: bytes) -> None:
        file, target, offset, size = struct.unpack_from("<56s56sIB", entry)
        data = self.content[_text(file)]
        assert offset + size <= len(data)
        value = int.from_bytes(data[offset : offset + size], "little")
        assert value < len(self.content[_text(target)])
        value += self.placed[_text(target)]
        data[offset : offset + size] = value.to_bytes(size, "little")

    def _add_checksum(self, entry: bytes) -> None:
        file, offset, start, length = struct.unpack_from("<56sIII", entry)
        data = self.content[_text(file)]
        assert start <= offset < start + length <= len(data)
        data[offset] = (data[offset] - sum(data[start : start + length])) & 0xFF

    def read(self, address: int, length: int) -> bytes:
        """Read RAM that some file was placed in."""
        for file, base in self.placed.items():
            data = self.content[file]
            if base <= address and address + length <= base + len(data):
                return bytes(data[address - base : address - base + length])
        raise AssertionError(f"nothing was placed at {address:#x}")


def _text(name: bytes) -> str:
    assert name.endswith(b"\0")
    return name.rstrip(b"\0").decode()
