"""Where RAM comes from: what each back-end makes, refuses, and leaves behind (nothing)."""

from __future__ import annotations

import fcntl
import gc
import mmap
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guestmap.base import GIB, KIB, MIB, ConfigError, HostError
from guestmap.memory import MemorySystem, MemTxAttrs, MemTxResult
from guestmap.memory.ram import (
    AnonymousRam,
    BufferRam,
    FileRam,
    MemfdRam,
    NumaPolicy,
    RamBackend,
    RamOptions,
)
from guestmap.memory.ram.host import backing_file as backing_file_module
from guestmap.memory.ram.host import libc
from guestmap.rcu import Rcu
from tests.memory.host_maps import SMALL, block_of, mapped, open_files, vmas

DEBUG = MemTxAttrs(debug=True)
TOO_SMALL = "backing store size 0x3000 does not match 'size' option 0x{:x}"


@pytest.fixture
def rcu() -> Rcu:
    return Rcu("test")


@pytest.fixture
def spotless() -> Iterator[None]:
    """Check that the test leaves no mapping of a file and no open file."""
    gc.collect()
    files = open_files()
    yield
    gc.collect()
    assert open_files() == files
    assert not mapped("guest-ram")


def file_of(tmp_path: Path, size: int, name: str = "guest-ram") -> str:
    path = tmp_path / name
    path.write_bytes(b"\xa5" * size)
    return str(path)


# -- what they make -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "backend",
    [
        AnonymousRam(),
        AnonymousRam(share=True),
        SMALL,
        MemfdRam(),
        MemfdRam(share=False, seal=False),
    ],
    ids=repr,
)
def test_fresh_memory_is_zero_and_remembers(memory: MemorySystem, backend: RamBackend) -> None:
    ram = memory.ram("ram", 3 * MIB + 1, backend=backend)
    block = block_of(ram)
    assert block.max_length == 3 * MIB + 0x1000
    assert len(block.buffer) >= block.max_length
    assert block.buffer[:16] == bytes(16)
    assert block.buffer[3 * MIB : 3 * MIB + 0x1000] == bytes(0x1000)
    block.buffer[3 * MIB + 5] = 7
    assert block.buffer[3 * MIB + 5] == 7


def test_anonymous_memory_is_aligned_for_huge_pages(memory: MemorySystem) -> None:
    large, small = (block_of(memory.ram("ram", size)) for size in (2 * MIB, 64 * KIB))
    assert large.host_address % (2 * MIB) == 0
    assert (large.align, large.page_size) == (2 * MIB, mmap.PAGESIZE)
    assert small.align == 2 * MIB  # what a DIMM made of it is aligned to


def test_nobody_may_touch_the_page_behind(memory: MemorySystem) -> None:
    block = block_of(memory.ram("ram", 0x5000))
    end = block.host_address + 0x5000
    behind = next(vma for vma in vmas() if vma.start <= end < vma.end)
    assert behind.access == "---p"


def test_shared_anonymous_memory_is_the_childs_too(memory: MemorySystem) -> None:
    block = block_of(memory.ram("ram", 0x1000, backend=AnonymousRam(share=True)))
    child = os.fork()
    if not child:
        block.buffer[0] = 42
        os._exit(0)
    os.waitpid(child, 0)
    assert block.buffer[0] == 42


@pytest.mark.usefixtures("spotless")
def test_a_memfd_is_sealed_and_can_be_mapped_by_others(rcu: Rcu) -> None:
    host = MemfdRam().allocate("sealed", 0x3000, rcu)
    assert host.shared
    assert os.fstat(host.fd).st_size == 0x3000
    seals = fcntl.fcntl(host.fd, fcntl.F_GET_SEALS)
    assert seals == fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    with pytest.raises(PermissionError):
        os.ftruncate(host.fd, 0)
    with mmap.mmap(host.fd, 0x3000) as other:
        other[0x1234] = 0x56
    assert host.buffer[0x1234] == 0x56
    unsealed = MemfdRam(seal=False).allocate("unsealed", 0x3000, rcu)
    os.ftruncate(unsealed.fd, 0x4000)
    del host, unsealed
    rcu.drain()


@pytest.mark.usefixtures("spotless")
def test_a_private_memfd_keeps_writes_to_itself(rcu: Rcu) -> None:
    host = MemfdRam(share=False).allocate("private", 0x1000, rcu)
    host.buffer[0] = 1
    assert not host.shared
    assert os.pread(host.fd, 1, 0) == b"\0"
    del host
    rcu.drain()


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.usefixtures("spotless")
def test_a_file_is_read_and_written_only_if_shared(tmp_path: Path, share: bool) -> None:
    path = file_of(tmp_path, 0x3000)
    with MemorySystem() as memory:
        ram = memory.ram_from_file("ram", path, 0x2000, share=share)
        assert ram.mtree_type() == "ram"
        assert ram.buffer is not None
        assert ram.buffer[:4] == b"\xa5" * 4
        ram.buffer[1:3] = b"\1\2"
        del ram
    content = Path(path).read_bytes()
    assert len(content) == 0x3000
    assert content[:4] == (b"\xa5\1\2\xa5" if share else b"\xa5" * 4)


@pytest.mark.usefixtures("spotless")
def test_a_part_of_a_file(tmp_path: Path) -> None:
    path = file_of(tmp_path, 0x3000)
    with MemorySystem() as memory:
        ram = memory.ram_from_file("ram", path, 0x1000, offset=0x2000, share=True, align=0x10000)
        block = block_of(ram)
        assert block.host_address % 0x10000 == 0
        assert (block.align, block.host.fd_offset if block.host else 0) == (0x10000, 0x2000)
        block.buffer[:] = b"\1" * 0x1000
        del block
    assert Path(path).read_bytes() == b"\xa5" * 0x2000 + b"\1" * 0x1000


@pytest.mark.usefixtures("spotless")
def test_a_missing_or_empty_file_gets_the_size(tmp_path: Path) -> None:
    missing, empty = tmp_path / "guest-ram.new", tmp_path / "guest-ram.empty"
    empty.touch()
    with MemorySystem() as memory:
        for path in (missing, empty):
            memory.ram_from_file("ram", str(path), 0x1234, offset=0x1000)
            assert path.stat().st_size == 0x3000
    assert missing.stat().st_mode & 0o777 == 0o644 & ~_umask()


@pytest.mark.usefixtures("spotless")
@pytest.mark.parametrize("readonly", [False, True])
def test_a_name_that_no_file_can_have_is_refused(readonly: bool) -> None:
    with MemorySystem() as memory, pytest.raises(ConfigError, match=r"a\\x00b'.*no name of a file"):
        memory.ram_from_file("ram", "/tmp/a\0b", MIB, readonly=readonly)


def test_a_folder_gives_a_file_without_a_name(tmp_path: Path) -> None:
    with MemorySystem() as memory:
        ram = memory.ram_from_file("a/b", str(tmp_path), 0x1000, share=True)
        assert ram.buffer is not None
        ram.buffer[0] = 1
        assert list(tmp_path.iterdir()) == []
        assert [vma.name for vma in mapped(f"{tmp_path}/guestmap_back_mem.a_b.")] != []


@pytest.mark.usefixtures("spotless")
def test_a_read_only_file_is_rom_that_nobody_writes(tmp_path: Path) -> None:
    path = file_of(tmp_path, 0x1000)
    os.chmod(path, 0o444)
    with MemorySystem() as memory:
        rom = memory.ram_from_file("rom", path, 0x1000, share=True, readonly=True)
        space = memory.address_space("space", rom)
        assert rom.mtree_type() == "rom"
        assert rom.buffer is not None
        assert rom.buffer.readonly
        assert space.write(0, b"x") == MemTxResult.DECODE_ERROR
        space.write_rom(0, b"x")
        space.write(0, b"x", DEBUG)
        assert space.read(0, 2) == b"\xa5\xa5"
        with pytest.raises(ConfigError, match="mapped for reading only"):
            rom.set_readonly(False)
        rom.set_readonly(True)
        del rom
    assert Path(path).read_bytes() == b"\xa5" * 0x1000


@pytest.mark.usefixtures("spotless")
def test_a_read_only_file_may_be_copied_into_ram(tmp_path: Path) -> None:
    path = file_of(tmp_path, 0x1000)
    with MemorySystem() as memory:
        ram = memory.ram("ram", 0x1000, backend=FileRam(path=path, readonly=True, rom=False))
        space = memory.address_space("space", ram)
        assert ram.mtree_type() == "ram"
        assert space.write(0, b"x") == MemTxResult.OK
        assert space.read(0, 2) == b"x\xa5"
    assert Path(path).read_bytes() == b"\xa5" * 0x1000


@pytest.mark.usefixtures("spotless")
def test_the_storage_goes_in_the_end_if_wanted(tmp_path: Path) -> None:
    sizes = []
    for discard in (False, True):
        path = file_of(tmp_path, 64 * KIB)
        with MemorySystem() as memory:
            backend = FileRam(path=path, share=True, discard_data=discard)
            memory.ram("ram", 64 * KIB, backend=backend)
        assert Path(path).stat().st_size == 64 * KIB
        sizes.append(any(Path(path).read_bytes()))
    assert sizes == [True, False]


def test_memory_that_somebody_else_made(memory: MemorySystem) -> None:
    theirs = mmap.mmap(-1, 0x2000)
    ram = memory.ram("ram", 0x1800, backend=BufferRam(memoryview(theirs)))
    space = memory.address_space("space", ram)
    space.write(0x10, b"mine")
    assert theirs[0x10:0x14] == b"mine"
    memory.remove_address_space(space)
    memory.free(ram)
    memory.rcu.drain()
    theirs.close()  # nobody uses it any more


def test_a_buffer_that_is_not_memory_is_refused(memory: MemorySystem) -> None:
    cases = {
        "has a buffer of 0xfff": memoryview(bytearray(0xFFF)),
        "has a read-only buffer of 0x1000": memoryview(bytes(0x1000)),
        "has a scattered buffer of 0x1000": memoryview(bytearray(0x2000))[::2],
    }
    for message, buffer in cases.items():
        with pytest.raises(ConfigError, match=f"RAM 'ram' of 0x1000 bytes {message}"):
            memory.ram("ram", 0x1000, backend=BufferRam(buffer))
    assert len(memory.ram_blocks) == 0
    empty = BufferRam(memoryview(bytearray())).allocate("none", 0, memory.rcu)
    assert empty.address == 0


def test_a_map_that_is_only_looked_at_needs_no_memory(memory: MemorySystem) -> None:
    bar = memory.ram_device("bar", 16 * GIB, None)
    space = memory.address_space("space", bar)
    assert bar.mtree_type() == "ramd"
    assert block_of(bar).host_address == 0
    assert space.store(0x1000, 4, 0x12345678) == MemTxResult.OK
    assert space.load(0x1000, 4) == 0
    assert not vmas_of(16 * GIB)


def vmas_of(size: int) -> list[int]:
    return [vma.start for vma in vmas() if vma.end - vma.start >= size]


# -- what they refuse -----------------------------------------------------------------------------


def test_too_much_memory_is_refused_cleanly(memory: MemorySystem) -> None:
    before = vmas_of(GIB)
    for size in (200 << 40, 1 << 62, 1 << 63):
        with pytest.raises(
            HostError, match=r"cannot set up guest memory 'm': Cannot allocate memory"
        ) as got:
            memory.ram("m", size)
        assert got.value.call == "mmap"
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        total = int(meminfo.readline().split()[1]) * KIB
    if Path("/proc/sys/vm/overcommit_memory").read_text(encoding="ascii").strip() == "0":
        with pytest.raises(HostError, match="cannot set up guest memory"):
            memory.ram("m", 4 * total, backend=AnonymousRam())
        memory.ram("m", 4 * total, backend=AnonymousRam(options=RamOptions(reserve=False)))
    gc.collect()
    memory.rcu.drain()
    assert vmas_of(GIB) == before
    assert len(memory.ram_blocks) == 0


@pytest.mark.parametrize(
    ("size", "offset", "align", "message"),
    [
        (0x4000, 0, 0, TOO_SMALL.format(0x4000)),
        (0x2001, 0x1000, 0, TOO_SMALL.format(0x3000) + " plus offset 0x1000"),
        (0x1000, 0, 0xC00, "alignment 0xc00 must be multiples of page size 0x1000"),
        (0x1000, 0, 0x3000, "alignment 0x3000 must be a power of two"),
        (0x1000, 0x800, 0, "offset 0x800 must be multiples of page size 0x1000"),
        (0x1000, -0x1000, 0, "offset 0x-1000 must be multiples of page size 0x1000"),
    ],
)
@pytest.mark.usefixtures("spotless")
def test_what_does_not_fit_a_file_is_refused(
    tmp_path: Path, size: int, offset: int, align: int, message: str
) -> None:
    path = file_of(tmp_path, 0x3000)
    with MemorySystem() as memory:
        with pytest.raises(ConfigError) as caught:
            memory.ram_from_file("m", path, size, offset=offset, align=align)
        assert message in str(caught.value)
        assert len(memory.ram_blocks) == 0
    assert Path(path).read_bytes() == b"\xa5" * 0x3000
    del caught


@pytest.mark.usefixtures("spotless")
def test_a_file_made_for_nothing_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "guest-ram"
    memory = MemorySystem()
    with pytest.raises(ConfigError, match="power of two"):
        memory.ram_from_file("m", str(path), 0x1000, align=0x3000)
    nodes = RamOptions(policy=NumaPolicy.BIND, host_nodes=frozenset({1000}))
    with pytest.raises(HostError, match="cannot bind memory to host NUMA nodes"):
        memory.ram_from_file("m", str(path), 0x1000, options=nodes)
    with pytest.raises(HostError, match=r"cannot give the backing store 0x[0-9a-f]+ bytes"):
        memory.ram_from_file("m", str(path), (1 << 63) - 0x1000, share=True)
    assert not path.exists()
    path.touch()
    with pytest.raises(HostError, match="cannot bind memory"):
        memory.ram_from_file("m", str(path), 0x1000, options=nodes)
    assert path.exists()  # it was there before


@pytest.mark.usefixtures("spotless")
def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    memory = MemorySystem()
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere" / "file")
    for path, readonly, reason in [
        (tmp_path / "no" / "file", False, "No such file or directory"),
        (tmp_path / "missing", True, "No such file or directory"),
        (tmp_path, True, "Is a directory"),
        (dangling, False, "File exists"),
    ]:
        with pytest.raises(HostError) as caught:
            memory.ram_from_file("m", str(path), 0x1000, readonly=readonly)
        assert str(caught.value) == f"can't open backing store {path} for guest RAM: {reason}"
    assert sorted(tmp_path.iterdir()) == [dangling]


@pytest.mark.usefixtures("spotless")
def test_a_file_that_cannot_be_mapped_is_refused(memory: MemorySystem) -> None:
    with pytest.raises(HostError, match="unable to map backing store for guest RAM: No such dev"):
        memory.ram_from_file("m", "/dev/null", 0x1000)


def test_a_character_device_is_mapped_as_it_is(memory: MemorySystem) -> None:
    ram = memory.ram_from_file("zero", "/dev/zero", 0x2000)
    assert ram.buffer is not None
    ram.buffer[0] = 1
    assert ram.buffer[:2] == b"\1\0"


def test_persistent_memory_says_its_size_and_alignment(
    memory: MemorySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its character device has both in sysfs; here /dev/zero stands in for one."""
    facts = {"size": 0x4000, "device/align": 0x200000}

    def number(path: str) -> int:
        assert path.startswith("/sys/dev/char/1:5/")
        return facts.get(path.removeprefix("/sys/dev/char/1:5/"), 0)

    monkeypatch.setattr(backing_file_module, "_sysfs_number", number)
    message = "backing store align 0x200000 is larger than 'align' option 0x1000"
    with pytest.raises(ConfigError, match=message):
        memory.ram_from_file("m", "/dev/zero", 0x2000, align=0x1000)
    with pytest.raises(ConfigError, match="size 0x4000 does not match 'size' option 0x5000"):
        memory.ram_from_file("m", "/dev/zero", 0x5000, align=0x200000)
    block = block_of(memory.ram_from_file("m", "/dev/zero", 0x4000, align=0x200000))
    assert block.host_address % 0x200000 == 0
    assert block.align == 0x200000


def test_numbers_in_sysfs(tmp_path: Path) -> None:
    (tmp_path / "align").write_text("2097152\n", encoding="ascii")
    (tmp_path / "junk").write_text("?", encoding="ascii")
    read = backing_file_module._sysfs_number
    assert [read(str(tmp_path / name)) for name in ("align", "junk", "none")] == [2097152, 0, 0]


def test_contradictions_are_refused() -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: FileRam(path=""), "mem-path property not set"),
        (
            lambda: FileRam(path="x", rom=True),
            "property 'rom' = 'on' is not supported with 'readonly' = 'off'",
        ),
        (
            lambda: FileRam(path="x", readonly=True, share=True, rom=False),
            "property 'rom' = 'off' is incompatible with 'readonly' = 'on' and 'share' = 'on'",
        ),
        (lambda: MemfdRam(hugetlb=True, hugetlb_size=3 * MIB), "must be a power of 2"),
    ]
    for make, message in cases:
        with pytest.raises(ConfigError) as caught:
            make()
        assert message in str(caught.value)


# -- huge pages -----------------------------------------------------------------------------------


def free_huge_pages() -> int:
    path = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
    return int(path.read_text(encoding="ascii")) if path.exists() else -1


@pytest.mark.skipif(free_huge_pages() < 0, reason="needs a kernel with 2 MiB huge pages")
@pytest.mark.usefixtures("spotless")
def test_huge_pages_that_the_host_lacks_are_refused(memory: MemorySystem) -> None:
    size = (free_huge_pages() + 1) * 2 * MIB
    huge = MemfdRam(hugetlb=True, hugetlb_size=2 * MIB)
    with pytest.raises(HostError, match=r"unable to map backing store .*Cannot allocate memory"):
        memory.ram("m", size, backend=huge)
    with pytest.raises(HostError, match=r"failed to resize memfd to 1048576: Invalid argument"):
        memory.ram("m", MIB, backend=huge)
    with pytest.raises(HostError, match="failed to create memfd"):
        memory.ram("m", 1 << 40, backend=MemfdRam(hugetlb=True, hugetlb_size=1 << 39))


@pytest.mark.skipif(free_huge_pages() < 2, reason="needs 2 free huge pages of 2 MiB")
@pytest.mark.usefixtures("spotless")
def test_memory_of_huge_pages() -> None:
    before = free_huge_pages()
    with MemorySystem() as memory:
        ram = memory.ram("m", 4 * MIB, backend=MemfdRam(hugetlb=True, hugetlb_size=2 * MIB))
        block = block_of(ram)
        assert (block.page_size, block.align) == (2 * MIB, 2 * MIB)
        block.buffer[3 * MIB] = 1
        assert free_huge_pages() < before
        with pytest.raises(ConfigError, match="multiples of its page size 0x200000"):
            block.discard(0, MIB)
        block.discard(2 * MIB, 2 * MIB)
        assert block.buffer[3 * MIB] == 0
        del block, ram
    assert free_huge_pages() == before


@pytest.mark.skipif(
    free_huge_pages() < 2 or os.geteuid() != 0, reason="needs 2 free huge pages, and to mount"
)
@pytest.mark.usefixtures("spotless")
def test_a_file_of_huge_pages(tmp_path: Path) -> None:
    mount = ["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", str(tmp_path)]
    subprocess.run(mount, check=True)
    try:
        with MemorySystem() as memory:
            ram = memory.ram_from_file("m", str(tmp_path), 3 * MIB, share=True)
            block = block_of(ram)
            assert (block.page_size, block.align, block.max_length) == (2 * MIB, 2 * MIB, 3 * MIB)
            assert len(block.buffer) == 4 * MIB
            block.buffer[0] = 1
            for problem, size, offset, align in [
                ("alignment 0x1000 must be multiples of page size 0x200000", 2 * MIB, 0, 0x1000),
                ("offset 0x1000 must be multiples of page size 0x200000", 2 * MIB, 0x1000, 0),
                ("0x100000 must be equal to or larger than page size 0x200000", MIB, 0, 0),
            ]:
                with pytest.raises(ConfigError, match=problem):
                    memory.ram_from_file("m", str(tmp_path), size, offset=offset, align=align)
            del block, ram
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_the_page_size_comes_from_the_file_system(
    memory: MemorySystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on hugetlbfs, which needs its pages set aside: here the file system only says so."""
    monkeypatch.setattr(libc, "huge_page_size", lambda _fd: 2 * MIB)
    for problem, size, offset, align in [
        ("alignment 0x1000 must be multiples of page size 0x200000", 2 * MIB, 0, 0x1000),
        ("offset 0x1000 must be multiples of page size 0x200000", 2 * MIB, 0x1000, 0),
        ("size 0x100000 must be equal to or larger than page size 0x200000", MIB, 0, 0),
    ]:
        with pytest.raises(ConfigError, match=problem):
            memory.ram_from_file("m", str(tmp_path), size, offset=offset, align=align)
    block = block_of(memory.ram_from_file("m", str(tmp_path), 3 * MIB))
    assert (block.page_size, block.align, block.max_length) == (2 * MIB, 2 * MIB, 3 * MIB)
    assert len(block.buffer) == 4 * MIB
    assert block.host_address % (2 * MIB) == 0


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("length", [1 << 63, 15 << 60])
@pytest.mark.usefixtures("spotless")
def test_lengths_that_no_file_can_have_are_refused(
    memory: MemorySystem, length: int, tmp_path: Path
) -> None:
    with pytest.raises(HostError, match=f"failed to resize memfd to {length}: Invalid argument"):
        memory.ram("m", length, backend=MemfdRam())
    path = tmp_path / "guest-ram"
    with pytest.raises(HostError, match="Invalid argument"):
        memory.ram("m", length, backend=FileRam(path=str(path)))
    assert not path.exists()
