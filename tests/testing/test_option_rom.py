"""Option ROMs: what the Plug and Play BIOS Specification asks of them, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from guestmap.base import ConfigError, UnsupportedError
from guestmap.testing import guests
from guestmap.testing.guests import assemble, hotplug_guest, option_rom

HEADER = bytes.fromhex("55aa00") + bytes(23) + (0x20).to_bytes(2, "little") + bytes(4)
PLUG_AND_PLAY = b"$PnP\x01\x02" + bytes(26)
IMAGE = HEADER + PLUG_AND_PLAY


@pytest.mark.parametrize(
    ("length", "units"), [(64, 1), (511, 1), (512, 2), (1023, 2), (0x10000 - 1, 128)]
)
def test_a_rom_is_whole_units_that_add_up_to_zero(length: int, units: int) -> None:
    rom = option_rom(IMAGE.ljust(length, b"\xa7"))
    assert len(rom) == 512 * units
    assert rom[2] == units
    assert sum(rom) % 256 == 0
    assert sum(rom[0x20:0x40]) % 256 == 0
    assert rom[0x40:length] == bytes([0xA7]) * (length - 0x40)


def test_checksums_that_were_there_do_not_matter() -> None:
    once = option_rom(IMAGE)
    assert option_rom(once[:-1]) == once


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        pytest.param(b"", "not the image", id="nothing"),
        pytest.param(b"\x00" + IMAGE[1:], "not the image", id="no signature"),
        pytest.param(HEADER, "not the image", id="no header"),
        pytest.param(IMAGE.replace(b"$PnP", b"PCIR"), "not the image", id="another header"),
        pytest.param(IMAGE.ljust(0x10000), "larger than 64 KiB", id="too large"),
    ],
)
def test_what_cannot_be_a_rom(image: bytes, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        option_rom(image)


def test_without_the_assembler_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnsupportedError, match=r"needs the assembler nasm.*apt-get install nasm"):
        hotplug_guest()


@pytest.mark.nasm
def test_the_guest_is_a_rom_of_our_own() -> None:
    rom = hotplug_guest()
    header = int.from_bytes(rom[0x1A:0x1C], "little")
    product = int.from_bytes(rom[header + 16 : header + 18], "little")
    assert rom[product:].startswith(b"memory hot-plug guest\0")
    assert sum(rom) % 256 == 0
    assert rom == hotplug_guest()


@pytest.mark.nasm
def test_the_assembler_has_nothing_to_say_about_the_guest(tmp_path: Path) -> None:
    folder = Path(guests.__file__).parent / "hotplug"
    # From 2.16.02 on it warns of every address in a flat image, which is where a ROM has them.
    warnings = ["-Wall", "-w-unknown-warning", "-w-reloc"]
    command = ["nasm", *warnings, "-f", "bin", "-I", f"{folder}/", "-o", str(tmp_path / "image")]
    done = subprocess.run(
        [*command, str(folder / "guest.asm")], capture_output=True, text=True, check=True
    )
    assert done.stdout + done.stderr == ""


@pytest.mark.nasm
def test_the_assembler_is_quoted(tmp_path: Path) -> None:
    source = tmp_path / "wrong.asm"
    source.write_text("        mov     eax, nothing\n")
    with pytest.raises(ConfigError, match=r"(?s)wrong\.asm cannot be assembled.*nothing"):
        assemble(source)


@pytest.mark.nasm
def test_a_source_includes_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "part.inc").write_text("        db      1, 2\n")
    source = tmp_path / "whole.asm"
    source.write_text('%include "part.inc"\n        db      3\n')
    assert assemble(source) == b"\1\2\3"
