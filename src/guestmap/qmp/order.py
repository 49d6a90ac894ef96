"""The order in which QEMU walks through the members of a JSON object.

Not the order in which they were sent: QEMU keeps an object in a hash table of 512 buckets, and
where a request has several faults the first one in that order is the one that is told
(qobject/qdict). The hash is that of Samba's TDB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BUCKETS = 512
_MANY = 1024
_MASK = 0xFFFFFFFF


def wire_order(names: Iterable[str]) -> list[str]:
    """Return the names of an object's members, given as they were sent, in QEMU's order.

    Of more than 1024 the order is that in which they were sent: to sort them is long work, and
    nobody means them.
    """
    names = [*names]
    if len(names) > _MANY:
        return names
    newest_first = [*names][::-1]
    return sorted(newest_first, key=_bucket)


def _bucket(name: str) -> int:
    data = name.encode(errors="surrogatepass").replace(b"\0", b"\xc0\x80")
    value = 0x238F13AF * len(data)
    # Byte i is shifted by 5 * i % 24 bits: all 24 bytes alike, so that a name of 64 MiB is no work.
    value += sum(sum(data[first::24]) << (first * 5 % 24) for first in range(24))
    return (1103515243 * value + 12345 & _MASK) % _BUCKETS
