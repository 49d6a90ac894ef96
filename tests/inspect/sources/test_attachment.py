"""Reading a map through a monitor: flags an old QEMU lacks, maps that will not hold still."""

from __future__ import annotations

import pytest

from guestmap.base import PeerError, UnsupportedError
from guestmap.inspect.sources.live import Attachment
from guestmap.inspect.sources.live.attachment import ATTEMPTS
from guestmap.qmp.client import Monitor, program
from tests.qmp.client.peer import VERSION, FakeQemu

RAM = "0000000000000000-0000000007ffffff (prio 0, ram): pc.ram"
TREE = f"address-space: memory\r\n  {RAM}\r\n\r\n"
OFF = "0000000000000000-0000000007ffffff (prio 0, ram): pc.ram [disabled]"
TREE_ALL = TREE.replace(RAM, OFF)
VIEWS = (
    f'FlatView #0\r\n AS "memory", root: pc.ram\r\n Root memory region: pc.ram\r\n  {RAM}\r\n\r\n'
)
EMPTY = (
    'FlatView #1\r\n AS "dev", root: bus\r\n Root memory region: (none)\r\n'
    "  No rendered FlatView\r\n\r\n"
)
BLOCKS = (
    f"{'Block Name':>24} {'PSize':>8}  {'Offset':>18} {'Used':>18} {'Total':>18}\r\n"
    f"{'pc.ram':>24} {'4 KiB':>8}  0x{0:016x} 0x{128 << 20:016x} 0x{128 << 20:016x}\r\n"
)
FULL = {
    "info mtree -o -D": TREE_ALL,
    "info mtree -f -o": VIEWS,
    "info ramblock": BLOCKS,
}


def attachment(lines, **kwargs) -> tuple[Attachment, FakeQemu]:
    qemu = FakeQemu(lines, **kwargs)
    return Attachment(Monitor(qemu)), qemu


def test_a_snapshot_has_trees_views_blocks_version_and_source():
    machine, qemu = attachment(FULL)
    with machine:
        snapshot = machine.snapshot()
    assert [(r.name, r.enabled) for r in snapshot.regions] == [("pc.ram", False)]
    assert [space.name for space in snapshot.address_spaces] == ["memory"]
    assert [view.users[0].name for view in snapshot.views] == ["memory"]
    assert [(b.name, b.max_length) for b in snapshot.ram_blocks] == [("pc.ram", 128 << 20)]
    assert (snapshot.version, snapshot.source) == ("7.2.22", "unix:/run/fake.sock")
    assert qemu.closed == 1


@pytest.mark.parametrize(
    ("package", "version", "name"),
    [
        ("", "7.2.22", "QEMU 7.2.22"),
        ("Debian 1:7.2+dfsg-7", "7.2.22", "QEMU 7.2.22"),
        ("guestmap 0.1.0", "guestmap 0.1.0", "guestmap 0.1.0"),
    ],
)
def test_a_machine_of_ours_is_not_called_qemu(package, version, name):
    machine, _ = attachment(FULL, commands={"query-version": {**VERSION, "package": package}})
    assert machine.version == version
    assert program(version) == name
    assert machine.snapshot().version == version


def test_views_alone_are_one_question():
    machine, qemu = attachment(FULL)
    snapshot = machine.snapshot(trees=False)
    assert qemu.asked == ["info mtree -f -o"]
    assert snapshot.regions == ()
    assert snapshot.views == machine.snapshot().views
    old, _ = attachment({"info mtree": TREE})
    assert old.snapshot(trees=False).regions, "without -f the trees must do"


def test_what_worked_is_not_tried_again():
    machine, qemu = attachment({"info mtree -o": TREE, "info mtree -f": VIEWS, "info ramblock": ""})
    machine.snapshot()
    assert "info mtree -o -D" in qemu.asked
    qemu.asked.clear()
    machine.snapshot()
    assert set(qemu.asked) == {"info mtree -o", "info mtree -f", "info ramblock"}


@pytest.mark.parametrize(
    "complaint",
    ['mtree: unsupported option {flag}\r\nTry "help info mtree" for more information\r\n',
     "mtree: extraneous characters at the end of line\r\n",
     "info: unsupported option {flag}\r\n"],
)  # fmt: skip
def test_a_qemu_without_flags_gives_its_trees_alone(complaint):
    machine, _ = attachment({"info mtree": TREE}, complaint=complaint)
    snapshot = machine.snapshot()
    assert [region.name for region in snapshot.regions] == ["pc.ram"]
    assert snapshot.views == ()
    assert snapshot.ram_blocks == ()


def test_dispatch_trees_are_asked_for_on_demand_and_given_up_where_unknown():
    machine, qemu = attachment(FULL)
    assert machine.snapshot(dispatch=True).views
    views = [line for line in qemu.asked if "-f" in line]
    assert list(dict.fromkeys(views)) == [
        "info mtree -f -d -o", "info mtree -f -d", "info mtree -f -o"
    ]  # fmt: skip


def test_trees_that_show_what_the_views_do_are_of_their_moment():
    """The second look at the trees, for a change meanwhile, is for maps that do not agree."""
    machine, qemu = attachment({**FULL, "info mtree -o -D": TREE})
    assert machine.read().steady
    assert sorted(qemu.asked) == ["info mtree -f -o", "info mtree -o -D", "info ramblock"]
    other = TREE.replace("memory", "dev")
    for trees in (TREE + other, other):  # one that no view is paired with, and the only one
        machine, qemu = attachment({**FULL, "info mtree -o -D": [trees, TREE]})
        assert machine.read().texts.trees == TREE.replace("\r\n", "\n")


def test_whether_a_map_is_still_as_it_was_takes_two_questions():
    machine, qemu = attachment(FULL)
    reading = machine.read()
    qemu.asked.clear()
    assert machine.shows(reading)
    assert qemu.asked == ["info mtree -f -o", "info mtree -o -D"]
    for line in ("info mtree -f -o", "info mtree -o -D"):
        qemu.lines[line], before = [FULL[line].replace("pc.ram", "ram")], qemu.lines[line]
        assert not machine.shows(reading)
        qemu.lines[line] = before


def test_a_monitor_without_info_mtree_is_unsupported():
    machine, _ = attachment({}, complaint="unknown command: 'info mtree'\r\n")
    with pytest.raises(UnsupportedError, match="no 'info mtree'"):
        machine.snapshot()


def test_a_map_that_changes_between_two_answers_is_read_again():
    moved = TREE_ALL.replace("7ffffff (", "6ffffff (")
    machine, qemu = attachment({**FULL, "info mtree -o -D": [TREE_ALL, moved]})
    snapshot = machine.snapshot()
    assert snapshot.regions[0].size == 0x7000000
    assert qemu.asked.count("info mtree -f -o") == 2
    assert "changed" not in snapshot.source


def test_the_order_of_views_and_trees_is_no_change():
    one, other = VIEWS + EMPTY, EMPTY.replace("#1", "#0") + VIEWS.replace("#0", "#1")
    tree = TREE_ALL.replace("memory", "dev")
    machine, qemu = attachment({
        **FULL,
        "info mtree -f -o": [one, other],
        "info mtree -o -D": [TREE_ALL + tree, tree + TREE_ALL],
    })  # fmt: skip
    reading = machine.read()
    assert reading.steady
    assert qemu.asked.count("info mtree -f -o") == 1
    again = machine.read()
    assert reading.same_map(again)


def test_a_map_that_never_holds_still_is_given_with_a_word_about_it():
    texts = [TREE_ALL.replace("7ffffff (", f"{n:x}ffffff (") for n in range(ATTEMPTS + 1)]
    machine, _ = attachment({**FULL, "info mtree -o -D": texts})
    snapshot = machine.snapshot()
    assert snapshot.source.endswith("(it changed while it was read)")
    assert snapshot.regions[0].size == (ATTEMPTS << 24) + (1 << 24)


@pytest.mark.parametrize("line", [0, 1])
def test_a_changed_tree_or_view_is_another_map(line):
    machine, qemu = attachment(FULL)
    before = machine.read()
    changed = ["info mtree -o -D", "info mtree -f -o"][line]
    qemu.lines[changed] = [FULL[changed].replace("pc.ram", "ram")]
    assert not before.same_map(machine.read())


@pytest.mark.parametrize(
    ("line", "text", "words"),
    [
        ("info mtree -o -D", "address-space: memory\r\n  what?\r\n", "line 2"),
        ("info mtree -f -o", "FlatView #0\r\n", "line 2"),
        ("info ramblock", "pc.ram 4 KiB what\r\n", "info ramblock text, line 1"),
    ],
)
def test_a_malformed_answer_is_named(line, text, words):
    machine, _ = attachment({**FULL, line: text})
    with pytest.raises(PeerError, match=words):
        machine.snapshot()


@pytest.mark.parametrize(
    ("reply", "words"),
    [({}, "qemu"), ({"qemu": {"major": "7"}}, "major"), (7, "object"), (None, "object")],
)
def test_a_version_of_another_shape_is_the_peers_fault(reply, words):
    machine, _ = attachment(FULL, commands={"query-version": reply})
    with pytest.raises(PeerError, match=f"query-version.*{words}"):
        machine.snapshot()


def test_name_and_status_and_events():
    commands = {"query-name": {}, "query-status": {"status": "paused", "running": False}}
    machine, qemu = attachment(FULL, commands=commands)
    assert machine.monitor.name() == ""
    assert machine.monitor.status() == "paused"
    qemu.commands["query-name"] = {"name": "vm"}
    assert machine.monitor.name() == "vm"
    assert machine.events() == []
