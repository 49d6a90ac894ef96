"""What QMP's queries return, shown as text: QEMU's own values must give QEMU's own text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from guestmap.base import ConfigError
from guestmap.monitor.hmp import machine_text, memory_text, pci_text
from guestmap.monitor.hmp.json_text import pretty_json, read_json
from guestmap.monitor.hmp.memory_text import ranges_text
from guestmap.monitor.hmp.numbers import size_text
from tests.support.qemu import Qemu

_PATIENCE_S = 30

TEXTS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("query-pci", "info pci", pci_text.pci_text),
    ("query-memory-devices", "info memory-devices", memory_text.memory_devices_text),
    ("query-memdev", "info memdev", memory_text.memory_backends_text),
    ("query-memory-size-summary", "info memory_size_summary", memory_text.memory_size_text),
    ("query-status", "info status", machine_text.status_text),
    ("query-version", "info version", machine_text.version_text),
    ("query-name", "info name", machine_text.name_text),
    ("query-uuid", "info uuid", machine_text.uuid_text),
    ("query-kvm", "info kvm", machine_text.kvm_text),
    ("query-cpus-fast", "info cpus", machine_text.cpus_text),
    ("query-hotpluggable-cpus", "info hotpluggable-cpus", machine_text.hotpluggable_cpus_text),
)


@pytest.fixture(scope="module")
def booted() -> Iterator[Qemu]:
    """A QEMU whose firmware has set up the PCI functions, one of them behind a bridge."""
    with Qemu(
        "-m", "128M,slots=4,maxmem=2G", "-smp", "3", "-name", "a b",
        "-object", "memory-backend-ram,id=c0,size=64M,reserve=off,merge=off",
        "-device", "pc-dimm,id=d0,memdev=c0",
        "-device", "pci-bridge,id=br,chassis_nr=1",
        "-device", "pci-testdev,bus=br,addr=3,membar=1M",
        "-object", "memory-backend-memfd,id=mf,size=64M,host-nodes=0,policy=bind,share=on",
        "-device", "pc-dimm,memdev=mf,slot=3",
        stopped=False,
    ) as qemu:  # fmt: skip
        deadline = time.monotonic() + _PATIENCE_S
        while "secondary bus 1" not in qemu.hmp("info pci"):
            assert time.monotonic() < deadline
        qemu.qmp("stop")
        yield qemu


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize(("query", "line", "text"), TEXTS, ids=[line for _, line, _ in TEXTS])
def test_qemus_values_give_qemus_text(
    booted: Qemu, query: str, line: str, text: Callable[[Any], str]
) -> None:
    assert text(booted.qmp(query)) == booted.hmp(line)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/machine", "memory"),
        ("/machine", "smp"),
        ("/machine", "cxl-fmw"),
        ("/machine", "type"),
        ("/machine/unattached/device[0]", "feature-words"),
        ("/objects/mf", "host-nodes"),
        ("/objects/c0", "reserve"),
    ],
)
def test_qemus_json_is_broken_into_qemus_lines(booted: Qemu, path: str, name: str) -> None:
    value = booted.qmp("qom-get", path=path, property=name)
    assert f"{pretty_json(value)}\n" == booted.hmp(f"qom-get {path} {name}")


def test_json_is_read_back() -> None:
    value = {"a": [1, -2.5, None, True, {"b": []}, {}], '\u20ac"\\': "x\n"}
    assert read_json(pretty_json(value)) == value


def test_blanks_are_no_json() -> None:
    with pytest.raises(ConfigError, match=r"^Expecting a JSON value$"):
        read_json(" \t")


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([3], "3"), ([0, 1, 2, 5], "0-2,5"), ([7, 6, 6, 4], "4,6-7")],
)
def test_runs_of_numbers_are_drawn_together(numbers: list[int], text: str) -> None:
    assert ranges_text(numbers) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "0.977 KiB"), (4096, "4 KiB"), (1 << 20, "1 MiB"),
     (3 << 19, "1.5 MiB"), (1 << 31, "2 GiB"), ((1 << 64) - 1, "16 EiB")],
)  # fmt: skip
def test_sizes_have_three_digits_and_a_unit(size: int, text: str) -> None:
    assert size_text(size) == text
