"""From what a user names to a snapshot."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import sys
import threading
import zlib
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import ConfigError, GuestmapError, HostError, PeerError
from guestmap.inspect import Snapshot
from guestmap.inspect.ask.spaces import view_of
from guestmap.inspect.map.views import flat
from guestmap.inspect.sources.content import read_bounded, snapshot_of_bytes
from guestmap.inspect.sources.open import load_snapshot
from guestmap.inspect.text.mtree import assemble, read_mtree, write_flat, write_mtree
from guestmap.memory import MemorySystem

TREE = (
    "address-space: memory\n"
    "  0000000000000000-00000000ffffffff (prio 0, i/o): system\n"
    "    0000000000000000-0000000007ffffff (prio 0, ram): pc.ram\n"
    "    00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic\n\n"
)
VIEWS = (
    'FlatView #0\n AS "memory", root: system\n Root memory region: system\n'
    "  0000000000000000-0000000007ffffff (prio 0, ram): pc.ram\n"
    "  00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic\n\n"
)
RAM = (
    "              Block Name    PSize              Offset               Used              Total\n"
    "                  pc.ram    4 KiB  0x0000000000000000 0x0000000008000000 0x0000000008000000\n"
    "0000:00:02.0/my vga.vram    2 MiB  0x0000000008000000 0x0000000001000000 0x0000000002000000"
    " 0x00007f0000000000 rw\n"
    "                            4 KiB  0x000000000a000000 0x0000000000001000 0x0000000000001000"
    " 0x00007f0000000000  ro\n"
)


def a_snapshot(size: int = 1 << 64, source: str = "guestmap") -> Snapshot:
    memory = MemorySystem()
    memory.address_space("memory", memory.container("system", size))
    return Snapshot.of(memory, source=source)


@pytest.fixture
def file(tmp_path):
    def write(content: str | bytes, name: str = "map") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def names(snapshot: Snapshot) -> list[str]:
    return [region.name for region in snapshot.regions]


@pytest.mark.parametrize("text", [TREE, TREE.replace("\n", "\r\n"), "(qemu) info mtree\r\n" + TREE])
def test_a_file_of_text(file, text):
    path = file(text)
    snapshot = load_snapshot(path)
    assert names(snapshot) == ["system", "pc.ram", "ioapic"]
    assert snapshot.source == path
    assert snapshot.views == ()


@pytest.mark.parametrize("text", [TREE + VIEWS, VIEWS + TREE])
def test_trees_and_views_in_one_file(file, text):
    snapshot = load_snapshot(file(text))
    assert names(snapshot) == ["system", "pc.ram", "ioapic"]
    assert [each.name for each in snapshot.views[0].ranges] == ["pc.ram", "ioapic"]


def test_views_alone(file):
    snapshot = load_snapshot(file(VIEWS))
    assert snapshot.regions == ()
    assert [each.name for each in view_of(snapshot, "memory")] == ["pc.ram", "ioapic"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_that_an_editor_saved(file, encoding):
    assert names(load_snapshot(file(TREE.encode(encoding)))) == ["system", "pc.ram", "ioapic"]


def test_the_time_of_a_log_before_each_line_is_no_json(file):
    lines = [f"[{12 + at / 100:12.6f}] {line}" for at, line in enumerate(TREE.splitlines())]
    said, plain = (load_snapshot(file(each)) for each in ("\n".join(lines), TREE))
    assert (said.regions, said.views) == (plain.regions, plain.views)


def test_a_monitors_answer_as_it_came(file):
    reply = json.dumps({"return": VIEWS.replace("\n", "\r\n"), "id": "libvirt-12"})
    assert len(load_snapshot(file(reply)).views) == 1


def test_a_snapshot_in_json_keeps_its_own_source(file):
    snapshot = a_snapshot(source="unix:/run/vm.sock")
    assert load_snapshot(file(json.dumps(snapshot.to_json(), indent=1))) == snapshot


def test_a_boot_report_has_two_moments(file):
    before, after = a_snapshot(1 << 20), a_snapshot(1 << 21)
    form = {"format": "guestmap.boot", "version": 1, "before": before.to_json()}
    path = file(json.dumps({**form, "after": after.to_json()}))
    assert load_snapshot(path).regions == after.regions
    assert load_snapshot(f"{path}#after").regions == after.regions
    assert load_snapshot(f"{path}#before").regions == before.regions
    assert load_snapshot(f"{path}#before").source == f"{path}#before"


def test_a_file_may_be_named_like_a_moment(file):
    assert names(load_snapshot(file(TREE, "odd#before"))) == ["system", "pc.ram", "ioapic"]


class _Stream(io.BytesIO):
    """Counts what is asked of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x7fELF\2\1\1" + bytes(9), "is binary"),
        (b"text at first\n" * 9000 + b"\0", "is binary"),
        (b'[{"a": 1}, ', "is JSON, but a list"),
        (b'  ["a", ', "is JSON, but a list"),
    ],
)
def test_what_can_be_no_map_is_not_read_to_its_end(content, said):
    stream = _Stream(content + b"x" * 4_000_000)
    with pytest.raises(PeerError, match=said):
        read_bounded(stream, source="core")
    assert stream.taken < 300_000


def test_a_file_larger_than_any_map_is_refused(monkeypatch):
    monkeypatch.setattr("guestmap.inspect.sources.content.LARGEST", 1 << 20)
    stream = _Stream(b"x" * 4_000_000)
    with pytest.raises(PeerError, match="larger than 1 MiB"):
        read_bounded(stream, source="huge")
    assert stream.taken < 1_200_000


def test_a_sparse_file_of_guest_ram_is_refused_at_once(tmp_path):
    path = tmp_path / "ram"
    with path.open("wb") as ram:
        ram.truncate(1 << 40)
    with pytest.raises(PeerError, match="is binary"):
        load_snapshot(str(path))


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TREE.encode())))
    snapshot = load_snapshot("-")
    assert names(snapshot) == ["system", "pc.ram", "ioapic"]
    assert snapshot.source == "standard input"


def test_a_pipe_is_read_like_a_file(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_text(TREE))
    writer.start()
    assert names(load_snapshot(str(path))) == ["system", "pc.ram", "ioapic"]
    writer.join(10)


def test_a_folder_gives_the_most_telling_texts(tmp_path):
    disabled = TREE.replace("ioapic", "ioapic [disabled]")
    for name, text in {
        "mtree.txt": "broken", "mtree-o.txt": "broken", "mtree-o-D.txt": disabled,
        "mtree-f.txt": "broken", "mtree-f-o.txt": VIEWS.replace("pc.ram", "pc.ram orphan"),
        "ramblock.txt": RAM, "info-pci.txt": "whatever", "mtree-x.txt": "not a flag",
        "meta.json": '{"qemu_version": {"qemu": {"micro": 2, "minor": 0, "major": 8}}}',
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    snapshot = load_snapshot(str(tmp_path))
    assert [region.enabled for region in snapshot.regions] == [True, True, False]
    assert snapshot.views[0].ranges[0].owner == "orphan"
    assert snapshot.version == "8.0.2"
    assert snapshot.source == str(tmp_path)
    assert [(b.name, b.offset, b.used_length, b.max_length) for b in snapshot.ram_blocks] == [
        ("pc.ram", 0, 128 << 20, 128 << 20),
        ("0000:00:02.0/my vga.vram", 128 << 20, 16 << 20, 32 << 20),
        ("", 160 << 20, 4096, 4096),
    ]


@pytest.mark.parametrize(("present", "trees", "views"), [("mtree", 3, 0), ("mtree-f", 0, 1)])
def test_a_folder_may_hold_one_of_the_two(tmp_path, present, trees, views):
    (tmp_path / f"{present}.txt").write_text(TREE if present == "mtree" else VIEWS)
    snapshot = load_snapshot(str(tmp_path))
    assert (len(snapshot.regions), len(snapshot.views)) == (trees, views)


def test_a_folder_names_the_file_that_is_malformed(tmp_path):
    (tmp_path / "mtree.txt").write_text("address-space: x\n  what\n")
    with pytest.raises(PeerError, match=r"mtree\.txt.*line 2"):
        load_snapshot(str(tmp_path))


@pytest.mark.parametrize("meta", ["", "{}", "[]", '{"qemu_version": 7}', "7"])
def test_a_folder_without_a_version(tmp_path, meta):
    (tmp_path / "mtree.txt").write_text(TREE)
    (tmp_path / "meta.json").write_text(meta)
    assert load_snapshot(str(tmp_path)).version == ""


def test_an_empty_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"no map in the folder .*mtree\.txt"):
        load_snapshot(str(tmp_path))


@pytest.mark.parametrize("source", ["nosuch.txt", "", "nosuch.json#before", "vm1", "qmp:/x"])
def test_a_name_of_nothing_lists_what_can_be_named(source):
    with pytest.raises(ConfigError) as caught:
        load_snapshot(source) if source else load_snapshot("./nothing/there")
    for words in ("unix:PATH", "tcp:HOST:PORT", "libvirt:NAME", "standard input"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("a\0b", "embedded null byte"),
        ("x" * 5000, os.strerror(errno.ENAMETOOLONG)),
        ("/proc/self/mem", os.strerror(errno.EIO)),
    ],
)
def test_a_name_that_the_host_refuses(source, reason):
    with pytest.raises(HostError, match="cannot read") as caught:
        load_snapshot(source)
    assert f"({reason})" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \r\n", "is empty"),
        (b"\x7fELF\0\0\0", "is binary"),
        (gzip.compress(TREE.encode()) + b"\0", "is binary"),
        (b"hello\n", "line 1"),
        (b"{", "not JSON: "),
        (b"{" * 100_000, "not JSON"),
        (b'{"format": "other"}', "of another kind .format 'other'.: expected 'guestmap.snapshot'"),
        (b'{"return": 7}', "of another kind"),
        (b'{"return": "hello"}', "line 1"),
        (b'{"format": "guestmap.snapshot", "regions": 5}', r"\$\.regions"),
        (b'{"format": "guestmap.boot"}', "Expected `object`, got `null`"),
        (b'{"format": "guestmap.boot", "after": {"regions": [5]}}', r"\$\.regions\[0\]"),
    ],
)
def test_nonsense_is_refused_with_the_files_name_and_the_place(file, content, words):
    path = file(content)
    with pytest.raises(PeerError, match=words) as caught:
        load_snapshot(path)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [TREE, json.dumps(a_snapshot().to_json())])
def test_a_moment_of_what_has_none(file, content):
    with pytest.raises(ConfigError, match="not the output of guestmap boot"):
        load_snapshot(file(content) + "#before")


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_bytes_give_a_snapshot_or_an_error_of_ours(content):
    with suppress(GuestmapError):  # and nothing else
        snapshot_of_bytes(content, source="it").check()


def test_golden_folders_say_what_qemu_said(golden, tmp_path):
    count = 0
    for path, data in golden.files(".json.gz", below="qemu-7.2.22/texts"):
        folder = tmp_path / Path(path).name
        folder.mkdir()
        for flags, text in json.loads(gzip.decompress(data))["texts"].items():
            (folder / f"mtree{flags.replace(' ', '')}.txt").write_text(text, newline="")
        _hold_to_qemus_words(folder)
        count += 1
    assert count >= 5


@pytest.mark.corpus
@pytest.mark.slow
def test_captures_say_what_qemu_said(corpus, tmp_path):
    for part in ("x86", "machines", "hotplug"):
        for path, data in corpus.files(".txt", below=part):
            if Path(path).name.startswith("mtree") and hash_of(Path(path).parent) % 24 == 0:
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).write_bytes(data)
    folders = sorted({path.parent for path in tmp_path.rglob("mtree-f.txt")})
    assert len(folders) > 15
    for folder in folders:
        _hold_to_qemus_words(folder)


def hash_of(path: Path) -> int:
    """Return a number that is the same in every run."""
    return zlib.crc32(str(path).encode())


def _hold_to_qemus_words(folder: Path) -> None:
    """Assert that a folder's snapshot says what its texts do, and that its trees agree with it."""
    snapshot = load_snapshot(str(folder))
    snapshot.check()
    flat_text = _text(folder, "mtree-f-o.txt") or _text(folder, "mtree-f.txt")
    assert write_flat(snapshot, owner=True) == write_flat(
        assemble(read_mtree(flat_text)), owner=True
    )
    assert _blocks(write_mtree(snapshot)) == _blocks(_text(folder, "mtree.txt"))
    if full := _text(folder, "mtree-o-D.txt"):
        assert _blocks(write_mtree(snapshot, owner=True, disabled=True)) == _blocks(full)
    roots = {space.root for space in snapshot.address_spaces if space.name == "memory"}
    if len(roots) == 1:
        said = [(each.start, each.size, each.name) for each in view_of(snapshot, "memory")]
        ours = [(each.start, each.size, each.name) for each in flat(snapshot, roots.pop())]
        assert ours == said


def _text(folder: Path, name: str) -> str:
    path = folder / name
    return path.read_bytes().decode() if path.exists() else ""


def _blocks(text: str) -> list[str]:
    return sorted(text.replace("\r\n", "\n").strip().split("\n\n"))
