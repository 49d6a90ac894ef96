"""Memory goes in and comes out as it was, and only what holds something is stored."""

from __future__ import annotations

import os
import random
import zlib
from contextlib import nullcontext
from pathlib import Path

import pytest

from guestmap.base import ConfigError, HostError, PeerError
from guestmap.machine import MachineConfig, ObjectSpec, RunState, VirtualMachine
from guestmap.machine.saved import open_saved, restore, save
from guestmap.machine.saved.content import SavedBlock, SavedPiece
from guestmap.machine.saved.ram import check_room, load_block, save_block
from guestmap.memory import MemorySystem
from guestmap.memory.ram import RamBlock
from tests.memory.host_maps import block_of

MIB = 1 << 20
_RAM = "guestmap.machine.saved.ram"


def empty(ram: int = 4 * MIB, **options: object) -> VirtualMachine:
    return VirtualMachine(MachineConfig(machine="none", ram_size=ram, **options))  # type: ignore[arg-type]


def block(size: int = 4 * MIB) -> RamBlock:
    return block_of(MemorySystem().ram("ram", size))


def written(source: RamBlock) -> tuple[SavedBlock, list[bytes]]:
    data: list[bytes] = []
    return save_block(source, data.append), data


def test_pages_of_all_kinds_come_back() -> None:
    chance, source = random.Random(3), block()
    for page in chance.sample(range(1024), 90):
        at = page * 0x1000 + chance.randrange(0x1000)
        source.buffer[at : at + 1] = b"x"
    source.buffer[2 * MIB - 0x2000 : 2 * MIB + 0x1000] = chance.randbytes(0x3000)
    saved, data = written(source)
    other = block()
    other.buffer[:] = chance.randbytes(len(other.buffer))  # what was there before goes
    load_block(other, saved, iter(data))
    assert bytes(other.buffer) == bytes(source.buffer)
    assert {piece.offset % 0x1000 for piece in saved.pieces} == {0}
    used = {at // 0x1000 for at, byte in enumerate(bytes(source.buffer)) if byte}
    assert sum(piece.length for piece in saved.pieces) == 0x1000 * len(used)


def test_memory_that_was_empty_is_empty_again() -> None:
    saved, data = written(block())
    assert saved.pieces == []
    other = block()
    other.buffer[:] = b"x" * len(other.buffer)
    load_block(other, saved, iter(data))
    assert not any(bytes(other.buffer))


def test_memory_that_nobody_has_touched_is_not_looked_at() -> None:
    """A machine of many GiB is saved in a moment, and takes no memory by it."""
    source = block(64 << 30)
    source.buffer[40 << 30] = 1
    saved, data = written(source)
    assert saved.pieces == [SavedPiece(40 << 30, 0x1000, len(data[0]))]
    with open("/proc/self/statm") as file:
        assert int(file.read().split()[1]) * 4096 < 4 << 30


def test_holes_of_a_file_are_not_looked_at(tmp_path: Path) -> None:
    with empty(
        64 << 30,
        objects=(ObjectSpec("memory-backend-memfd", "mem", {"size": 64 << 30}),),
        memory_backend="mem",
    ) as vm:
        vm.board.memory.write(0x80000, b"x")
        saved = save(vm, tmp_path / "saved")
        assert [piece.offset for piece in saved.blocks[0].pieces] == [0x80000]
        [block] = vm.board.system.ram_blocks
        assert block.host is not None
        assert os.fstat(block.host.fd).st_blocks * 512 < 4 * MIB  # still a hole


def test_whoever_watches_the_memory_is_told() -> None:
    saved, data = written(block())
    other, told = block(), []
    other.add_watcher(lambda offset, length: told.append((offset, length)))
    load_block(other, saved, iter(data))
    assert told == [(0, 4 * MIB)]


@pytest.mark.parametrize(
    "stored",
    [
        b"nonsense",
        zlib.compress(bytes(0x800)),
        zlib.compress(bytes(0x1001)),
        zlib.compress(bytes(1 << 24)),
        zlib.compress(bytes(0x1000))[:-1],
        zlib.compress(bytes(0x1000)) + b"more",
    ],
)
def test_a_piece_that_is_not_what_it_says_is_refused(stored: bytes) -> None:
    saved = SavedBlock("ram", 4 * MIB, 4 * MIB, [SavedPiece(0x5000, 0x1000, len(stored))])
    with pytest.raises(PeerError, match="'ram': the piece at 0x5000 is broken"):
        load_block(block(), saved, iter([stored]))


@pytest.mark.parametrize("share", [True, False])
def test_memory_of_a_file_is_saved_too(tmp_path: Path, share: bool) -> None:
    backend = ObjectSpec(
        "memory-backend-file",
        "mem",
        {"size": 2 * MIB, "mem-path": str(tmp_path / "ram"), "share": share},
    )
    path = tmp_path / "saved"
    with empty(2 * MIB, objects=(backend,), memory_backend="mem") as vm:
        vm.board.memory.write(0x1234, b"in the file")
        save(vm, path)
        vm.board.memory.write(0x1234, b"and not this")
    with restore(path) as vm:
        assert vm.board.memory.read(0x1234, 12) == b"in the file\0"


@pytest.mark.parametrize("there", ["", "somebody's work"])
def test_who_only_looks_makes_no_file_and_writes_to_none(tmp_path: Path, there: str) -> None:
    file = tmp_path / "ram"
    properties = {"size": 2 * MIB, "mem-path": str(file), "share": True, "prealloc": True}
    backend = ObjectSpec("memory-backend-file", "mem", properties)
    path = tmp_path / "saved"
    with empty(2 * MIB, objects=(backend,), memory_backend="mem") as vm:
        vm.board.memory.write(0x1234, b"in the file")
        save(vm, path)
    file.unlink()
    if there:
        file.write_text(there)
    with restore(path, engine="none", looking=True) as vm:
        assert vm.board.memory.read(0x1234, 12) == b"in the file\0"
    assert (file.read_text() if there else not file.exists()) == (there or True)


def test_a_file_that_is_only_read_is_looked_at(tmp_path: Path) -> None:
    """As ROM, which is what the map shows of it."""
    file = tmp_path / "ram"
    file.write_bytes(b"as it is".ljust(2 * MIB, b"\0"))
    properties = {"size": 2 * MIB, "mem-path": str(file), "readonly": True}
    path = tmp_path / "saved"
    with empty(
        2 * MIB,
        objects=(ObjectSpec("memory-backend-file", "mem", properties),),
        memory_backend="mem",
    ) as vm:
        save(vm, path)
    with restore(path, engine="none", looking=True) as vm:
        assert vm.board.memory.read(0, 8) == b"as it is"
    assert file.read_bytes()[:9] == b"as it is\0"


def test_memory_of_another_size_is_another_machine(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    with empty() as vm:
        save(vm, path)
    with empty(8 * MIB) as vm, open_saved(path) as opened:
        from guestmap.machine.saved import load_into

        vm.board.memory.write(0, b"here")
        with pytest.raises(ConfigError, match=r"other memory: .*0x400000 bytes.*0x800000 bytes"):
            load_into(vm, opened)
        assert vm.board.memory.read(0, 4) == b"here"
        assert vm.state is not RunState.INTERNAL_ERROR


def test_the_old_file_stays_where_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "saved"
    with empty() as vm:
        save(vm, path)
        before = path.read_bytes()
        vm.board.memory.write(0, b"new")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(HostError, match="No space left"):
            save(vm, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_host_has_its_memory_and_its_swap_and_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    meminfo, pages = tmp_path / "meminfo", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    meminfo.write_text("MemTotal: 4000 kB\nSwapTotal: 20 kB\nSwapFree: 7 kB\n")
    room = 4096 * 1000 + 20 * 1024
    monkeypatch.setattr(f"{_RAM}._overcommits", lambda: False)
    monkeypatch.setattr("os.sysconf", pages.__getitem__)
    monkeypatch.setattr(f"{_RAM}.open", lambda _name, mode: meminfo.open(mode), raising=False)

    check_room(room, "it")
    with pytest.raises(
        HostError, match=f"it has 0x{room + 1:x} bytes .* this host 0x{room:x}, swap"
    ):
        check_room(room + 1, "it")


@pytest.mark.parametrize(("word", "overcommits"), [("0", False), ("1", True), ("2", False)])
def test_a_host_that_overcommits_is_asked_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str, overcommits: bool
) -> None:
    policy = tmp_path / "policy"
    policy.write_text(f"{word}\n")
    monkeypatch.setattr(f"{_RAM}.open", lambda _name, mode: policy.open(mode), raising=False)
    with nullcontext() if overcommits else pytest.raises(HostError):
        check_room(1 << 60, "it")
