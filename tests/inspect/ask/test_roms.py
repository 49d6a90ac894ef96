"""``roms``: images against the map."""

from __future__ import annotations

from guestmap.inspect import Snapshot
from guestmap.inspect.ask.roms import rom_sentences, rom_table
from guestmap.inspect.map.snapshot import RamBlockInfo, RangeInfo, ViewInfo, ViewUser
from guestmap.inspect.text.info_roms import LoadedImage


def a_map(*ranges: RangeInfo, blocks: tuple[str, ...] = ()) -> Snapshot:
    rams = tuple(
        RamBlockInfo(name, index << 20, 0x8000, 0x8000) for index, name in enumerate(blocks)
    )
    view = ViewInfo((ViewUser("memory", "system"),), "system", ranges)
    return Snapshot(views=(view,), ram_blocks=rams)


RAM = RangeInfo(0, 0xE_0000, 0, "ram", "pc.ram")
SHADOW = RangeInfo(0xE_0000, 0x1_0000, 1, "rom", "pc.ram", 0xE_0000)
BIOS = RangeInfo(0xF_0000, 0x1_0000, 0, "rom", "pc.bios", 0x1_0000)
FLASH = RangeInfo(0x20_0000, 0x1000, 0, "romd", "flash")


def test_an_image_is_laid_against_who_answers_there() -> None:
    image = LoadedImage("bios", 0x2_8000, "address", 0xD_8000)
    (placed,) = rom_table(a_map(RAM, SHADOW, BIOS), [image]).loaded or ()
    assert [(each.start, each.end, each.region) for each in placed.answers] == [
        (0xD_8000, 0xE_0000, "pc.ram"), (0xE_0000, 0xF_0000, "pc.ram"),
        (0xF_0000, 0x10_0000, "pc.bios"),
    ]  # fmt: skip
    places = [each.place.offset for each in placed.answers if each.place]
    assert places == [0xD_8000, 0xE_0000, 0x1_0000]


def test_where_nobody_answers_is_said() -> None:
    image = LoadedImage("kernel", 0x2_0000, "address", 0xF_0000)
    words = list(rom_sentences(rom_table(a_map(BIOS), [image])))
    assert words[0] == (
        "kernel, 128 KiB: loaded at 0xf0000-0x10ffff; who answers there now;"
        " nobody answers at 64 KiB of it"
    )


def test_a_region_is_found_by_name_and_a_file_is_nowhere() -> None:
    images = [
        LoadedImage("code", 0x1000, "region", target="flash"),
        LoadedImage("other", 0x1000, "region", target="none"),
        LoadedImage("tables", 0x1000, "region", target="/rom@tables"),
        LoadedImage("x.rom", 0x1000, "fw_cfg", target="genroms/x.rom"),
        LoadedImage("pvh.bin", 0x1000, "fw_cfg", target="genroms/pvh.bin"),
    ]
    told = rom_table(a_map(RAM, FLASH), images)
    starts = [[each.start for each in placed.answers] for placed in told.loaded or ()]
    assert starts == [[0x20_0000], [], [], [], []]
    words = list(rom_sentences(told))
    assert words[2:6] == [
        "other, 4 KiB: region 'none', which no address of the CPUs shows",
        "tables, 4 KiB: memory '/rom@tables', which firmware reads through fw_cfg",
        "x.rom, 4 KiB: fw_cfg file 'genroms/x.rom', which firmware copies and runs",
        (
            "pvh.bin, 4 KiB: fw_cfg file 'genroms/pvh.bin', which firmware copies and runs;"
            " it loads the kernel"
        ),
    ]


def test_a_map_tells_what_cannot_be_written_and_which_roms_are_not_seen() -> None:
    blocks = ("pc.ram", "pc.bios", "0000:00:02.0/vga.rom", "pc.rom", "0000:00:03.0/nic.rom")
    nic = RangeInfo(0xFE00_0000, 0x8000, 1, "rom", "nic.rom")
    told = rom_table(a_map(RAM, SHADOW, BIOS, FLASH, nic, blocks=blocks), None)
    assert told.loaded is None
    assert [each.start for each in told.shown] == [0xE_0000, 0xF_0000, 0x20_0000, 0xFE00_0000]
    assert [each.block for each in told.unseen] == ["0000:00:02.0/vga.rom", "pc.rom"]
    first, *_, vga, rom = rom_sentences(told)
    assert "a map does not have" in first
    assert "ROM BAR" in vga
    assert "others answer" in rom
