from __future__ import annotations

import errno

import pytest

from guestmap.base import (
    ConfigError,
    GuestmapError,
    HostError,
    PeerError,
    StateError,
    UnsupportedError,
)


@pytest.mark.parametrize("kind", [ConfigError, HostError, PeerError, StateError, UnsupportedError])
def test_every_error_is_a_guestmap_error(kind: type[GuestmapError]) -> None:
    with pytest.raises(GuestmapError, match="what, where"):
        raise kind("what, where")


def test_a_host_error_keeps_what_the_host_said() -> None:
    error = HostError("cannot map", errno=errno.ENOMEM, call="mmap", arguments="length=0x1000")
    assert str(error) == "cannot map: Cannot allocate memory"
    assert (error.errno, error.call, error.arguments) == (errno.ENOMEM, "mmap", "length=0x1000")
    assert str(HostError("no more slots")) == "no more slots"
