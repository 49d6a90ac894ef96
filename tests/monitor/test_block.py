"""What is told of drives and block nodes, beside QEMU: which there are, and what was counted."""

from __future__ import annotations

import json
import os
import re
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import GuestmapError, HostError
from guestmap.hw.counted import CountedMedium, DriveCounts
from guestmap.hw.medium import MemoryMedium
from guestmap.machine import Pc, Phase, VirtualMachine, config_of
from guestmap.machine.media.facts import Qcow2Header, backing_file
from guestmap.monitor.command import Context
from guestmap.monitor.commands import command_table
from guestmap.qmp import encode, validate
from tests.guests.disk import disc, disk
from tests.support.disk_images import make_qcow2
from tests.support.fake_machine import FakeMachine
from tests.support.qemu import MACHINE, Qemu

pytestmark = pytest.mark.seabios

ASKED = (
    ("query-block", {}), ("query-named-block-nodes", {"flat": True}),
    ("query-blockstats", {}), ("query-blockstats", {"query-nodes": True}),
)  # fmt: skip
COUNTED = ("rd_operations", "rd_bytes", "wr_operations", "wr_bytes", "flush_operations",
           "wr_highest_offset", "invalid_rd_operations", "failed_rd_operations")  # fmt: skip
_AUTOMATIC = re.compile(r"#block\d+")


def ask(vm: Any, name: str, **arguments: Any) -> Any:
    context = Context(vm, command_table())
    command = context.commands[name]
    return command.run(context, validate(command.declaration.arguments, arguments))


def nodes(name: str, driver: str, file: Path, **more: Any) -> list[str]:
    """Return the words that libvirt writes for a file and its format."""
    storage = {"driver": "file", "filename": str(file), "node-name": f"{name}-storage",
               "auto-read-only": True, "discard": "unmap"}  # fmt: skip
    form = {"node-name": f"{name}-format", "driver": driver, "file": f"{name}-storage", **more}
    return ["-blockdev", json.dumps(storage), "-blockdev", json.dumps(form)]


def device(driver: str, place: str, drive: str = "") -> list[str]:
    told: dict[str, Any] = {"driver": driver, "bus": f"ide.{place[0]}", "unit": int(place[1])}
    told |= {"drive": drive} if drive else {}
    return ["-device", json.dumps(told | {"id": f"ide0-{place[0]}-{place[1]}"})]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / name for name in ("disk", "disc", "floppy", "image", "old", "above")}
    found["disk"].write_bytes(disk("boot") + b"more")
    found["disc"].write_bytes(bytes(20 << 11))
    found["floppy"].write_bytes(bytes(1440 << 10))
    make_qcow2(found["image"], "3M", "-o", "lazy_refcounts=on,cluster_size=4096,refcount_bits=1")
    make_qcow2(found["old"], "3M", "-o", "compat=0.10")
    make_qcow2(found["above"], "3M", "-b", "image", "-F", "qcow2")
    return found


def libvirt_s(files: dict[str, Path]) -> list[str]:
    return [
        *nodes("libvirt-3", "raw", files["disk"], **{"read-only": False}),
        *device("ide-hd", "00", "libvirt-3-format"),
        *nodes("libvirt-2", "qcow2", files["image"], **{"read-only": False, "backing": None}),
        *device("ide-hd", "01", "libvirt-2-format"),
        *nodes("libvirt-1", "raw", files["disc"], **{"read-only": True}),
        *device("ide-cd", "10", "libvirt-1-format"),
        *device("ide-cd", "11"),
    ]


def people_s(files: dict[str, Path]) -> list[str]:
    return [
        "-drive", f"file={files['disk']},format=raw", "-cdrom", str(files["disc"]),
        "-drive", f"file={files['floppy']},if=floppy,format=raw", "-drive", "if=floppy,index=1",
        "-drive", f"file={files['old']},format=qcow2,index=1",
        "-drive", f"file={files['image']},format=qcow2,if=none,id=named",
        "-device", "ide-hd,drive=named,bus=ide.1,unit=1",
    ]  # fmt: skip


def settled(told: Any) -> Any:
    """Return an answer with the names that QEMU makes up in the order of their first use."""
    text = json.dumps(told, sort_keys=True)
    names = list(dict.fromkeys(_AUTOMATIC.findall(text)))
    return json.loads(_AUTOMATIC.sub(lambda found: f"#{names.index(found[0])}", text))


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its answers")
@pytest.mark.parametrize("words", [libvirt_s, people_s])
def test_drives_and_nodes_are_told_as_by_qemu(words: Any, files: dict[str, Path]) -> None:
    line = words(files)
    with Qemu(*line) as qemu:
        theirs = [qemu.qmp(name, **arguments) for name, arguments in ASKED]
    config = config_of([*MACHINE, "-global", "apic-common.vapic=off", *line])
    with VirtualMachine(config, engine="none") as vm:
        for (name, arguments), expected in zip(ASKED, theirs, strict=True):
            assert settled(ask(vm, name, **arguments)) == settled(expected), name


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its answers")
def test_an_image_that_stands_on_another_is_told_as_by_qemu(files: dict[str, Path]) -> None:
    line = [
        *nodes("b", "qcow2", files["image"], **{"read-only": True}),
        *nodes("a", "qcow2", files["above"], backing="b-format"),
        *device("ide-hd", "00", "a-format"),
    ]
    with Qemu(*line) as qemu:
        ((theirs),) = qemu.qmp("query-block")
    with VirtualMachine(config_of([*MACHINE, *line]), engine="none") as vm:
        ((ours),) = ask(vm, "query-block")
    for told in (theirs["inserted"], ours["inserted"]):
        told["image"].pop("backing-image")
        told["image"].pop("backing-filename-format", None)
    assert ours["inserted"]["backing_file_depth"] == theirs["inserted"]["backing_file_depth"] == 1
    assert ours["inserted"]["image"]["virtual-size"] == 3 << 20


@pytest.mark.qemu
@pytest.mark.parametrize(("backing", "said"), [
    (None, r"above stands on .*/image by its header, and is to stand on none: that is not"),
    ("c-format", r"above stands on .*/image by its header, and is to stand on .*/old: that is not"),
    ("x", "Cannot find device='' nor node-name='x'"),
])  # fmt: skip
def test_an_image_stands_on_what_its_header_says(
    files: dict[str, Path], backing: str | None, said: str
) -> None:
    line = [
        *nodes("c", "qcow2", files["old"]),
        *nodes("a", "qcow2", files["above"], backing=backing),
    ]
    with pytest.raises(GuestmapError, match=said):
        Pc(config_of([*MACHINE, *line, *device("ide-hd", "00", "a-format")])).close()


def test_headers_that_are_none_are_read_as_none(tmp_path: Path) -> None:
    path = tmp_path / "image"
    whole = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 8, 4, 16, 1 << 20).ljust(112, b"\0")
    for content in (b"", b"QFI\xfb", b"x" * 200, whole[:20], whole[:20] + b"\xff" * 92):
        path.write_bytes(content)
        assert Qcow2Header.of(path) is None
    path.write_bytes(whole[:8] + b"\xff" * 8 + whole[16:])  # its backing file's name is nowhere
    assert backing_file(path) is None
    assert Qcow2Header.of(tmp_path) is None


@pytest.mark.timeout(20)
def test_an_image_that_stands_on_something_odd_holds_nobody_up(tmp_path: Path) -> None:
    path, pipe = tmp_path / "image", tmp_path / "pipe"
    os.mkfifo(pipe)
    start = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 112, 9, 16, 1 << 20)
    for name in (b"pipe\0more", b"image\0\0\0\0", b"\xff" * 9):
        path.write_bytes(start.ljust(112, b"\0") + name)
        with VirtualMachine(config_of([*MACHINE, *nodes("a", "qcow2", path)]), engine="none") as vm:
            (whole, _), (flat, _) = (
                ask(vm, "query-named-block-nodes", flat=flat) for flat in (False, True)
            )
        below = whole["image"].pop("backing-image")
        assert encode([whole, below])
        assert whole == flat
        assert below["virtual-size"] == (1 << 20 if name.startswith(b"image") else 0)


@pytest.mark.unicorn
@pytest.mark.qemu
@pytest.mark.qemu_7_2("its SeaBIOS, and what it counts")
def test_a_boot_is_counted_as_by_qemu(tmp_path: Path) -> None:
    """From a disk that the guest writes, with a disc that the firmware looks into."""
    files = {"disk": tmp_path / "disk", "disc": tmp_path / "disc"}
    files["disk"].write_bytes(content := disk("boot"))
    files["disc"].write_bytes(disc())
    line = [
        *nodes("d", "raw", files["disk"]), *device("ide-hd", "00", "d-format"),
        *nodes("c", "raw", files["disc"], **{"read-only": True}),
        *device("ide-cd", "10", "c-format"),
    ]  # fmt: skip
    with Qemu(*line, stopped=False) as qemu:
        while (theirs := stats(qemu.qmp("query-blockstats")))[0]["wr_operations"] == 0:
            time.sleep(0.02)  # pytest's timeout ends a wait in vain
    files["disk"].write_bytes(content)
    with VirtualMachine(config_of([*MACHINE, *line])) as vm:
        vm.run(until=Phase.HALT)
        told = ask(vm, "query-blockstats")
    assert stats(told) == theirs
    assert told[0]["stats"]["rd_total_time_ns"] > 0
    assert told[0]["stats"]["idle_time_ns"] >= 0
    assert told[0]["parent"]["stats"]["wr_highest_offset"] == theirs[0]["wr_highest_offset"]


def stats(told: list[dict[str, Any]]) -> list[dict[str, int]]:
    return [{name: each["stats"][name] for name in COUNTED} for each in told]


def test_a_floppy_s_reads_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "floppy"
    path.write_bytes(bytes(1440 << 10))
    config = config_of([*MACHINE, "-drive", f"file={path},if=floppy,format=raw"])
    with VirtualMachine(config, engine="none") as vm:
        medium, _ = vm.board.isa.floppy.drives[0].disk
        medium.read(512, 1024)
        (told,) = ask(vm, "query-blockstats")
        assert (told["device"], told["stats"]["rd_bytes"]) == ("floppy0", 1024)


def test_who_has_no_drives_tells_of_none() -> None:
    for name, arguments in ASKED:
        assert ask(FakeMachine(), name, **arguments) == []


def test_a_medium_that_has_gone_is_told_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(disk("boot"))
    line = [*nodes("d", "raw", path), *device("ide-hd", "00", "d-format")]
    with VirtualMachine(config_of([*MACHINE, *line]), engine="none") as vm:
        path.unlink()
        (told,) = ask(vm, "query-block")
        assert told["inserted"]["image"]["virtual-size"] == len(disk("boot"))
        assert "actual-size" not in told["inserted"]["image"]
        sizes = [each["image"]["virtual-size"] for each in ask(vm, "query-named-block-nodes")]
        assert sizes == [len(disk("boot"))] * 2


class Clock:
    """Goes on by 5 ns each time that it is looked at."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 5
        return self.now


def test_requests_are_counted_by_sort_and_timed() -> None:
    counts = DriveCounts()
    medium = CountedMedium(MemoryMedium(bytes(4096)), counts, Clock())
    medium.read(0, 512)
    medium.read(512, 1024)
    medium.write(1024, bytes(512))
    medium.write(0, bytes(512))
    medium.flush()
    assert (counts.reads.done, counts.reads.size, counts.reads.time_ns) == (2, 1536, 10)
    assert (counts.writes.done, counts.writes.size, counts.highest) == (2, 1024, 1536)
    assert (counts.flushes.done, counts.flushes.time_ns, counts.last_ns) == (1, 5, 50)


def test_a_request_that_fails_is_counted_as_that() -> None:
    class Failing(MemoryMedium):
        def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
            raise HostError("no room", errno=28)

    counts = DriveCounts()
    medium = CountedMedium(Failing(bytes(512)), counts, Clock())
    with pytest.raises(HostError):
        medium.write(0, bytes(512))
    assert (counts.writes.done, counts.writes.failed, counts.writes.size) == (0, 1, 0)
    assert (counts.writes.time_ns, counts.highest) == (5, 0)
