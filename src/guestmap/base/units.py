"""Sizes in binary units, in QEMU's syntax (docs/interop, ``qemu_strtosz``) or as printed; times."""

from __future__ import annotations

import re

from guestmap.base.errors import ConfigError
from guestmap.base.pattern import pattern

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40

_SUFFIXES = "BKMGTPE"
_MOST_DIGITS = 1000
_LONGEST = 4096
"""Characters of a number: Python refuses to read more than 4300 digits, QEMU reads any count."""
_BYTES = pattern(
    r"""[ \t\n\v\f\r]*\+?
    (?: 0[xX](?P<hex>[0-9a-fA-F]+) | (?P<whole>[0-9]+) (?:\.(?P<fraction>[0-9]*))? )
    (?P<suffix>[bBkKmMgGtTpPeE]?)""",
    re.VERBOSE,
)
_SIZE = pattern(r"(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?)[bkmgtpeBKMGTPE]?", re.ASCII)
_DURATION = pattern(r"(?P<amount>[0-9]{1,12}(?:\.[0-9]{1,9})?) ?(?P<unit>ns|us|ms|s)")
_NS = {"ns": 1, "us": 1000, "ms": 1_000_000, "s": 1_000_000_000}
_PRINTED = pattern(
    r"(?P<amount>\d+(?:\.\d+)?) ?(?:(?P<unit>[kmgtpe])(?:i?b)?|b)", re.ASCII | re.IGNORECASE
)


def parse_bytes(text: str, *, default_unit: int = 1) -> int | None:
    """Read a size as QEMU does (``qemu_strtosz``), to the nearest byte; None where it is none.

    Beyond :func:`parse_size` there may be blanks and a plus sign in front, and ``1.G``; the size
    may need more than 64 bits.

    Args:
        text: the number, and at most one suffix of B, K, M, G, T, P, E.
        default_unit: bytes that a number without a suffix counts in.
    """
    match = _BYTES.fullmatch(text)
    if match is None or len(text) > _LONGEST:
        return None
    suffix = match["suffix"].upper()
    scale = 1 << 10 * _SUFFIXES.index(suffix) if suffix else default_unit
    if match["hex"] is not None:
        return int(match["hex"], 16) * scale
    digits = str(match["fraction"] or "0")
    part, whole = int(digits), int(10 ** len(digits))
    if part and scale == 1:
        return None
    rounded = (2 * part * scale + whole) // (2 * whole)
    return int(match["whole"]) * scale + rounded


def parse_size(text: str, *, default_unit: int = 1, what: str = "size") -> int:
    """Return the bytes that ``text`` names: ``128M``, ``1.5G``, ``0x1000``, ``4096``.

    Args:
        text: a decimal (fractions allowed with a suffix) or hexadecimal number and at most one
            suffix of B, K, M, G, T, P, E, in either case.
        default_unit: bytes that a number without a suffix counts in.
        what: what the number is, for the error message.

    Raises:
        ConfigError: not a size, negative, a fraction of bytes, or 2**64 and more.
    """
    if _SIZE.fullmatch(text.strip()) is None:
        raise ConfigError(
            f"{what} {text!r} is not a size: write a number with an optional suffix"
            " B, K, M, G or T, for example 128M or 0x8000000"
        )
    if len(text) > _MOST_DIGITS:
        raise ConfigError(f"{what} of {len(text)} characters does not fit in 64 bits")
    value = parse_bytes(text.strip(), default_unit=default_unit)
    if value is None:
        raise ConfigError(f"{what} {text!r} is not a whole number of bytes")
    if value >= 1 << 64:
        raise ConfigError(f"{what} {text!r} does not fit in 64 bits")
    return value


def parse_memory_size(text: str, *, default_unit: int = 1, what: str = "size") -> int:
    """Return the bytes that ``text`` names, also in the units that tables print.

    Beyond :func:`parse_size` these are KiB, MiB and so on, and KB, MB, which count in powers of two
    as memory does; one blank may stand before the unit, ``512 MiB``.

    Raises:
        ConfigError: see :func:`parse_size`.
    """
    match = _PRINTED.fullmatch(text.strip())
    if match is not None:
        return parse_size(match["amount"] + (match["unit"] or "B"), what=what)
    return parse_size(text, default_unit=default_unit, what=what)


def parse_duration(text: str, *, what: str = "time") -> int:
    """Return the nanoseconds that ``text`` names: ``61ms``, ``1.5 s``, ``250us``, ``40 ns``.

    Raises:
        ConfigError: it is no such text, or not a whole number of nanoseconds.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"{what} {text!r} is none: write 61ms, 1.5s, 250us or 40ns")
    whole, _, fraction = match["amount"].partition(".")
    scale = 10 ** len(fraction)
    value: int = int(whole + fraction) * _NS[match["unit"]]
    value, rest = divmod(value, scale)
    if rest:
        raise ConfigError(f"{what} {text!r} is not a whole number of nanoseconds")
    return value


def format_size(size: int) -> str:
    """Return ``size`` bytes in the largest binary unit that divides or nearly fits it."""
    for unit, name in ((1 << 60, "EiB"), (1 << 50, "PiB"), (TIB, "TiB"), (GIB, "GiB"),
                       (MIB, "MiB"), (KIB, "KiB")):  # fmt: skip
        if size >= unit:
            amount = size / unit
            return f"{size // unit} {name}" if size % unit == 0 else f"{amount:.1f} {name}"
    return f"{size} B"


def exact_size(size: int) -> str:
    """Return ``size`` bytes in the largest binary unit that divides it: ``1536 MiB``, ``4097 B``.

    Unlike :func:`format_size` it never rounds: for messages that say which number was wrong.
    """
    for unit, name in ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"
