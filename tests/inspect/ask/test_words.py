"""What QEMU's words are in sentences."""

from __future__ import annotations

import pytest

from guestmap.inspect.ask.words import owner_words


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        ("owner:{dev id=nic0}", "device nic0"),
        ("owner:{dev path=/machine/unattached/device[3]}", "device /machine/unattached/device[3]"),
        ("owner:{obj path=/objects/pc.ram}", "object /objects/pc.ram"),
        ("owner:{obj type=memory-backend-ram}", "object of type memory-backend-ram"),
        ("owner:{dev id=a} parent:{obj path=/machine}", "device a"),
        ("owner:SerialDevice", "SerialDevice"),
    ],
)
def test_an_owner_is_told_in_words(owner: str, said: str) -> None:
    assert owner_words(owner) == said
