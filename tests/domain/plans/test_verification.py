"""A machine is held to its definition: what differs, what its guest said of each device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guestmap.base import MIB, PeerError
from guestmap.domain.journal import Process
from guestmap.domain.manager import Manager
from guestmap.domain.plans import verification
from guestmap.domain.plans.verification import Standing, Verification, verify
from guestmap.domain.plugged import MemoryDevice, SlotStatus
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.store.status import RUNNING, Pending, Status
from guestmap.domain.store.store import Store
from tests.domain.documents import definition
from tests.domain.machines import dimm, holding, scene, virtio_mem

PLACE = 0x1_2000_0000
SIZE = 512 * MIB
HELD = """\
    <memory model='dimm'>
      <target><size unit='MiB'>512</size><node>0</node></target>
      <alias name='dimm1'/>
      <address type='dimm' slot='1' base='0x120000000'/>
    </memory>
"""
ONE = dimm(1, PLACE, SIZE)


@pytest.fixture
def verified(tmp_path, monkeypatch):
    """Verify a domain whose machine has these devices."""

    def doing(*devices: MemoryDevice, stored: str | None = HELD, held: str = HELD,
              pending: tuple[Pending, ...] = (), agent: str | None = None,
              **changes: Any) -> Verification:  # fmt: skip
        store = Store(tmp_path / "config", tmp_path / "run")
        if stored is not None:
            store.save(definition(devices=stored))
        store.save_status(Status(RUNNING, 1, Process.this(), "", "", "", definition(devices=held),
                                 pending=pending))  # fmt: skip
        there = scene(holding(*devices, **changes))
        monkeypatch.setattr(verification, "look", lambda running: there)
        return verify(Manager(store), "vm", agent)

    return doing


def test_a_machine_as_it_is_defined_has_nothing_wrong(verified):
    found = verified(ONE)
    assert (found.wrong, found.notes) == ((), ())
    assert [(each.standing, each.said) for each in found.devices] == [
        (Standing.UNKNOWN, "the guest said nothing of it; there is no agent to ask")
    ]


WRONG = {
    "slot": (replace(ONE, slot=2), "the slot of dimm1 is 2 in the machine, 1 by definition"),
    "node": (replace(ONE, node=3), "the node of dimm1 is 3 in the machine, 0 by definition"),
    "address": (replace(ONE, addr=PLACE + SIZE),
                ("the address of dimm1 is 0x140000000 in the machine, 0x120000000 by definition")),
    "size": (replace(ONE, size=SIZE // 2),
             "the size of dimm1 is 256 MiB in the machine, 512 MiB by definition"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_as_defined_is_told_with_both(verified, what):
    there, told = WRONG[what]
    assert verified(there).wrong == (told,)


def test_what_the_definition_leaves_open_is_not_wrong(verified):
    bare = HELD.replace(" base='0x120000000'", "")
    assert verified(replace(ONE, addr=PLACE + SIZE), held=bare).wrong == ()


def test_a_device_that_is_in_one_of_both_is_told(verified):
    assert verified().wrong == ("dimm1 of the definition is not in the machine",)
    foreign = dimm(3, PLACE + SIZE, SIZE)
    assert verified(ONE, foreign).wrong == (
        "dimm3 at 0x140000000-0x15fffffff is in no definition of ours",
    )
    (orphan,) = verified(ONE, backends={"memdimm1": SIZE, "memdimm7": MIB}).wrong
    assert orphan == "the backend memdimm7 (1 MiB) belongs to no device"


def test_where_both_definitions_differ_is_noted(verified):
    other = HELD.replace(">512<", ">256<").replace("dimm1", "dimm2").replace("'1'", "'2'")
    assert verified(ONE, stored=None).notes == ("there is no stored definition",)
    assert verified(ONE, stored="").notes == (
        "dimm1 is in the machine, and not in the stored definition",
    )
    assert verified(ONE, stored=HELD + other).notes == (
        ("a dimm of 256 MiB in slot 2 is in the stored definition, and not in the machine:"
         " it comes with the next start"),
    )  # fmt: skip
    assert verified(ONE, pending=(Pending("dimm1"),)).notes == (
        "the guest was asked for dimm1, and has not let go of it",
    )


SAID = {
    (1, 0): Standing.ACKNOWLEDGED,
    (0x200, 0): Standing.ACKNOWLEDGED,
    (1, 1): Standing.REFUSED,
    (0x200, 0x80): Standing.UNKNOWN,
    (0, 0): Standing.UNKNOWN,
    (3, 0): Standing.UNKNOWN,
    (3, 0x84): Standing.UNKNOWN,
    (3, 0x82): Standing.ACKNOWLEDGED,
}


@pytest.mark.parametrize("numbers", SAID)
def test_the_guests_last_word_on_a_slot_counts_where_it_says_that_it_has_the_device(
    verified, numbers
):
    statuses = tuple(SlotStatus(n, None, *(numbers if n == 1 else (1, 0))) for n in range(4))
    (device,) = verified(ONE, slot_statuses=statuses).devices
    assert device.standing is SAID[numbers]


@pytest.mark.parametrize(("present", "standing"), [(64, Standing.ONLINE), (62, Standing.OFFLINE)])
def test_a_resizable_device_tells_itself_what_the_guest_has(verified, present, standing):
    grown = virtio_mem("vm0", PLACE, SIZE, present * MIB, 64 * MIB)
    (device,) = verified(grown, held="", stored="").devices
    assert device.standing is standing
    assert device.said == f"the guest has {present} MiB of 64 MiB requested"


class SaidOnline:
    """An agent that says how much is online."""

    def __init__(self, online: int | None) -> None:
        self._online = online

    def online(self, device: MemoryDevice) -> int:
        if self._online is None:
            raise PeerError("no answer")
        return self._online


@pytest.mark.parametrize(
    ("online", "standing", "told"),
    [
        (SIZE, Standing.ONLINE, "agent: 512 MiB of 512 MiB online"),
        (SIZE - 128 * MIB, Standing.OFFLINE, "agent: 384 MiB of 512 MiB online"),
        (None, Standing.UNKNOWN, ("the guest said nothing of it; the agent does not tell"
                                  " (no answer)")),
    ],
)  # fmt: skip
def test_an_agent_is_asked_first(verified, monkeypatch, online, standing, told):
    monkeypatch.setattr(verification, "AgentSocket", lambda path: path)
    monkeypatch.setattr(verification, "GuestAgent", lambda socket: SaidOnline(online))
    (device,) = verified(ONE, agent="/a").devices
    assert (device.standing, device.said) == (standing, told)


def test_a_machine_that_does_not_run_is_not_verified(tmp_path):
    store = Store(tmp_path / "config", tmp_path / "run")
    store.save(definition())
    with pytest.raises(DomainError, match="domain is not running"):
        verify(Manager(store), "vm")
