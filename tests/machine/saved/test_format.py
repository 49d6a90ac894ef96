"""Files that are cut short, somebody else's, edited, or that promise too much: one clear error, and
no machine."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from guestmap.base import ConfigError, GuestmapError, HostError, PeerError, UnsupportedError
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.machine.saved import load as loading
from guestmap.machine.saved import open_saved, restore, save
from guestmap.machine.saved.format import MAGIC, VERSION, SavedReader, SavedWriter
from guestmap.machine.saved.snapshots import _SUFFIX, Snapshots

_END = struct.Struct("<QQ32s")
RAM = 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a machine without devices, with two pages in use."""
    path = tmp_path / "machine"
    with VirtualMachine(MachineConfig(machine="none", ram_size=RAM)) as vm:
        vm.board.memory.write(0x3000, b"first page")
        vm.board.memory.write(RAM - 0x1000, b"last page")
        save(vm, path)
    return path


@pytest.fixture(autouse=True)
def nothing_is_made(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """Fail where a machine is made of a file that is refused."""

    def made(*_args: object, **_options: object) -> None:
        pytest.fail("a machine was made")

    monkeypatch.setattr(loading, "VirtualMachine", made)


def sealed(content: bytes) -> bytes:
    """Give content a checksum that is right."""
    return content + hashlib.blake2b(content, digest_size=32).digest()


def with_index(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the index of a file, and make everything right that depends on it."""
    content = path.read_bytes()
    begin, length, _ = _END.unpack(content[-_END.size :])
    index = msgspec.msgpack.decode(content[begin : begin + length])
    change(index)
    new = msgspec.msgpack.encode(index)
    path.write_bytes(sealed(content[:begin] + new + struct.pack("<QQ", begin, len(new))))


def assert_refused(path: Path, kind: type[GuestmapError], *words: str) -> None:
    with pytest.raises(kind) as caught:
        restore(path)
    assert type(caught.value) is kind
    for word in (*words, str(path)):
        assert word in str(caught.value)


def test_a_file_that_is_cut_anywhere_is_refused(file: Path) -> None:
    content = file.read_bytes()
    for length in {*range(60), *range(60, len(content), 37), len(content) - 1}:
        file.write_bytes(content[:length])
        assert_refused(file, PeerError)


@pytest.mark.parametrize(("begin", "length"), [(-8, 8), (1, 0), (0, 1), (0, -1)])
def test_an_index_that_is_said_to_lie_elsewhere_is_refused(
    file: Path, begin: int, length: int
) -> None:
    """Before the data, with a byte missing, or with one too many; the checksum is right."""
    content = file.read_bytes()
    at, size, _ = _END.unpack(content[-_END.size :])
    if begin < 0:  # all of the file but its end, from within its first bytes on
        at, size = -begin, len(content) - _END.size + begin
    else:
        at, size = at + begin, size + length
    file.write_bytes(sealed(content[: -_END.size] + struct.pack("<QQ", at, size)))
    assert_refused(file, PeerError, "its end is missing")


def test_a_bit_that_is_changed_anywhere_is_noticed(file: Path) -> None:
    content = file.read_bytes()
    for at in range(0, len(content), 11):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        file.write_bytes(changed)
        with pytest.raises((PeerError, UnsupportedError)):
            restore(file)


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF" + bytes(500), b"guestmap.snapshot {}", bytes(10_000), b"guest"]
)
def test_somebody_elses_file_is_called_so(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(PeerError, match=r"is no saved machine|was cut short"):
        restore(file)


@pytest.mark.parametrize("version", [1, VERSION - 1, VERSION + 1])
def test_another_version_is_named(file: Path, version: int) -> None:
    content = bytearray(file.read_bytes()[:-32])
    content[16:20] = version.to_bytes(4, "little")
    file.write_bytes(sealed(bytes(content)))
    assert_refused(file, UnsupportedError, f"format {version}", f"reads {VERSION}")


def test_a_file_that_is_not_there_or_a_folder_is_a_clear_error(tmp_path: Path) -> None:
    assert_refused(tmp_path / "nowhere", HostError, "No such file")
    assert_refused(tmp_path, HostError, "Is a directory")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert_refused(pipe, HostError, "(a pipe)")


def test_an_index_larger_than_any_is_not_read(tmp_path: Path) -> None:
    """A file that is a hole: even where no checksum is looked at, nothing of it is read."""
    hole, size = tmp_path / f"hole{_SUFFIX}", 1 << 40
    with hole.open("wb") as file:
        file.write(struct.pack("<16sI12x", MAGIC, VERSION))
        file.seek(size - _END.size)
        file.write(_END.pack(32, size - _END.size - 32, bytes(32)))
    with pytest.raises(PeerError, match="its index has 10995"), hole.open("rb") as file:
        SavedReader(file, str(hole), checked=False)
    assert list(Snapshots(tmp_path)) == []


def _ram(index: dict[str, Any]) -> dict[str, Any]:
    block: dict[str, Any] = index["blocks"][0]
    return block


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.pop("state"), "missing required field `state`"),
        (lambda x: x.update(extra=1), "unknown field `extra`"),
        (lambda x: x.update(state="asleep"), "Invalid enum value"),
        (lambda x: x.update(time_ns=-1), "$.time_ns"),
        (lambda x: x.update(time_ns=1 << 63), "$.time_ns"),
        (lambda x: x.update(vcpus=[{}]), "$.vcpus[0]"),
        (lambda x: x["config"].update(ram_size="much"), "$.config.ram_size"),
        (lambda x: x["config"].update(option_roms=[7]), "$.config.option_roms"),
        (lambda x: x["config"].update(kernel="/a\0b"), "'/a\\x00b' is no Path"),
        (lambda x: x.update(files=[{"path": "\0", "digest": bytes(32)}]), "$.files[0].path"),
        (lambda x: x["config"].update(kernel=[0] * 99), "[0, 0, 0, 0, 0, 0, ...] is no Path"),
        (lambda x: x["config"].update(devices=[{"driver": 1}]), "$.config.devices"),
        (lambda x: _ram(x).update(pieces=[[0x3000, 0, 10]]), "$.blocks[0].pieces"),
        (lambda x: _ram(x).update(pieces=[[0x3000, 0x1001, 10]]), "$.blocks[0].pieces"),
        (lambda x: _ram(x).update(pieces=[[0x3000, 1 << 40, 10]]), "$.blocks[0].pieces"),
        (lambda x: _ram(x)["pieces"].reverse(), "overlaps"),
        (lambda x: _ram(x)["pieces"][1].__setitem__(0, 0x3800), "overlaps"),
        (lambda x: _ram(x)["pieces"][1].__setitem__(0, RAM), "holds memory up to"),
        (lambda x: _ram(x)["pieces"][0].__setitem__(2, 9), "where the index has"),
        (lambda x: _ram(x).update(used=2 * RAM), "holds memory up to"),
        (lambda x: x["blocks"].append(_ram(x)), "there twice"),
    ],
)
def test_an_index_that_makes_no_sense_is_refused(
    file: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    with_index(file, change)
    assert_refused(file, PeerError, words, "could have been saved")


@pytest.mark.parametrize("field", ["used", "largest"])
def test_more_memory_than_the_host_has_is_refused_before_any_is_asked_for(
    file: Path, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guestmap.machine.saved.ram._overcommits", lambda: False)

    def claim(index: dict[str, Any]) -> None:
        _ram(index).update(used=1 << 50, largest=1 << 50)
        index["config"]["ram_size"] = (1 << 40) if field == "used" else RAM

    with_index(file, claim)
    assert_refused(file, HostError, "0x4000000000000 bytes of memory", "swap included")


@pytest.mark.parametrize("size", [1 << 50, "1P"])
def test_more_memory_in_back_ends_than_the_host_has_is_refused_as_well(
    file: Path, size: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guestmap.machine.saved.ram._overcommits", lambda: False)
    backend = {
        "qom_type": "memory-backend-ram", "id": "m", "properties": {"size": size}, "is_json": True,
    }  # fmt: skip
    with_index(file, lambda x: x["config"].update(objects=[backend]))
    assert_refused(file, HostError, f"{(1 << 50) + RAM:#x} bytes of memory", "swap included")


def test_a_file_without_an_end_is_not_read(file: Path) -> None:
    with_index(file, lambda x: x.update(files=[{"path": "/dev/zero", "digest": bytes(32)}]))
    with pytest.raises(HostError, match=r"/dev/zero \(no regular file\)"):
        restore(file)


def test_nonsense_is_refused_to_who_only_looks_too(file: Path) -> None:
    backend = {
        "qom_type": "memory-backend-file", "id": "m", "is_json": True,
        "properties": {"size": [], "readonly": [], "mem-path": {}},
    }  # fmt: skip
    with_index(file, lambda x: x["config"].update(objects=[backend]))
    with pytest.raises(GuestmapError, match=str(file)):
        restore(file, looking=True)


def test_a_machine_that_cannot_be_is_refused(file: Path) -> None:
    with_index(file, lambda x: x["config"].update(cpus=0))
    assert_refused(file, ConfigError, "give 1 to")


def test_a_file_that_the_machine_is_made_from_must_have_a_checksum(file: Path) -> None:
    with_index(file, lambda x: x["config"].update(option_roms=["/boot/rom"]))
    assert_refused(file, ConfigError, "no checksum of /boot/rom")


def test_a_file_that_the_machine_was_made_from_must_be_the_same(file: Path, tmp_path: Path) -> None:
    rom = tmp_path / "rom.bin"
    rom.write_bytes(b"one")
    digest = hashlib.blake2b(b"one", digest_size=32).digest()
    with_index(file, lambda x: x.update(files=[{"path": str(rom), "digest": digest}]))
    with open_saved(file):
        pass
    rom.write_bytes(b"two")
    with pytest.raises(ConfigError, match=r"rom\.bin is not what the machine was saved with"):
        restore(file)
    rom.unlink()
    with pytest.raises(HostError, match=r"cannot read .*rom\.bin"):
        restore(file)


@pytest.mark.parametrize(("begin", "length"), [(0, 0), (0, 10), (3, 4), (9, 1), (10, 0)])
def test_data_that_is_there(begin: int, length: int) -> None:
    content = bytes(range(10))
    assert reader_of(content).data(begin, length) == content[begin : begin + length]


@pytest.mark.parametrize(("begin", "length"), [(0, 11), (5, 6), (10, 1), (11, 1), (9, 12)])
def test_data_that_would_be_of_the_index(begin: int, length: int) -> None:
    refusal = f"it has no {length} bytes of memory at {begin}$"
    with pytest.raises(PeerError, match=refusal):
        reader_of(bytes(10)).data(begin, length)


def reader_of(content: bytes) -> SavedReader:
    """Return a reader of a file with these data, and an index of 40 bytes."""
    file = BytesIO()
    writer = SavedWriter(file)
    writer.write(content)
    writer.finish(b"i" * 40)
    reader = SavedReader(file, "saved")
    assert (reader.index, reader.data_length) == (b"i" * 40, len(content))
    return reader
