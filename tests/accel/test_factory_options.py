"""Options of an accelerator, behind its name."""

from __future__ import annotations

import pytest

from guestmap.accel import NoInterrupts, open_accelerator
from guestmap.base import ConfigError
from guestmap.memory import MemorySystem


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none,rings=4", "engine 'none' has no option 'rings': it has none at all"),
        ("kvm,rings=4", "engine 'kvm' has no option 'rings': it has dirty-ring-size"),
        ("kvm,dirty-ring-size=4k", "engine 'kvm': dirty-ring-size is a number, not '4k'"),
        ("kvm,dirty-ring-size", "dirty-ring-size is a number, not ''"),
    ],
)
def test_what_is_no_option_is_refused(name: str, words: str) -> None:
    with MemorySystem() as system:
        memory = system.address_space("memory", system.container("root", 1 << 64))
        io = system.address_space("I/O", system.container("io", 0x10000))
        with pytest.raises(ConfigError, match=words):
            open_accelerator(name, memory, io, [NoInterrupts()])
