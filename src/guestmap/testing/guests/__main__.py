"""``python -m guestmap.testing.guests FILE``: write the hot-plug guest's option ROM to a file."""

from __future__ import annotations

import sys
from pathlib import Path

from guestmap.base import GuestmapError
from guestmap.testing.guests import hotplug_guest


def main(arguments: list[str]) -> int:
    """Write the ROM; return an exit status."""
    if len(arguments) != 1:
        print("usage: python -m guestmap.testing.guests FILE", file=sys.stderr)
        return 2
    try:
        Path(arguments[0]).write_bytes(hotplug_guest())
    except (GuestmapError, OSError) as error:
        print(f"guestmap: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
