"""The smallest parts of AML from bytes to values, after ACPI 6.5 section 20.2."""

from __future__ import annotations


def decode_integer(data: bytes) -> tuple[int, int]:
    """Return value and bytes used."""
    if data[0] in (0x00, 0x01):
        return data[0], 1
    width = {0x0A: 1, 0x0B: 2, 0x0C: 4, 0x0E: 8}[data[0]]
    assert len(data) > width
    return int.from_bytes(data[1 : 1 + width], "little"), 1 + width


def decode_package_length(data: bytes) -> tuple[int, int]:
    """Return value and bytes used."""
    following = data[0] >> 6
    if not following:
        return data[0] & 0x3F, 1
    assert data[0] & 0x30 == 0, "reserved bits"
    value = data[0] & 0x0F
    for index in range(following):
        value |= data[1 + index] << (4 + 8 * index)
    return value, 1 + following


def decode_name(data: bytes) -> tuple[str, int]:
    """Return the path, every segment with its four characters, and bytes used."""
    at = 0
    path = ""
    if data[at : at + 1] == b"\\":
        path, at = "\\", 1
    while data[at : at + 1] == b"^":
        path, at = path + "^", at + 1
    if data[at] == 0x00:
        return path, at + 1
    count = 1
    if data[at] == 0x2E:
        count, at = 2, at + 1
    elif data[at] == 0x2F:
        count, at = data[at + 1], at + 2
        assert count > 2
    segments = []
    for _ in range(count):
        segments.append(data[at : at + 4].decode("ascii"))
        at += 4
    return path + ".".join(segments), at
