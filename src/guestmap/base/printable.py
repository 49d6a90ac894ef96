"""Foreign text shown as data: nothing in it moves a cursor, colours, hides, or ends a line.

Names of regions, devices and files come from strangers: a customer's dump, a tenant's device id.
"""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    r"""Return text with visible stand-ins for what is not printable, as ``repr`` writes them.

    That is whatever :meth:`str.isprintable` says no to (the Unicode categories "Other" and
    "Separator", but for the space): control characters of C0 and C1, bidirectional marks and
    overrides, zero-width characters, line separators, lone surrogates. They become ``\n``,
    ``\x1b``, ``\u202e`` and so on.

    Args:
        text: from anywhere.
        keep: characters that stay as they are, for example the line feeds between lines.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else repr(each)[1:-1] for each in text
    )


def shortened(text: str, most: int) -> str:
    """Return text of so many characters at most, and how many more there were."""
    if len(text) <= most:
        return text
    return f"{text[:most]} ... ({len(text) - most:,} characters more)"


def printable_lines(text: str) -> str:
    """Return whole lines made printable; line feeds, and the tabs of QEMU's tables, stay."""
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else printable(line, keep="\t") for line in lines)
