"""How the host treats pages: advice, preallocation, NUMA nodes."""

from __future__ import annotations

import errno
import gc
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from guestmap.base import MIB, ConfigError, HostError
from guestmap.memory import MemorySystem
from guestmap.memory.ram import AnonymousRam, FileRam, MemfdRam, NumaPolicy, RamOptions
from guestmap.memory.ram.host import libc, options
from tests.memory.host_maps import block_of, mapped, open_files, resident, smaps_flags, vmas


def anonymous(**wanted: object) -> AnonymousRam:
    return AnonymousRam(huge_pages=False, options=RamOptions(**wanted))  # type: ignore[arg-type]


# -- advice ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "flag", "there"),
    [
        ({"merge": True}, "mg", Path("/sys/kernel/mm/ksm").exists()),
        ({"merge": False}, "mg", False),
        ({"dump": False}, "dd", True),
        ({"dump": True}, "dd", False),
        ({"reserve": False}, "nr", True),
        ({"reserve": True}, "nr", False),
    ],
)
def test_what_the_kernel_was_told(
    memory: MemorySystem, wanted: dict[str, bool], flag: str, there: bool
) -> None:
    block = block_of(memory.ram("ram", MIB, backend=anonymous(**wanted)))
    assert (flag in smaps_flags(block.host_address)) is there


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="needs huge pages"
)
def test_huge_pages_are_asked_for(memory: MemorySystem) -> None:
    for wanted in (True, False):
        backend = AnonymousRam(huge_pages=wanted)
        block = block_of(memory.ram("ram", 4 * MIB, backend=backend))
        assert ("hg" in smaps_flags(block.host_address)) is wanted


def test_plain_ram_promises_nothing(memory: MemorySystem) -> None:
    flags = smaps_flags(block_of(memory.ram("ram", 4 * MIB)).host_address)
    assert "nr" in flags
    assert not flags & {"hg", "mg", "dd"}


def test_advice_of_a_kernel_without_it_is_not_missed(
    memory: MemorySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libc, "madvise", lambda *_: errno.EINVAL)
    memory.ram("ram", MIB, backend=anonymous(merge=True, dump=False))
    monkeypatch.setattr(libc, "madvise", lambda *_: errno.EAGAIN)
    with pytest.raises(HostError, match="refuses an advice on memory: Resource temporarily"):
        memory.ram("ram", MIB, backend=anonymous(merge=True))


# -- preallocation --------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
def test_all_pages_are_there_at_once(
    memory: MemorySystem, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(options, "_CHUNK", MIB)
    steps: list[tuple[int, int]] = []
    callers: set[int] = set()

    def progress(done: int, total: int) -> None:
        steps.append((done, total))
        callers.add(threading.get_ident())

    size = 4 * MIB + 0x3000
    lazy = block_of(memory.ram("lazy", size))
    block = block_of(
        memory.ram(
            "ram",
            size,
            backend=anonymous(prealloc=True, prealloc_threads=threads, progress=progress),
        )
    )
    assert resident(lazy.host_address, size) == 0
    assert resident(block.host_address, size) == size
    assert [total for _, total in steps] == [size] * 5
    assert sorted(done for done, _ in steps) == [done for done, _ in steps]
    assert steps[-1] == (size, size)
    assert callers == {threading.get_ident()}


def test_no_more_threads_than_there_are_cpus(
    memory: MemorySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "_CHUNK", 0x1000)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    real, seen = libc.madvise, set()

    def madvise(address: int, length: int, advice: int) -> int:
        seen.add(threading.current_thread().name)
        return real(address, length, advice)

    monkeypatch.setattr(libc, "madvise", madvise)
    wanted = anonymous(prealloc=True, prealloc_threads=0xFFFF_FFFF)
    memory.ram("ram", MIB, backend=wanted)
    assert len({name for name in seen if name.startswith("prealloc-")}) <= 3


def test_read_only_pages_are_read_in(memory: MemorySystem, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\1" * MIB)
    backend = FileRam(path=str(path), readonly=True, options=RamOptions(prealloc=True))
    block = block_of(memory.ram("rom", MIB, backend=backend))
    assert resident(block.host_address, MIB) == MIB


@pytest.mark.parametrize("threads", [1, 4])
def test_missing_pages_are_an_error_and_leave_nothing(
    memory: MemorySystem, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """The third of eight pieces is refused, as by a full file system."""
    monkeypatch.setattr(options, "_CHUNK", MIB)
    real, asked = libc.madvise, []

    def full(address: int, length: int, advice: int) -> int:
        if advice == libc.MADV_POPULATE_WRITE:
            asked.append(address)
            if len(asked) >= 3:
                return errno.EFAULT
        return real(address, length, advice)

    monkeypatch.setattr(libc, "madvise", full)
    wanted = RamOptions(prealloc=True, prealloc_threads=threads)
    with pytest.raises(HostError, match="preallocating memory failed for 'full': Bad addr") as got:
        memory.ram("full", 8 * MIB, backend=MemfdRam(options=wanted))
    assert got.value.errno == errno.EFAULT
    assert got.value.call == "madvise"
    assert len(asked) < 8
    assert not mapped("memfd:full")  # though the error, which has seen it, is still here
    assert not any("memfd:full" in name for name in open_files())


def test_whoever_is_told_of_progress_may_give_up(memory: MemorySystem) -> None:
    def progress(done: int, total: int) -> None:
        raise KeyError(done, total)

    wanted = RamOptions(prealloc=True, progress=progress)
    with pytest.raises(KeyError):
        memory.ram("given-up", 4 * MIB, backend=MemfdRam(options=wanted))
    assert not mapped("given-up")


def test_a_real_file_system_that_is_full(memory: MemorySystem, tmp_path: Path) -> None:
    """A limit on file sizes stands in for it, where a file cannot get its size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    try:
        with pytest.raises(HostError, match="cannot give the backing store 0x200000 bytes: File"):
            memory.ram_from_file("m", str(tmp_path / "file"), 2 * MIB)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


# -- NUMA -----------------------------------------------------------------------------------------


def nodes_of(address: int) -> str:
    """Return the policy word of a mapping (proc(5), numa_maps)."""
    for line in Path("/proc/self/numa_maps").read_text(encoding="ascii").splitlines():
        start, policy, *_ = line.split()
        if int(start, 16) == address:
            return policy
    return ""


needs_nodes = pytest.mark.skipif(
    not Path("/proc/self/numa_maps").exists(), reason="needs a kernel with NUMA"
)


@needs_nodes
@pytest.mark.parametrize(
    ("policy", "word"),
    [
        (NumaPolicy.BIND, "bind:0"),
        (NumaPolicy.PREFERRED, "prefer:0"),
        (NumaPolicy.INTERLEAVE, "interleave:0"),
    ],
)
def test_pages_come_from_the_nodes_that_are_asked_for(
    memory: MemorySystem, policy: NumaPolicy, word: str
) -> None:
    backend = anonymous(policy=policy, host_nodes=frozenset({0}))
    block = block_of(memory.ram("ram", 4 * MIB, backend=backend))
    assert nodes_of(block.host_address) == word


@needs_nodes
@pytest.mark.parametrize("node", [63, 64, 900])
def test_nodes_that_the_host_lacks_are_refused(memory: MemorySystem, node: int) -> None:
    backend = MemfdRam(options=RamOptions(policy=NumaPolicy.BIND, host_nodes=frozenset({node})))
    with pytest.raises(HostError) as caught:
        memory.ram("no-node", 4 * MIB, backend=backend)
    assert str(caught.value) == "cannot bind memory to host NUMA nodes: Invalid argument"
    assert f"nodes=0x{1 << node:x}" in caught.value.arguments
    assert not mapped("no-node")


def test_a_host_without_the_call_says_so(
    memory: MemorySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(machine="vax"))
    backend = anonymous(policy=NumaPolicy.BIND, host_nodes=frozenset({0}))
    with pytest.raises(HostError, match="cannot bind memory to host NUMA nodes: no mbind on vax"):
        memory.ram("ram", MIB, backend=backend)


# -- contradictions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: RamOptions(prealloc=True, reserve=False),
            "'prealloc=on' and 'reserve=off' are incompatible",
        ),
        (lambda: RamOptions(prealloc_threads=0), "'prealloc-threads' is 0: give at least 1"),
        (
            lambda: RamOptions(host_nodes=frozenset({0})),
            "explicitly specify a policy other than default",
        ),
        (lambda: RamOptions(policy=NumaPolicy.BIND), "host-nodes must be set for policy bind"),
        (
            lambda: RamOptions(policy=NumaPolicy.BIND, host_nodes=frozenset({2000})),
            "a node is a number from 0 to 1023",
        ),
        (
            lambda: RamOptions(policy=NumaPolicy.BIND, host_nodes=frozenset({-1})),
            "a node is a number from 0 to 1023",
        ),
    ],
)
def test_contradictions_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert message in str(caught.value)


def test_nothing_is_left_of_what_failed() -> None:
    """Address space, too: a thousand failures cost nothing."""
    memory = MemorySystem()
    gc.collect()
    before = len(vmas())
    backend = anonymous(policy=NumaPolicy.BIND, host_nodes=frozenset({900}))
    for _ in range(100):
        with pytest.raises(HostError):
            memory.ram("ram", 4 * MIB, backend=backend)
    assert len(vmas()) < before + 20
    assert memory.rcu.statistics().queued == 0
