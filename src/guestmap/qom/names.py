"""Names in the tree: array names, and names that hold what a path may not."""

from __future__ import annotations

from collections.abc import Container

ARRAY = "[*]"
"""At the end of a name: the first free number in brackets is put in its place."""

_ESCAPED = frozenset("/[]\\")


def escape_name(name: str) -> str:
    r"""Return a name as QEMU writes a memory region's: ``/``, ``[``, ``]`` and ``\`` as ``\xNN``.

    >>> escape_name("/rom@etc/acpi/rsdp")
    '\\x2from@etc\\x2facpi\\x2frsdp'
    """
    return "".join(f"\\x{ord(char):02x}" if char in _ESCAPED else char for char in name)


def numbered(name: str, taken: Container[str]) -> str:
    """Return the name that ``name`` stands for: ``pic[*]`` is the first of ``pic[0]``... free."""
    if not name.endswith(ARRAY):
        return name
    stem = name.removesuffix(ARRAY)
    number = 0
    while f"{stem}[{number}]" in taken:
        number += 1
    return f"{stem}[{number}]"
