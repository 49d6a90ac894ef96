"""Where the library's inside is known to be usable: there a test of it fails rather than skips.

Else a fault in how the inside is found or tried would show as skipped tests, and as nothing else.
"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from guestmap.accel.unicorn.accelerator import UnicornAccelerator

KNOWN = {("2.1.4", "linux", "x86_64")}
"""Version of the package as its wheels have it, system, processor."""


def is_known() -> bool:
    """Tell whether all of the inside of the library that is installed here is usable."""
    return (version("unicorn"), sys.platform, platform.machine()) in KNOWN


def need_internals(accelerator: UnicornAccelerator) -> None:
    """Skip a test of the inside where it cannot be used; fail it where that is a fault."""
    refused = {part: how for part, how in accelerator.parts.items() if how != "internals"}
    if refused and is_known():
        pytest.fail(f"refused, and known to be usable: {refused}")
    if refused:
        pytest.skip(f"another build of the library: {refused}")
