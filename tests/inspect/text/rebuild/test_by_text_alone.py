"""What is concluded from a tree's text, where no flat view is at hand."""

from __future__ import annotations

import re

import pytest

from guestmap.inspect.ask.explain import explain
from guestmap.inspect.text.mtree import assemble, read_mtree
from guestmap.inspect.text.rebuild import rebuild
from guestmap.inspect.text.rebuild.rules import ANSWERING, EMPTY
from tests.inspect.text.rebuild.texts import (
    ALL,
    alias,
    from_texts,
    line,
    named,
    section,
    shows,
    shows_sized,
    sureness,
    tree,
)


def test_a_leaf_answers_and_what_holds_others_does_not() -> None:
    text = tree(line(2, 0x1000, 0x1000, "box"), line(3, 0x1800, 0x100, "uart"))
    snapshot = from_texts(text)
    assert shows(snapshot) == [(0x1800, "uart")]
    assert sureness(snapshot, "box", "terminates") == "guess"


@pytest.mark.parametrize(("inside", "is_doubted"), [(False, True), (True, False)])
def test_that_an_empty_container_answers_is_told_as_a_conclusion(
    inside: bool, is_doubted: bool
) -> None:
    """QEMU 11.1 prints ``container`` of what lies in no region, whether or not it answers."""
    space = line(1, 0, 0x1000, "thing-space", type="container")
    if inside:
        space += line(2, 0, 0x1000, "uart")
    snapshot = from_texts(f"address-space: thing\n{space}\n")
    notes = explain(snapshot, 0x10, "thing").notes
    assert [note.partition(" was ")[0] for note in notes] == (
        ["that thing-space answers itself"] if is_doubted else []
    )


@pytest.mark.parametrize("name", ["expansion bus", "pcie-ecam", "vram"])
def test_what_is_called_a_container_inside_another_is_a_conclusion_too(name: str) -> None:
    inside = line(2, 0x1000, 0x1000, name, type="container")
    text = tree(inside, line(2, 0x3000, 0x100, "uart")).replace(
        "i/o): system", "container): system"
    )
    snapshot = from_texts(text)
    assert shows(snapshot) == [(0x1000, name), (0x3000, "uart")]
    (note,) = explain(snapshot, 0x1000).notes
    assert note.startswith(f"that {name} answers itself was concluded")
    assert explain(snapshot, 0x3000).notes == ()


AROUND = [
    "io", "rtc", "vga.mmio", "bochs-display-mmio", "gpex_ioport_window", "gpex_mmio_window",
    "pci-isa-mmio", "unin-pci-isa-mmio", "sabre-config", "iocsr", "xtfpga.io", "via-pm",
    "aspeed.i2c", "aspeed.sdhci", "aspeed.smc.flash", "megasas-mmio", "vtd-02.0-dmar",
    "vtd-1f.2-dmar", "intel_iommu_dmar", "ahci", "astro", "elroy3", "dino", "gt64120-isd",
    "articia", "cfam", "pcie.2.mmio_window", "xlnx.versal-canfd",
]  # fmt: skip


@pytest.mark.parametrize("name", AROUND)
def test_some_answer_in_the_holes_between_what_they_hold(name: str) -> None:
    text = tree(line(2, 0x1000, 0x1000, name), line(3, 0x1800, 0x100, "uart"))
    snapshot = from_texts(text)
    assert shows(snapshot) == [(0x1000, name), (0x1800, "uart"), (0x1900, name)]
    assert sureness(snapshot, name, "terminates") == "rule"


HOLLOW = [
    "bus master container", "system", "pci_bridge_io", "pci_bridge_pci", "platform bus",
    "device-memory", "e1000e-flash", "igb-flash", "smram", "pci.mem", "pci bus memory", "pci1-io",
    "pcie-mmio", "gpex_mmio", "bcm2838_pcie_ioport", "bcm2838-peripherals", "virtio-gpu-hostmem",
    "virtio-mem", "cxl_host_reg", "pci-testdev-membar", "tce-root-80000000", "isa-mem", "isa-fw",
    "xive-vc-ipi", "xive-vc-end",
]  # fmt: skip


@pytest.mark.parametrize("name", HOLLOW)
def test_some_leaves_hold_nothing_yet(name: str) -> None:
    assert shows(from_texts(tree(line(2, 0x1000, 0x1000, name)))) == []


@pytest.mark.parametrize(
    "name",
    [
        "pci-conf-idx",
        "pciio",
        "pci-testdev-mmio",
        "portio",
        "igb-mmio",
        "virtio-pci-isr-virtio-mem",
        "tz-ppc-port[mps2-tz-eth-usb-container]",
        "cxl_host_regs",
    ],
)
def test_names_that_only_look_like_those(name: str) -> None:
    assert shows(from_texts(tree(line(2, 0x1000, 0x1000, name)))) == [(0x1000, name)]


def test_each_rule_about_names_has_its_row() -> None:
    """The first rule that meets a name counts."""
    for rules, names in (
        (ANSWERING, [*AROUND, "pci0-io"]),
        (EMPTY, [*HOLLOW, "tz-ppc-port[uart-container]", "tz-msc-downstream"]),
    ):
        met = [next(rule for rule in rules if re.fullmatch(rule.name, name)) for name in names]
        assert [rule.name for rule in rules if rule not in met] == []


@pytest.mark.parametrize("name", ["tz-ppc-port[uart-container]", "tz-msc-downstream"])
def test_some_leaves_answer_though_named_for_what_does_not(name: str) -> None:
    snapshot = from_texts(tree(line(2, 0x1000, 0x1000, name)))
    assert shows(snapshot) == [(0x1000, name)]
    assert sureness(snapshot, name, "terminates") == "rule"


@pytest.mark.parametrize(("size", "answers"), [(32 << 20, True), (16 << 20, False)])
def test_some_rules_hold_for_one_size(size: int, answers: bool) -> None:
    ports = tree(line(2, 0, size, "pci0-io"), line(3, 0x100, 8, "uart"))
    assert ((0, "pci0-io") in shows(from_texts(ports))) is answers


def test_what_stands_for_a_missing_device_answers_whatever_its_name() -> None:
    text = tree(line(2, 0x1000, 0x1000, "pci.mem", priority=-1000))
    assert shows(from_texts(text)) == [(0x1000, "pci.mem")]


def test_a_leaf_that_fills_everything_is_an_iommu_or_holds_nothing() -> None:
    both = tree(line(2, 0, ALL, "dev-root"))
    assert shows(from_texts(both)) == []
    assert shows(from_texts(both.replace("dev-root", "apb-iommu"))) == [(0, "apb-iommu")]


def test_an_iommu_with_a_window_of_interrupts_answers_everywhere_else() -> None:
    """Its root, of the same make, holds it and others, and does not answer."""
    window = alias(3, 0xFEE00000, 0x100000, "ir", "ir", priority=1)
    text = (
        tree(line(2, 0, ALL, "x-iommu-region"), window, root="x-iommu")
        + section("ir", line(1, 0, 0x100000, "ir"))
    )  # fmt: skip
    assert shows(from_texts(text)) == [
        (0, "x-iommu-region"), (0xFEE00000, "ir"), (0xFEF00000, "x-iommu-region"),
    ]  # fmt: skip
    root = named(from_texts(text), "x-iommu")
    assert not root.terminates


FLASH = tree(alias(2, 0xE0000, 0x20000, "isa-bios", "flash", 0x20000, type="romd")) + section(
    "flash", line(1, 0, 0x40000, "flash", type="romd")
)


@pytest.mark.parametrize(
    ("version", "readonly"),
    [("9.1.0", True), ("11.1.3", True), ("", True), ("7.2.22", False), ("9.0.2", False)],
)
def test_rules_hold_for_the_versions_that_they_name(version: str, readonly: bool) -> None:
    """The end of the flash is read-only for machines since 9.1."""
    snapshot = rebuild(assemble(read_mtree(FLASH), version=version))
    assert named(snapshot, "isa-bios").readonly is readonly
    assert not named(
        rebuild(assemble(read_mtree(FLASH.replace("romd", "ram")))), "isa-bios"
    ).readonly


def test_every_rule_speaks_of_some_version() -> None:
    for rule in (*ANSWERING, *EMPTY):
        assert rule.since <= rule.until
        assert rule.holds_for((rule.since, rule.since))
        assert not rule.holds_for(((0, 0), (rule.since[0] - 1, 99)))


def test_pam_rom_is_read_only_and_other_aliases_are_not() -> None:
    text = tree(
        alias(2, 0, 0x1000, "pam-rom", "ram", type="ram", priority=1),
        alias(2, 0x1000, 0x1000, "pam-ram", "ram", 0x1000, type="ram", priority=1),
    ) + section("ram", line(1, 0, 0x10000, "ram", type="ram"))
    snapshot = from_texts(text)
    assert named(snapshot, "pam-rom").readonly
    assert not named(snapshot, "pam-ram").readonly
    assert sureness(snapshot, "pam-rom", "readonly") == "rule"
    assert sureness(snapshot, "pam-ram", "readonly") == "guess"


def test_what_lies_within_another_is_the_newer() -> None:
    text = tree(line(2, 0x1000, 0x4000, "big"), line(2, 0x2000, 0x1000, "small"))
    snapshot = from_texts(text)
    assert shows(snapshot) == [(0x1000, "big"), (0x2000, "small"), (0x3000, "big")]
    assert sureness(snapshot, "system", "children") == "guess"


def _owned(name: str, path: str) -> str:
    return f"{name} owner:{{dev path=/machine/{path}}}"


def test_devices_are_numbered_as_they_are_made() -> None:
    text = tree(
        line(2, 0x300, 0x20, _owned("ne2000", "peripheral-anon/device[4]")),
        line(2, 0x304, 4, _owned("applesmc", "peripheral-anon/device[1]")),
    )
    assert shows(from_texts(text)) == [(0x300, "ne2000")]
    text = text.replace("peripheral-anon/device[4]", "unattached/device[40]")
    assert (0x304, "applesmc") in shows(from_texts(text))  # the command line's come later


def test_devices_of_devices_are_numbered_too() -> None:
    """The owner of a list of ports is told by its parent."""
    ports = "dma owner:{{obj type=memory-region-portio-list}} parent:{{dev path=/machine/{}}}"
    for path in ("unattached/device[7]/dma", "soc/fsi"):
        text = tree(
            line(2, 0x487, 3, ports.format(f"{path}[0]")),
            line(2, 0x489, 3, ports.format(f"{path}[1]")),
        )
        assert shows_sized(from_texts(text)) == [(0x487, 2, "dma"), (0x489, 3, "dma")]
        swapped = text.replace("[0]", "[2]")
        assert shows_sized(from_texts(swapped)) == [(0x487, 3, "dma"), (0x48A, 2, "dma")]


def test_of_the_repeats_of_a_region_the_higher_is_the_newer() -> None:
    repeats = [alias(2, at, 0x2000, "again", "ram", type="ram") for at in (0, 0x1000, 0x2000)]
    text = tree(*repeats) + section("ram", line(1, 0, 0x4000, "ram", type="ram"))
    assert shows_sized(from_texts(text)) == [
        (0, 0x1000, "ram"), (0x1000, 0x1000, "ram"), (0x2000, 0x2000, "ram")
    ]  # fmt: skip


def test_a_bar_is_mapped_after_what_the_board_mapped() -> None:
    board = "isa-bios parent:{obj path=/machine/unattached}"
    text = tree(
        line(2, 0xC0000, 0x30000, _owned("nic.rom", "peripheral-anon/device[0]"), priority=1),
        line(2, 0xE0000, 0x8000, board, priority=1),
    )
    assert shows(from_texts(text)) == [(0xC0000, "nic.rom")]


def test_equal_addresses_are_in_list_order() -> None:
    text = tree(line(2, 0, 0x1000, "first"), line(2, 0, 0x1000, "second"))
    snapshot = from_texts(text)
    assert shows(snapshot) == [(0, "first")]
    assert sureness(snapshot, "system", "children") == "proven"


def test_equal_addresses_are_in_list_order_where_another_overlaps_both() -> None:
    text = tree(line(2, 0, 0x1000, "first"), line(2, 0, 0x1000, "second"),
                line(2, 0x800, 0x1000, "third"))  # fmt: skip
    assert shows(from_texts(text)) == [(0, "first"), (0x1000, "third")]


def test_a_memory_window_of_one_byte_is_empty() -> None:
    text = tree(
        alias(2, 0, 1, "window", "bus"), line(2, 0, 0x1000, "below", priority=-1)
    ) + section("bus", line(1, 0, ALL, "bus"), line(2, 0, 0x1000, "device"))
    snapshot = from_texts(text)
    assert shows(snapshot) == [(0, "below")]
    assert named(snapshot, "window").size == 0


def test_a_port_of_one_byte_is_not() -> None:
    assert shows(from_texts(tree(line(2, 0x80, 1, "port80")))) == [(0x80, "port80")]


WINDOWS = tree(
    alias(2, 0x1000, 0x1000, "window", "bus", 0x1000),
    alias(2, 0x4000, 0x1000, "window", "bus", 0x4000),
    alias(2, 0x6000, 0x1000, "window", "bus", 0x6000),
)
BUSES = "".join(
    section("bus", line(1, 0, ALL, "bus"), line(2, at, 0x100, f"device{at:x}"))
    for at in (0x1000, 0x4000)
)


def test_of_equal_names_an_alias_means_what_it_has_something_to_show_of() -> None:
    text = WINDOWS + BUSES.replace("\n\n", "\n    0000000000006000-00000000000060ff"
                                   " (prio 0, i/o): other\n\n", 1)  # fmt: skip
    assert shows(from_texts(text)) == [
        (0x1000, "device1000"), (0x4000, "device4000"), (0x6000, "other")
    ]  # fmt: skip


def test_a_section_may_print_a_region_of_another_section_again() -> None:
    snapshot = from_texts(
        tree(alias(2, 0, 0x1000, "all", "outer"), alias(2, 0x1000, 0x100, "part", "inner"))
        + section("outer", line(1, 0, 0x1000, "outer"), line(2, 0x100, 0x100, "inner"))
        + section("inner", line(1, 0x100, 0x100, "inner"))
    )
    assert named(snapshot, "inner").id == named(snapshot, "part").alias
    assert named(snapshot, "outer").children == (named(snapshot, "inner").id,)


def test_of_equal_names_an_alias_means_none_that_holds_it() -> None:
    snapshot = from_texts(
        tree(alias(2, 0, 0x1000, "outside", "box"), alias(2, 0x1000, 0x1000, "beside", "box"))
        + section(
            "box", line(1, 0, 0x1000, "box"), line(2, 0x10, 0x10, "leaf"),
            line(2, 0x800, 0x100, "part"), alias(3, 0x800, 0x100, "within", "box"),
        )
        + section("box", line(1, 0, 0x1000, "box"))
    )  # fmt: skip
    holder, other = (each.id for each in snapshot.regions if each.name == "box")
    assert named(snapshot, "outside").alias == named(snapshot, "beside").alias == holder
    assert named(snapshot, "within").alias == other


def test_of_equal_names_an_alias_means_its_owners() -> None:
    def owned(text: str, ids: str) -> str:
        for owner in ids:
            text = text.replace("o): bus\n", f"o): bus owner:{{dev id={owner}}}\n", 1)
        return text

    aliases = WINDOWS.splitlines(keepends=True)
    for index, owner in zip((2, 3, 4), "abb", strict=True):
        aliases[index] = aliases[index].replace("\n", f" owner:{{dev id={owner}}}\n")
    snapshot = from_texts("".join(aliases) + owned(BUSES, "ab"))
    meant = [r.alias for r in snapshot.regions if r.name == "window"]
    owners = [snapshot.regions[target].owner for target in meant if target is not None]
    assert owners == ["owner:{dev id=a}", "owner:{dev id=b}", "owner:{dev id=b}"]
