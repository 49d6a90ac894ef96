"""The object tree and the device tree beside QEMU's."""

from __future__ import annotations

import re

import pytest

from guestmap.hw.e1000.device import E1000
from guestmap.monitor.hmp import HumanMonitor
from tests.monitor.hmp.beside import Beside
from tests.support.roms import require_rom

_NOT_OURS = re.compile(
    r" */(?:qtest|qmp) \((?:qtest|chardev-socket)\)"  # how the test speaks to QEMU
    r"| */\\x2from@etc\\x2f\S+ \(memory-region\)"  # tables that are no RAM blocks here
)


def _ours(text: str) -> list[str]:
    return [line for line in text.splitlines() if not _NOT_OURS.fullmatch(line)]


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize(
    "path",
    ["", "/", "/machine", "/objects", "/machine/peripheral", "/machine/i440fx", "machine", "i440fx",
     "/machine/unattached", "pam-pci[0]", "/machine/peripheral/", "/objects/pc.ram", "ioapic",
     '"/machine/peripheral"', "/nope", "nope", "device[0]", "device[3]", '""', "/machine/nope",
     "/machine/peripheral/d0", "/machine/peripheral/br", "d0", "d0/memdev", "/objects/c0"],
)  # fmt: skip
def test_the_object_tree_is_qemus(plain: Beside, full: Beside, path: str) -> None:
    for pair in (plain, full):
        answers = pair.ask(f"info qom-tree {path}")
        assert _ours(answers.ours) == _ours(answers.qemu)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_the_device_tree_is_qemus(plain: Beside, full: Beside) -> None:
    plain.check("info qtree")
    full.check("info qtree")


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_a_display_adapter_is_shown_as_qemus() -> None:
    with Beside("-m", "128M", "-vga", "std") as pair:
        pair.check("info qtree", "info pci")


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_what_kind_a_function_is_is_said_as_by_qemu() -> None:
    require_rom(E1000.ROM_FILE)
    with Beside("-m", "128M", "-machine", "usb=on", "-device", "e1000") as pair:
        pair.check("info qtree", "info pci")


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize(
    "path",
    ["/", "/objects", "/objects/c0", "/machine/peripheral", "/machine/peripheral/d0", "br", "d0",
     "pam-pci[0]", "/machine/i440fx", "/nope", "nope", "device[0]", "pci.0"],
)  # fmt: skip
def test_properties_are_qemus_in_any_order(full: Beside, path: str) -> None:
    answers = full.ask(f"qom-list {path}")
    theirs = answers.qemu.splitlines()
    assert sorted(answers.ours.splitlines()) == sorted(theirs)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_values_are_qemus(full: Beside) -> None:
    full.check(
        "qom-list",
        "qom-get /machine type",
        "qom-get /machine smm",
        "qom-get /machine acpi",
        "qom-get /machine memory",
        "qom-get /machine cxl-fmw",
        "qom-get /machine memory-backend",
        "qom-get /machine nope",
        "qom-get /nope type",
        "qom-get device[0] type",
        "qom-get d0 addr",
        "qom-get d0 slot",
        "qom-get d0 memdev",
        "qom-get d0 hotplugged",
        "qom-get d0 nope",
        "qom-get /objects/c0 size",
        "qom-get /objects/c0 host-nodes",
        "qom-get /objects/c0 policy",
        "qom-get io[0] size",
        "qom-get system[0] size",
        "qom-get pci[0] priority",
        "qom-get pci[0] container",
        'qom-get "/machine/unattached/sysbus" type',
    )


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_setting_is_done_or_refused_as_in_qemu() -> None:
    with Beside("-m", "128M,slots=2,maxmem=1G") as pair:
        pair.check(
            "object_add memory-backend-ram,id=m,size=2M",
            *(f"qom-set /objects/m {assignment}" for assignment in (
                "merge off", "merge false", "merge x", "merge 1", "dump y", "size 4M", "size x",
                "policy bind", "policy x", "prealloc-threads 4", "prealloc-threads x",
                "prealloc-threads -1", "prealloc-threads -4", "prealloc-threads 5000000000",
                "prealloc-threads 1.5", "host-nodes 0", "host-nodes 0-1,3", "host-nodes 1-x",
                "host-nodes 3-1", "host-nodes x", "host-nodes 1,", "host-nodes ,",
                "host-nodes 1,,2", "host-nodes 0-99999", "host-nodes -1", "host-nodes 1-2-3",
                "host-nodes 1 ", "host-nodes 0x2", "host-nodes 127", "host-nodes 128",
                "host-nodes 99999", "host-nodes -1-2", "type x", "nope x",
            )),
            *(f"qom-set -j /objects/m {assignment}" for assignment in (
                "merge true", "merge 'true'", "merge 7", "merge {", "merge ]", "merge true x",
                "merge true false", "merge [", "merge nope", "merge \"a", "policy 'default'",
                "policy \"x\"", "host-nodes [1]", "host-nodes {}", "nope 1", "type 1",
                "prealloc-threads 3", "prealloc-threads 3.5", "prealloc-threads -1",
            )),
            "qom-set /nope x y", "qom-set -j /nope x y", "qom-set -j /nope x 1",
            "qom-get /objects/m host-nodes", "qom-get /objects/m policy",
            "qom-get /objects/m prealloc-threads", "qom-get /objects/m merge",
        )  # fmt: skip


def test_a_value_is_shown_as_json(monitor: HumanMonitor) -> None:
    assert monitor.execute("qom-get /machine memory") == '{\r\n    "size": 134217728\r\n}\r\n'
