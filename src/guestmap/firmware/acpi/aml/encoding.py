"""The smallest parts of AML: integers, strings, names, package lengths, EISA IDs.

ACPI specification 6.5, chapter 20 ("ACPI Machine Language"): names 20.2.2, data objects 20.2.3,
package length 20.2.4. A term is its bytes; where a term is expected, an int stands for a constant
and a str for a name, so that definition blocks read like ASL.
"""

from __future__ import annotations

from functools import cache

from guestmap.base.pattern import pattern

_SMALLEST_OPS = {0: b"\x00", 1: b"\x01"}
_INTEGER_PREFIXES = ((1, b"\x0a"), (2, b"\x0b"), (4, b"\x0c"), (8, b"\x0e"))
_STRING_PREFIX = b"\x0d"
_DUAL_NAME_PREFIX, _MULTI_NAME_PREFIX, _NULL_NAME = b"\x2e", b"\x2f", b"\x00"
_NAME = pattern(r"(\\|\^*)((?:[A-Z_][A-Z0-9_]{0,3}\.)*[A-Z_][A-Z0-9_]{0,3})?")
_EISA_ID = pattern(r"[A-Z]{3}[0-9A-F]{4}")
_MOST_SEGMENTS = 255
_PACKAGE_LIMITS = ((1, 1 << 6), (2, 1 << 12), (3, 1 << 20), (4, 1 << 28))

Term = bytes | int | str
"""Encoded AML, or an integer constant, or the name of something."""


def term(value: Term) -> bytes:
    """Return the AML of a term."""
    if isinstance(value, bytes):
        return value
    return integer(value) if isinstance(value, int) else name_string(value)


def terms(values: tuple[Term, ...]) -> bytes:
    """Return the AML of several terms in a row."""
    return b"".join(map(term, values))


def integer(value: int) -> bytes:
    """Return a constant of up to 64 bits in its shortest form.

    Raises:
        ValueError: it is negative or wider than that.
    """
    if value in _SMALLEST_OPS:
        return _SMALLEST_OPS[value]
    for width, prefix in _INTEGER_PREFIXES:
        if 0 <= value < 1 << 8 * width:
            return prefix + value.to_bytes(width, "little")
    raise ValueError(f"AML integers have 64 bits: {value:#x} does not fit")


def string(text: str) -> bytes:
    """Return a constant string.

    Raises:
        ValueError: it is not made of ASCII characters 1 to 7Fh.
    """
    if not text.isascii() or "\0" in text:
        raise ValueError(f"AML strings are ASCII without NUL: {text!r} is not")
    return _STRING_PREFIX + text.encode() + b"\0"


@cache  # the same hundred names, again and again
def name_string(path: str) -> bytes:
    r"""Return a name: ``\`` or any number of ``^``, then segments with dots between.

    Segments of less than four characters are filled up with underscores.

    Raises:
        ValueError: it is not a name.
    """
    match = _NAME.fullmatch(path)
    if match is None or not path:
        raise ValueError(f"{path!r} is not an ACPI name")
    prefix, rest = match.groups()
    segments = [segment.ljust(4, "_").encode() for segment in rest.split(".")] if rest else []
    if len(segments) > _MOST_SEGMENTS:
        raise ValueError(f"an ACPI name has at most {_MOST_SEGMENTS} segments: {path[:40]}...")
    count = {
        0: _NULL_NAME,
        1: b"",
        2: _DUAL_NAME_PREFIX,
    }.get(len(segments), _MULTI_NAME_PREFIX + bytes([len(segments)]))
    return prefix.encode() + count + b"".join(segments)


def packed(body: bytes) -> bytes:
    """Return ``body`` behind its package length, which counts itself too.

    Raises:
        ValueError: the two have 256 MiB or more.
    """
    for width, limit in _PACKAGE_LIMITS:
        if len(body) + width < limit:
            return package_length(len(body) + width, width) + body
    raise ValueError(f"an AML package cannot have {len(body)} bytes")


def package_length(value: int, width: int = 0) -> bytes:
    """Return a package length as such: in field lists it counts bits, and not itself.

    Args:
        value: less than 2**28.
        width: bytes to use, 1 to 4; 0 for as few as will do.

    Raises:
        ValueError: it does not fit.
    """
    for size, limit in _PACKAGE_LIMITS:
        if value < limit and size >= width:
            break
    else:
        raise ValueError(f"{value:#x} is too large for an AML package length")
    if size == 1:
        return bytes([value])
    return bytes([(size - 1) << 6 | value & 0xF]) + (value >> 4).to_bytes(size - 1, "little")


def eisa_id(text: str) -> bytes:
    """Return an EISA ID as the integer that ``EISAID("PNP0A03")`` is (section 19.3.4).

    Raises:
        ValueError: it is not three letters and four hexadecimal digits.
    """
    if not _EISA_ID.fullmatch(text):
        raise ValueError(f"{text!r} is not an EISA ID: three letters and four hex digits")
    letters = [ord(letter) - 0x40 for letter in text[:3]]
    packed_letters = letters[0] << 10 | letters[1] << 5 | letters[2]
    big_endian = packed_letters.to_bytes(2, "big") + bytes.fromhex(text[3:])
    return integer(int.from_bytes(big_endian, "little"))
