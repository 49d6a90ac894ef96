"""What our machine tells its firmware, beside what a real QEMU of the same command line tells."""

from __future__ import annotations

import shlex
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestmap.base import ConfigError, HostError, ManualClock
from guestmap.firmware.acpi import LOADER_FILE, RSDP_FILE, TABLES_FILE
from guestmap.firmware.option_roms import LARGEST, option_rom_files
from guestmap.machine import Pc, config_of
from tests.support.acpi_walk import split_tables
from tests.support.fw_cfg import read_item
from tests.support.qemu import MACHINE, Qemu

pytestmark = [pytest.mark.seabios, pytest.mark.qemu_7_2("the files that it gives its firmware")]

NO_VAPIC = ("-global", "apic-common.vapic=off")
ACPI_FILES = {RSDP_FILE, TABLES_FILE, LOADER_FILE}
MAKERS = slice(9, 36)
RAM = "-object memory-backend-ram,reserve=off,id="

LINES = {
    "plain": "-m 128M",
    "named": "-m 128M -name x -uuid 12345678-9abc-def0-1122-334455667788",
    "slots": "-m 128M,slots=4,maxmem=2G",
    "slots above 4 GiB": "-m 5G,slots=3,maxmem=20G",
    "room and no slots": "-m 128M,maxmem=3G",
    "slots that ACPI does not serve": "-m 128M,slots=4,maxmem=2G -no-acpi",
    "no HPET": "-m 128M -machine hpet=off",
    "no ACPI": "-m 128M -machine acpi=off",
    "no memory hot-plug": "-m 128M,slots=4,maxmem=2G -global PIIX4_PM.memory-hotplug-support=off",
    "nodes": f"-m 128M -smp 3 {RAM}a,size=96M {RAM}b,size=32M"
    " -numa node,memdev=a,cpus=0-1 -numa node,memdev=b",
    "nodes and slots": f"-m 128M,slots=2,maxmem=1G -smp 2 {RAM}a,size=128M"
    " -numa node -numa node,memdev=a,cpus=0-1",
    "nodes that no CPU was given to": f"-m 128M -smp 2 {RAM}a,size=64M {RAM}b,size=64M"
    " -numa node,memdev=a -numa node,memdev=b",
    "CPUs that may come": "-m 128M,slots=1,maxmem=1G -smp 2,maxcpus=6",
    "sockets, cores and threads": "-m 128M,slots=1,maxmem=1G -smp 12,cores=3,threads=2",
    "sockets dealt out to nodes": f"-m 128M -smp 5,sockets=3,maxcpus=6 {RAM}a,size=64M"
    f" {RAM}b,size=64M -numa node,memdev=a -numa node,memdev=b",
    "some CPUs in nodes": f"-m 128M -smp 4,sockets=4 {RAM}a,size=64M {RAM}b,size=64M"
    " -numa node,memdev=a -numa node,memdev=b,cpus=2",
    "RAM beyond 1 TiB's hole": f"-m 2G,slots=1,maxmem=4G {RAM}a,size=2G"
    " -machine memory-backend=a,max-ram-below-4g=1G",
}


class Machine:
    """Ours, with the words of :class:`Qemu`."""

    def __init__(self, words: list[str]) -> None:
        self.pc = Pc(config_of([*MACHINE, *NO_VAPIC, *words]), ManualClock())

    def read(self, address: int, length: int) -> bytes:
        return self.pc.memory.read(address, length)

    def write(self, address: int, data: bytes) -> None:
        self.pc.memory.write(address, data)

    def load(self, address: int, size: int) -> int:
        return self.pc.memory.load(address, size)

    def outl(self, port: int, value: int) -> None:
        self.pc.io.store(port, 4, value)


def read_files(side: Machine | Qemu) -> dict[str, bytes]:
    (count,) = struct.unpack(">I", read_item(side, 0x19, 4))
    directory = read_item(side, 0x19, 4 + 64 * count)[4:]
    return {
        raw.rstrip(b"\0").decode(): read_item(side, key, size)
        for size, key, _, raw in struct.iter_unpack(">IHH56s", directory)
    }


@pytest.fixture(scope="module", params=LINES)
def sides(request: pytest.FixtureRequest) -> Iterator[tuple[Machine, Qemu]]:
    words = shlex.split(LINES[request.param])
    with Qemu(*words) as qemu:
        yield Machine(words), qemu


@pytest.mark.qemu
def test_the_same_files_and_items(sides: tuple[Machine, Qemu]) -> None:
    ours, theirs = (read_files(side) for side in sides)
    assert list(ours) == list(theirs)
    for name in set(theirs) - ACPI_FILES:
        assert ours[name] == theirs[name], name
    for key in (*range(0x19), *range(0x8000, 0x8010)):
        mine, other = (read_item(side, key, 256) for side in sides)
        assert mine == other, f"item {key:#x}"


@pytest.mark.qemu
def test_the_same_affinities(sides: tuple[Machine, Qemu]) -> None:
    tables = [split_tables(read_files(side).get(TABLES_FILE, bytes(4))) for side in sides]
    assert list(tables[0]) == list(tables[1])
    for signature in {"APIC", "SRAT"} & set(tables[0]):
        mine, other = (bytearray(each[signature]) for each in tables)
        mine[MAKERS] = other[MAKERS] = bytes(27)
        assert mine.hex(" ", 4) == other.hex(" ", 4), signature


@pytest.mark.qemu
def test_the_same_ports(sides: tuple[Machine, Qemu]) -> None:
    ours, qemu = sides
    flat = qemu.hmp("info mtree -f")
    for name in ("acpi-mem-hotplug", "acpi-gpe0", "acpi-cpu-hotplug"):
        lines = {line.strip() for line in flat.splitlines() if line.endswith(name)}
        found = {
            f"{each.start:016x}-{each.end - 1:016x} (prio 0, i/o): {name}"
            for each in ours.pc.io.view
            if each.region.name == name
        }
        assert found == lines, name


# -- option ROMs -------------------------------------------------------------------------------


@pytest.mark.qemu
def test_option_roms_have_qemus_names_and_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / "one.rom", tmp_path / ("long" * 20), tmp_path / "empty.rom"]
    for path, data in zip(paths, (b"\x55\xaa\x01" + bytes(509), b"abc", b""), strict=True):
        path.write_bytes(data)
    words = [word for path in paths for word in ("-option-rom", str(path))]
    ours = read_files(Machine(words))
    with Qemu(*words) as qemu:
        theirs = read_files(qemu)
    roms = {name: data for name, data in theirs.items() if name.startswith("genroms/")}
    assert len(roms) == 3
    assert {name: ours.get(name) for name in roms} == roms
    assert list(ours) == list(theirs)


def test_option_roms_that_cannot_be(tmp_path: Path) -> None:
    gone = tmp_path / "gone.rom"
    with pytest.raises(ConfigError, match=r"gone\.rom': No such file or directory"):
        option_rom_files([gone])
    with pytest.raises(ConfigError, match="not a regular file"):
        option_rom_files([tmp_path])
    large = tmp_path / "large.rom"
    with large.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ConfigError, match="more than 16 MiB"):
        option_rom_files([large])
    one, two = tmp_path / "a" / "x.rom", tmp_path / "b" / "x.rom"
    for each in (one, two):
        each.parent.mkdir()
        each.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"duplicate fw_cfg file name: genroms/x\.rom"):
        option_rom_files([one, two])
    with pytest.raises(HostError, match="File name too long"):
        option_rom_files([tmp_path / ("x" * 300)])
