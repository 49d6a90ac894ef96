"""Which images firmware runs as option ROMs."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestmap.firmware.option_roms import why_not_run


def _rom(size: int = 1024, said: int = 2) -> bytes:
    rom = bytearray(size)
    rom[:3] = b"\x55\xaa" + bytes([said])
    rom[-1] = -sum(rom) & 0xFF
    return bytes(rom)


def test_what_the_specification_asks_for_is_run() -> None:
    assert why_not_run(_rom()) == ""
    assert why_not_run(_rom() + b"more") == "", "what is behind the length that it says is nothing"


@pytest.mark.parametrize(("image", "why"), [
    (b"a text\n", "begin with 55h AAh"),
    (b"", "begin with 55h AAh"),
    (_rom(said=3), "has 1536 bytes, and has 1024"),
    (_rom(said=0), "has 0 bytes"),
    (_rom()[:-1] + b"\x01", "do not add up"),
])  # fmt: skip
def test_what_is_none_is_told_why(image: bytes, why: str) -> None:
    assert why in why_not_run(image)


def test_the_distributions_are_run() -> None:
    found = sorted(Path("/usr/share/seabios").glob("vgabios*.bin"))
    if not found:
        pytest.skip("needs SeaBIOS's VGA BIOS")
    for each in found:
        assert why_not_run(each.read_bytes()) == "", each
