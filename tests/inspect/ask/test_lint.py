"""Each check finds its case, and a sound map has no findings."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from guestmap.base import ConfigError
from guestmap.inspect import RangeInfo, Snapshot, ViewInfo, ViewUser
from guestmap.inspect.ask.findings import Finding, LintOptions
from guestmap.inspect.ask.lint import CHECKS, lint, refuse_unknown
from guestmap.inspect.ask.sarif import sarif
from guestmap.inspect.ask.sentences import lint_sentences
from guestmap.inspect.text.mtree import assemble, read_mtree
from guestmap.inspect.text.rebuild import rebuild
from tests.inspect.snapshots import Builder, of_vector, pc, vectors

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.corpus import Corpus

BLOCK = 128 << 20


def _machine() -> tuple[Builder, int]:
    tree = Builder()
    system = tree.container("system", 0, 1 << 64)
    tree.space("memory", system)
    return tree, system


def _only(tree: Builder, code: str, options: LintOptions | None = None) -> list[Finding]:
    return [each for each in lint(tree.snapshot(), options) if each.code == code]


def test_real_machines_have_no_findings(golden: Corpus) -> None:
    count = 0
    for path, case in vectors(golden):
        assert lint(of_vector(case)) == (), path
        count += 1
    assert count >= 4


DOUBTFUL = re.compile(r".*-isa-|.*-testdev120-|.*-nvdimm-label-")
"""Machines in which something is amiss: ne2000 over applesmc, a hundred test devices over vmport, a
DIMM that is no multiple of 128 MiB."""


@pytest.mark.corpus
@pytest.mark.parametrize(("version", "least"), [("7.2", 200), ("11.1", 100)])
def test_a_stock_pc_of_any_version_has_nothing_to_warn_of(
    version: str, least: int, request: pytest.FixtureRequest
) -> None:
    recorded: Corpus = request.getfixturevalue("corpus" if version == "7.2" else "corpus_11_1")
    count = 0
    for place in ("x86", "machines/x86_64"):
        for path, data in recorded.files("/mtree.txt", below=place):
            case = path.split("/")[-2]
            if not case.startswith(("pc", "q35")) or DOUBTFUL.match(f"{case}-"):
                continue
            found = lint(rebuild(assemble(read_mtree(data.decode()))))
            assert {each.severity for each in found} <= {"info"}, (path, found)
            count += 1
    assert count >= least


def test_a_region_that_nobody_sees() -> None:
    tree, system = _machine()
    tree.region("uart", 0x1000, 0x10, into=system)
    tree.region("timer", 0x1000, 0x100, into=system, priority=1)
    (found,) = _only(tree, "hidden-region")
    assert (found.space, found.start, found.end) == ("memory", 0x1000, 0x1010)
    assert [region.name for region in found.regions] == ["uart", "timer"]
    assert found.severity == "warning"
    tree.change(found.regions[0].id, enabled=False)
    assert _only(tree, "hidden-region") == []


@pytest.mark.parametrize(("window", "code"), [
    ("pam-rom", "pam-shadowed"), ("kvmvapic-rom", "pam-shadowed"), ("hole", "hidden-region"),
])  # fmt: skip
def test_a_rom_behind_shadow_ram_is_as_it_should_be(window: str, code: str) -> None:
    tree, system = _machine()
    tree.region("pc.rom", 0xC0000, 0x8000, into=system, type="rom")
    ram = tree.region("pc.ram", 0, 0x100000, type="ram")
    tree.alias("pam-ram", 0xC0000, 0x4000, ram, 0xC0000, into=system, priority=1)
    tree.alias(window, 0xC4000, 0x4000, ram, 0xC4000, into=system, priority=1)
    (found,) = (each for each in lint(tree.snapshot()) if each.regions[0].name == "pc.rom")
    assert found.code == code
    assert found.severity == ("info" if code == "pam-shadowed" else "warning")


def test_a_device_behind_shadow_ram_is_hidden() -> None:
    tree, system = _machine()
    tree.region("vga", 0xC0000, 0x4000, into=system)
    ram = tree.region("pc.ram", 0, 0x100000, type="ram")
    tree.alias("pam-ram", 0xC0000, 0x4000, ram, 0xC0000, into=system, priority=1)
    assert _only(tree, "hidden-region")
    ignored = frozenset({"hidden-region", "ram-over-device"})
    assert not lint(tree.snapshot(), LintOptions(ignore=ignored))


@pytest.mark.parametrize(("memory", "code"), [
    ("vga.vram", "display-linear"), ("mem", "ram-over-device"),
])  # fmt: skip
@pytest.mark.parametrize("window", ["vga-lowmem", "cirrus-low-memory", "cirrus-linear-io"])
def test_a_display_that_shows_its_memory_itself_is_as_it_should_be(
    window: str, memory: str, code: str
) -> None:
    """QEMU's hw/display/vga.c: chain-4 puts an alias of the memory over the window at A0000."""
    tree, system = _machine()
    tree.region(window, 0xA0000, 0x10000, into=system, priority=1)
    vram = tree.region(memory, 0xE0000000, 0x1000000, into=system, priority=1, type="ram")
    tree.alias("vga.chain4", 0xA0000, 0x10000, vram, 0, into=system, priority=2)
    found = lint(tree.snapshot())
    assert code in {each.code for each in found}
    assert ({each.severity for each in found} == {"info"}) == (memory == "vga.vram")


def test_findings_in_sarif() -> None:
    """SARIF 2.1.0, sections 3.13 (log), 3.14 (run), 3.27 (result), 3.28 (location)."""
    tree, system = _machine()
    tree.region("uart", 0x1000, 0x10, into=system)
    tree.region("timer", 0x1000, 0x100, into=system, priority=1)
    log = json.loads(json.dumps(sarif({"unix:/nowhere": lint(tree.snapshot()), __file__: ()})))
    (run,) = log["runs"]
    (result,) = run["results"]
    rules = run["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0"
    assert (result["ruleId"], result["level"]) == ("hidden-region", "warning")
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert {each["defaultConfiguration"]["level"] for each in rules} == {"error", "warning", "note"}
    (place,) = result["locations"]
    assert [each["name"] for each in place["logicalLocations"]] == ["unix:/nowhere", "uart"]
    assert "physicalLocation" not in place
    assert "uart is enabled" in result["message"]["text"]


def test_a_finding_in_a_file_names_the_file_as_a_uri(tmp_path: Path) -> None:
    path = tmp_path / "a map.json"
    path.write_text("")
    tree, system = _machine()
    tree.region("uart", 0x1000, 0x10, into=system)
    tree.region("timer", 0x1000, 0x100, into=system, priority=1)
    (result,) = sarif({str(path): lint(tree.snapshot())})["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == path.as_uri()
    assert " " not in uri


def test_a_region_that_another_space_sees_is_not_hidden() -> None:
    tree, system = _machine()
    uart = tree.region("uart", 0x1000, 0x10, into=system)
    tree.region("timer", 0x1000, 0x100, into=system, priority=1)
    other = tree.container("other", 0, 0x1000)
    tree.alias("window", 0, 0x10, uart, into=other)
    tree.space("dma", other)
    assert _only(tree, "hidden-region") == []


def test_memory_that_hides_registers() -> None:
    tree, system = _machine()
    tree.region("ram", 0, 0x10000, into=system, type="ram")
    tree.region("bar", 0xF000, 0x2000, into=system, priority=-1)
    (found,) = _only(tree, "ram-over-device")
    assert (found.start, found.end) == (0xF000, 0x10000)
    assert [region.name for region in found.regions] == ["bar", "ram"]
    tree.change(found.regions[0].id, addr=0x8000)
    (found,) = _only(tree, "ram-over-device")
    assert (found.start, found.end) == (0x8000, 0xA000)


def test_a_device_below_its_own_memory_is_no_finding() -> None:
    tree, system = _machine()
    card = tree.region("card", 0, 0x1000, into=system)
    tree.region("buffer", 0x100, 0x100, into=card, type="ram")
    assert _only(tree, "ram-over-device") == []


def test_display_memory_behind_system_management_memory_is_no_finding() -> None:
    tree = pc()
    ram = next(r.id for r in tree.regions if r.name == "pc.ram")
    smm = tree.container("memory", 0, 1 << 64)
    system = next(r.id for r in tree.regions if r.name == "system")
    tree.alias("memory", 0, 1 << 64, system, into=smm)
    tree.alias("smram", 0xA0000, 0x20000, ram, 0xA0000, into=smm, priority=1)
    tree.space("cpu-smm-0", smm)
    assert _only(tree, "ram-over-device") == []
    tree.change(next(r.id for r in tree.regions if r.name == "smram-region"), enabled=False)
    assert [f.regions[0].name for f in _only(tree, "ram-over-device")] == ["vga-lowmem"]


def test_siblings_of_which_the_newer_answers() -> None:
    tree, system = _machine()
    tree.region("old", 0x1000, 0x1000, into=system)
    tree.region("new", 0x1800, 0x1000, into=system)
    (found,) = _only(tree, "equal-priority")
    assert (found.start, found.end) == (0x1800, 0x2000)
    assert "new answers because it was added later" in found.message
    tree.change(found.regions[0].id, addr=0x800)
    assert _only(tree, "equal-priority") == []


def test_two_aliases_that_show_the_same_are_no_finding() -> None:
    tree, system = _machine()
    ram = tree.region("ram", 0, 0x10000, type="ram")
    tree.alias("one", 0, 0x8000, ram, into=system)
    tree.alias("two", 0x4000, 0x8000, ram, 0x4000, into=system)
    assert _only(tree, "equal-priority") == []
    tree.alias("three", 0x4000, 0x1000, ram, 0x5000, into=system)
    assert len(_only(tree, "equal-priority")) == 2


def test_what_reaches_too_far() -> None:
    tree, system = _machine()
    ram = tree.region("ram", 0, 0x1000, type="ram")
    tree.alias("long", 0, 0x3000, ram, 0x800, into=system)
    (found,) = _only(tree, "beyond-target")
    assert (found.start, found.end) == (0x800, 0x3000)
    assert "from 0x800 on for 12 KiB, and that has 4 KiB" in found.message
    box = tree.container("box", 0x10000, 0x100, into=system)
    tree.region("wide", 0xF0, 0x20, into=box)
    (found,) = _only(tree, "beyond-container")
    assert (found.start, found.end) == (0x100, 0x110)
    assert [region.name for region in found.regions] == ["wide", "box"]


@pytest.mark.parametrize(("size", "found"), [(0x800, []), (0x900, [(0x800, 0x900)])])
def test_an_alias_reaches_too_far_from_where_it_begins(
    size: int, found: list[tuple[int, int]]
) -> None:
    tree, system = _machine()
    ram = tree.region("ram", 0, 0x1000, type="ram")
    tree.alias("window", 0, size, ram, 0x800, into=system)
    assert [(each.start, each.end) for each in _only(tree, "beyond-target")] == found


def test_what_is_disabled_reaches_nowhere() -> None:
    tree, system = _machine()
    box = tree.container("box", 0x10000, 0x100, into=system)
    tree.region("wide", 0xF0, 0x20, into=box, enabled=False)
    tree.region("just", 0xF0, 0x10, into=box)
    assert _only(tree, "beyond-container") == []


def test_neighbours_do_not_overlap() -> None:
    tree, system = _machine()
    tree.region("one", 0x1000, 0x1000, into=system)
    tree.region("two", 0x2000, 0x1000, into=system)
    assert _only(tree, "equal-priority") == []
    tree.region("three", 0x2FFF, 0x1000, into=system)
    (found,) = _only(tree, "equal-priority")
    assert (found.start, found.end) == (0x2FFF, 0x3000)


def test_a_readonly_alias_does_not_show_what_a_writable_one_does() -> None:
    tree, system = _machine()
    ram = tree.region("ram", 0, 0x10000, type="ram")
    tree.alias("one", 0, 0x8000, ram, into=system)
    tree.alias("two", 0, 0x8000, ram, into=system, readonly=True)
    assert len(_only(tree, "equal-priority")) == 1


@pytest.mark.parametrize(
    ("start", "size", "message"),
    [
        (0x1000, 0x1800, "fill pages of 4 KiB: KVM maps 4 KiB of 6 KiB"),
        (0x1200, 0x400, "KVM maps none of it"),
        (0x1000, 0x1000, ""),
    ],
)
def test_memory_in_parts_of_pages(start: int, size: int, message: str) -> None:
    tree, system = _machine()
    tree.region("sram", start, size, into=system, type="ram")
    found = _only(tree, "partial-page")
    assert [each.message.endswith(message) for each in found] == ([True] if message else [])


def _torn(pieces: int) -> Builder:
    tree, system = _machine()
    tree.region("ram", 0, pieces * 0x2000 - 0x1000, into=system, type="ram")
    for number in range(pieces - 1):
        at = number * 0x2000 + 0x1000
        tree.region(f"uart{number}", at, 0x1000, into=system, priority=1)
    return tree


def test_memory_that_is_torn() -> None:
    assert _only(_torn(8), "torn-block") == []
    (found,) = _only(_torn(9), "torn-block")
    assert "torn into 9 pieces" in found.message


def test_slot_budgets() -> None:
    tree = _torn(9)
    assert _only(tree, "kvm-slots", LintOptions(kvm_slots=9)) == []
    (found,) = _only(tree, "kvm-slots", LintOptions(kvm_slots=8))
    assert found.severity == "error"
    assert found.message == "memory needs 9 KVM slots, and there are 8"
    assert _only(tree, "vhost-slots") == []
    assert len(_only(tree, "vhost-slots", LintOptions(vhost_slots=8))) == 1


@pytest.mark.parametrize(
    ("code", "start", "end", "names"),
    [
        ("torn-block", 0, 0x11000, ["ram"]),
        ("kvm-slots", 0, 0x30FFF, []),
        ("vhost-slots", 0, 0x11000, []),  # they take no ROM
        ("partial-page", 0x2F000, 0x30FFF, ["rom"]),
        ("beyond-phys-bits", 0x2F000, 0x30FFF, ["rom"]),
    ],
)
def test_a_finding_about_memory_says_where(
    code: str, start: int, end: int, names: list[str]
) -> None:
    tree = _torn(9)
    tree.region("rom", 0x2F000, 0x1FFF, into=0, type="rom", readonly=True)
    (found,) = _only(tree, code, LintOptions(kvm_slots=9, vhost_slots=8, phys_bits=17))
    assert (found.space, found.start, found.end) == ("memory", start, end)
    assert [each.name for each in found.regions] == names


def test_vhost_joins_neighbours_of_one_block_and_takes_no_rom() -> None:
    tree, system = _machine()
    ram = tree.region("ram", 0, 0x10000, type="ram")
    tree.alias("low", 0, 0x8000, ram, into=system)
    tree.alias("high", 0x8000, 0x8000, ram, 0x8000, into=system, nonvolatile=True)
    tree.region("rom", 0x20000, 0x1000, into=system, type="rom", readonly=True)
    assert len(_only(tree, "kvm-slots", LintOptions(kvm_slots=2))) == 1
    assert _only(tree, "vhost-slots", LintOptions(vhost_slots=1)) == []


def test_vhost_does_not_join_what_is_apart_in_its_block() -> None:
    tree, system = _machine()
    ram = tree.region("ram", 0, 0x20000, type="ram")
    tree.alias("low", 0, 0x8000, ram, into=system)
    tree.alias("high", 0x8000, 0x8000, ram, 0x10000, into=system)
    assert len(_only(tree, "vhost-slots", LintOptions(vhost_slots=1))) == 1


def _plugged(addr: int, size: int) -> Builder:
    tree, system = _machine()
    space = tree.container("device-memory", 1 << 32, 1 << 40, into=system)
    tree.region("m0", addr, size, into=space, type="ram")
    return tree


def test_a_dimm_beside_the_guests_memory_blocks() -> None:
    assert _only(_plugged(BLOCK, 2 * BLOCK), "unaligned-device") == []
    for addr, size in ((0x20_0000, BLOCK), (0, BLOCK + 0x20_0000)):
        (found,) = _only(_plugged(addr, size), "unaligned-device")
        assert (found.start, found.end) == ((1 << 32) + addr, (1 << 32) + addr + size)
        assert "128 MiB" in found.message


def test_what_the_cpu_cannot_address() -> None:
    tree = _plugged(0, BLOCK)
    end = (1 << 32) + BLOCK
    assert _only(tree, "beyond-phys-bits") == []
    assert _only(tree, "beyond-phys-bits", LintOptions(phys_bits=33)) == []
    (found,) = _only(tree, "beyond-phys-bits", LintOptions(phys_bits=32))
    assert (found.start, found.end) == (1 << 32, end)
    assert _only(_plugged(0, 1 << 32), "beyond-phys-bits", LintOptions(phys_bits=33)) == []


def test_a_flat_view_alone_is_checked_for_slots() -> None:
    ranges = tuple(RangeInfo(at, 0x1000, 0, "ram", "ram", at) for at in range(0, 0x20000, 0x2000))
    view = ViewInfo((ViewUser("memory", "system"),), "system", ranges)
    codes = [each.code for each in lint(Snapshot(views=(view,)), LintOptions(kvm_slots=8))]
    assert codes == ["torn-block", "kvm-slots"]


def test_views_without_a_heading_are_checked_and_copies_once() -> None:
    one, other = (
        ViewInfo((), None, (RangeInfo(at, 0x1010, 0, "ram", "ram", 0),)) for at in (0, 0x8000)
    )
    copies = lint(Snapshot(views=(one, one)))
    assert [(each.code, each.space, each.start) for each in copies] == [("partial-page", "view", 0)]
    both = lint(Snapshot(views=(one, other)))
    assert [(each.space, each.start) for each in both] == [("view", 0), ("view#2", 0x8000)]
    named = ViewInfo((ViewUser("memory", "system"),), "system", other.ranges)
    assert [each.space for each in lint(Snapshot(views=(one, named)))] == ["memory"]


def test_codes_that_no_check_has_are_refused_by_name() -> None:
    refuse_unknown([])
    refuse_unknown(check.code for check in CHECKS)
    with pytest.raises(
        ConfigError, match=r"no check is called 'a', 'b'; there are: .*, torn-block"
    ):
        refuse_unknown(["b", "torn-block", "a"])


def test_findings_have_a_remedy_and_are_json() -> None:
    assert len({check.code for check in CHECKS}) == len(CHECKS)
    findings = lint(_torn(9).snapshot())
    assert json.loads(json.dumps([each.to_json() for each in findings]))[0]["code"] == "torn-block"
    lines = lint_sentences(findings)
    assert lines[0].startswith("info: torn-block: memory 0-")
    assert lines[1].startswith("  remedy: ")
    assert lint_sentences(()) == ["No findings."]


def test_what_is_hidden_is_told_once_and_names_three_that_hide_it() -> None:
    tree, system = _machine()
    tree.region("uart", 0x1000, 0x40, into=system)
    for number in range(4):
        tree.region(f"t{number}", 0x1000 + number * 0x10, 0x10, into=system, priority=1)
    other = tree.container("other", 0, 0x10000)
    tree.alias("all", 0, 0x10000, system, into=other)
    tree.space("dma", other)
    (found,) = _only(tree, "hidden-region")
    assert "behind t0, t1, t2, t3" in found.message
    assert [region.name for region in found.regions] == ["uart", "t0", "t1", "t2"]


def test_only_what_no_way_shows_of_registers_is_hidden_by_memory() -> None:
    tree, system = _machine()
    tree.region("ram", 0, 0x10000, into=system, type="ram")
    bar = tree.region("bar", 0x8000, 0x1000, into=system, priority=-1)
    tree.alias("window", 0x8400, 0x400, bar, 0x400, into=system, priority=1)
    found = _only(tree, "ram-over-device")
    assert [(each.start, each.end) for each in found] == [(0x8000, 0x8400), (0x8800, 0x9000)]


def test_of_two_that_overlap_the_newer_may_be_the_lower_one() -> None:
    tree, system = _machine()
    tree.region("old", 0x1800, 0x400, into=system)
    tree.region("new", 0x1000, 0x2000, into=system)
    tree.region("off", 0x1000, 0x2000, into=system, enabled=False)
    tree.region("first", 0x1000, 0x2000, into=system, priority=1)
    (found,) = _only(tree, "equal-priority")
    assert (found.start, found.end) == (0x1800, 0x1C00)
    assert "new and old overlap in system with priority 0 each: new answers" in found.message
    assert [region.name for region in found.regions] == ["old", "new", "system"]


def test_what_lies_behind_the_end_reaches_too_far_with_all_of_it() -> None:
    tree, system = _machine()
    ram = tree.region("ram", 0, 0x1000, type="ram")
    tree.alias("off", 0x8000, 0x2000, ram, into=system, enabled=False)
    tree.alias("behind", 0, 0x100, ram, 0x2000, into=system)
    (found,) = _only(tree, "beyond-target")
    assert (found.start, found.end) == (0, 0x100)
    box = tree.container("box", 0x10000, 0x100, into=system)
    tree.region("lost", 0x180, 0x20, into=box)
    (found,) = _only(tree, "beyond-container")
    assert (found.start, found.end) == (0x180, 0x1A0)
