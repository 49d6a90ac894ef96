"""``-drive`` in QEMU's syntax."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guestmap.base import ConfigError, UnsupportedError
from guestmap.machine.config import MachineConfig
from guestmap.machine.options.command_line import config_of
from guestmap.machine.options.drive import DriveSpec, cdrom, placed


@pytest.mark.parametrize(("text", "expected"), [
    ("file=d.img", {}), ("file=d.img,if=ide,format=raw,cache=none", {}),
    ("file=d.img,format=qcow2", {"format": "qcow2"}),
    ("file=d.img,readonly=on", {"readonly": True}),
    ("file=d.img,snapshot=on", {"snapshot": True}), ("file=d.img,read-only=on", {"readonly": True}),
    ("file=d.img,media=cdrom", {"media": "cdrom"}), ("file=d.img,index=3", {"index": 3}),
    ("file=d.img,bus=1,unit=1", {"index": 3}), ("file=d.img,unit=1", {"index": 1}),
    ("file=d.img,if=none,id=d0", {"interface": "none", "id": "d0"}),
])  # fmt: skip
def test_what_a_drive_can_be(text: str, expected: dict[str, Any]) -> None:
    assert DriveSpec.parse(text) == DriveSpec(Path("d.img"), **expected)


def test_a_comma_in_a_name_is_doubled() -> None:
    assert DriveSpec.parse("file=a,,b").file == Path("a,b")


def test_a_cdrom_drive_may_be_empty() -> None:
    assert DriveSpec.parse("media=cdrom").file is None


@pytest.mark.parametrize(("text", "error", "words"), [
    ("if=ide", ConfigError, "^-drive if=ide: a disk needs a file: give file=FILE$"),
    ("file=d,if=scsi", UnsupportedError, "if=scsi is not modelled: there are ide, floppy, none$"),
    ("file=d,format=vdi", UnsupportedError, "format=vdi is not modelled: there are raw, qcow2$"),
    ("file=d,cache=unsafe", UnsupportedError, "cache=unsafe is not modelled"),
    ("file=d,aio=native", UnsupportedError, "property 'aio' is not modelled$"),
    ("file=d,index=1,bus=0", ConfigError, "index cannot be used with bus and unit$"),
    ("file=d,snapshot=maybe", ConfigError, "Parameter 'snapshot' expects 'on' or 'off'$"),
])  # fmt: skip
def test_what_a_drive_cannot_be(text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        DriveSpec.parse(text)


def test_drives_without_a_place_get_the_first_that_is_free() -> None:
    drives = placed([cdrom(Path("c")), DriveSpec(Path("a")), DriveSpec(Path("b"), index=1),
                     DriveSpec(Path("d"))])  # fmt: skip
    assert [(each.index, each.name) for each in drives] == [
        (2, "ide1-cd0"), (0, "ide0-hd0"), (1, "ide0-hd1"), (3, "ide1-hd1"),
    ]  # fmt: skip


def test_two_drives_have_no_place_together() -> None:
    with pytest.raises(ConfigError, match=r"drive with bus=0, unit=1 \(index=1\) exists"):
        placed([DriveSpec(Path("a"), index=1), DriveSpec(Path("b"), index=1)])
    with pytest.raises(ConfigError, match="there is no place for more than 4 ide drives"):
        placed([DriveSpec(Path(name)) for name in "abcde"])


def test_two_drives_have_no_name_together() -> None:
    with pytest.raises(ConfigError, match=r"^Duplicate ID 'a' for drive$"):
        placed([DriveSpec(Path("x"), "none", id="a"), DriveSpec(Path("y"), id="a")])


def test_a_board_without_disks_refuses_them() -> None:
    with pytest.raises(UnsupportedError, match="drive ide0-hd0: microvm has nothing to hang it on"):
        MachineConfig(machine="microvm", drives=placed([DriveSpec(Path("d"))]))


def test_qemus_words_describe_drives() -> None:
    config = config_of(["-nodefaults", "-vga", "none", "-drive", "file=d,snapshot=on",
                        "-cdrom", "c.iso"])  # fmt: skip
    assert config.drives == (
        DriveSpec(Path("d"), snapshot=True, index=0),
        DriveSpec(Path("c.iso"), media="cdrom", index=2),
    )
