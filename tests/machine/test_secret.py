"""Objects that hold a secret; refusals are QEMU 7.2's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import GuestmapError
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.machine.secret import Secret
from tests.support.qemu import Qemu

CASES: dict[str, dict[str, Any]] = {
    "neither": {},
    "both": {"data": "x", "file": "/x"},
    "no such file": {"file": "/no/such"},
    "no such format": {"data": "x", "format": "hex"},
}


@pytest.fixture
def vm() -> Iterator[VirtualMachine]:
    with VirtualMachine(MachineConfig(machine="none", ram_size=0), engine="none") as made:
        yield made


def content(vm: VirtualMachine, **properties: Any) -> bytes:
    vm.board.manage.object_add("secret", "s", properties)
    found = vm.board.tree.resolve("/objects/s")
    assert isinstance(found, Secret)
    return found.content


def test_holds_what_it_is_given(vm: VirtualMachine, tmp_path: Path) -> None:
    assert content(vm, data="pass") == b"pass"
    vm.board.manage.object_del("s")
    assert content(vm, data="aGk=", format="base64") == b"hi"
    vm.board.manage.object_del("s")
    (tmp_path / "key").write_bytes(b"\x00\xff")
    assert content(vm, file=str(tmp_path / "key"), format="raw") == b"\x00\xff"


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_leaves_nothing_behind(vm: VirtualMachine, case: str) -> None:
    with pytest.raises(GuestmapError):
        content(vm, **CASES[case])
    assert vm.board.tree.container("/objects").children == {}


def test_encrypted_ones_are_refused(vm: VirtualMachine) -> None:
    with pytest.raises(GuestmapError, match="secret 's': keyid is not modelled"):
        content(vm, data="x", keyid="other")
    with pytest.raises(GuestmapError, match="secret 's' is no base64"):
        content(vm, data="x", format="base64")


@pytest.mark.qemu
@pytest.mark.parametrize("case", ["neither", "both"])
def test_refusals_are_qemu_s(vm: VirtualMachine, case: str) -> None:
    with Qemu() as qemu, pytest.raises(RuntimeError) as theirs:
        qemu.qmp("object-add", **{"qom-type": "secret", "id": "s", **CASES[case]})
    with pytest.raises(GuestmapError) as ours:
        content(vm, **CASES[case])
    assert str(theirs.value) == f"QMP object-add: {ours.value}"
