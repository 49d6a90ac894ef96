"""Plans: every blocker at once, what will spoil it, and what will be done; no machine is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guestmap.base import GIB, MIB, AddrRange, ConfigError
from guestmap.domain import HostMeminfo, PlugRequest, UnplugRequest, plan_plug, plan_unplug
from guestmap.domain.machine_types import guest_block
from guestmap.domain.plugged import MemoryDevice
from tests.domain.machines import BASE, ROOM, WINDOW, dimm, holding, scene

ONE = dimm(0, BASE, GIB)


def blockers(situation, **request):
    plan = plan_plug(scene(situation), PlugRequest(**{"size": 128 * MIB, **request}))
    assert plan.is_blocked == bool(plan.blockers)
    assert all(each.text and each.remedy for each in plan.blockers)
    assert not (plan.is_blocked and plan.steps)
    return {each.code: each for each in plan.blockers}


def cautions(situation, **request):
    plan = plan_plug(scene(situation), PlugRequest(**{"size": 128 * MIB, **request}))
    return {each.code: each for each in plan.cautions}


def test_a_plan_tells_what_will_be_sent_and_where_the_memory_will_be():
    plan = plan_plug(scene(holding(ONE)), PlugRequest(512 * MIB))
    assert (plan.blockers, plan.cautions) == ((), ())
    assert plan.device == dimm(1, BASE + GIB, 512 * MIB)
    assert [(s.command, s.arguments) for s in plan.steps] == [
        ("object-add", {"qom-type": "memory-backend-ram", "id": "memdimm1", "size": 512 * MIB}),
        ("device_add", {"driver": "pc-dimm", "id": "dimm1", "memdev": "memdimm1", "node": 0}),
    ]
    assert plan.map_change is not None
    (view,) = plan.map_change.views
    (change,) = view.ranges
    assert (view.spaces, change.start, change.end) == (
        ("memory",), BASE + GIB, BASE + GIB + 512 * MIB,
    )  # fmt: skip
    assert change.before is None
    assert change.after is not None
    assert (change.after.name, change.after.type) == ("memdimm1", "ram")


def test_what_is_asked_for_is_sent_as_asked():
    plan = plan_plug(scene(), PlugRequest(GIB, slot=3, addr=BASE + 2 * GIB, id="big"))
    assert plan.device == MemoryDevice("big", "dimm", BASE + 2 * GIB, GIB, 3, 0, "membig")
    assert plan.steps[1].arguments == {
        "driver": "pc-dimm", "id": "big", "memdev": "membig", "node": 0, "slot": 3,
        "addr": BASE + 2 * GIB,
    }  # fmt: skip
    assert "addr=0x180000000" in str(plan.steps[1])


def test_address_0_lets_qemu_choose_as_it_does_itself():
    plan = plan_plug(scene(), PlugRequest(GIB, addr=0))
    assert plan.device is not None
    assert plan.device.addr == BASE
    assert "addr" not in plan.steps[1].arguments


def test_an_id_of_its_own_is_free_of_devices_and_orphans():
    situation = holding(replace(ONE, slot=1, id="dimm0"), object_names=frozenset({"memdimm1"}))
    plan = plan_plug(scene(situation), PlugRequest(GIB))
    assert plan.device is not None
    assert (plan.device.id, plan.device.slot) == ("dimm2", 0)


def test_all_blockers_come_at_once():
    found = blockers(
        holding(ONE), size=3 * GIB + 5, slot=0, addr=BASE + 4096, node=2, id="dimm0"
    )  # fmt: skip
    assert set(found) == {
        "slot-busy", "size-unaligned", "over-maxmem", "address-unaligned", "address-overlap",
        "id-taken", "node",
    }  # fmt: skip
    assert "dimm0 at 0x100000000-0x13fffffff" in found["slot-busy"].text
    assert "1, 2, 3" in found["slot-busy"].remedy
    assert "0x100001000" in found["address-unaligned"].text
    assert found["address-unaligned"].remedy.startswith("give no --addr")  # both are taken
    free = blockers(ROOM, addr=BASE + 4096)["address-unaligned"].remedy
    assert free == "give 0x100000000 or 0x100200000"
    assert "dimm0 at 0x100000000-0x13fffffff" in found["address-overlap"].text
    assert "0x140000000-0x2efffffff" in found["address-overlap"].remedy
    assert "2816 MiB" in found["over-maxmem"].remedy


@pytest.mark.parametrize(
    ("situation", "request_", "codes"),
    [
        (replace(ROOM, window=None, max_ram=0, slots=0), {}, {"no-device-memory"}),
        (replace(ROOM, slots=0), {}, {"no-slots"}),
        (replace(ROOM, acpi=False), {}, {"no-acpi"}),
        (replace(ROOM, acpi=None), {}, set()),
        (replace(ROOM, migration="active"), {}, {"migrating"}),
        (replace(ROOM, slots=1, devices=(ONE,)), {}, {"slots-full"}),
        (ROOM, {"slot": 4}, {"slot-range"}),
        (ROOM, {"size": 0}, {"size-zero"}),
        (ROOM, {"size": MIB}, {"size-unaligned"}),
        (ROOM, {"size": 4 * GIB}, {"over-maxmem"}),
        (ROOM, {"addr": 0x1000}, {"address-outside"}),
        (ROOM, {"addr": BASE + 0x1000}, {"address-unaligned"}),
        (ROOM, {"addr": WINDOW.end}, {"address-outside"}),
        (ROOM, {"addr": WINDOW.end - 2 * MIB}, {"address-outside"}),
        (ROOM, {"addr": (1 << 64) - 2 * MIB}, {"address-outside"}),
        (ROOM, {"addr": WINDOW.end - GIB, "size": GIB}, set()),
        (ROOM, {"addr": WINDOW.start - 2 * MIB, "size": GIB}, {"address-outside"}),
        (ROOM, {"id": "1x"}, {"id-invalid"}),
        (ROOM, {"id": "dïmm"}, {"id-invalid"}),
        (ROOM, {"id": "type"}, {"id-taken"}),
        (replace(ROOM, object_names=frozenset({"mema"})), {"id": "a"}, {"backend-orphaned"}),
        (ROOM, {"node": 1}, {"node"}),
        (replace(ROOM, nodes=0), {"node": 0}, set()),
        (replace(ROOM, nodes=0), {"node": 1}, {"node"}),
        (replace(ROOM, nodes=None), {"node": 7}, set()),
        (replace(ROOM, host=HostMeminfo(GIB, GIB)), {"size": 2 * GIB}, {"host-memory"}),
        (replace(ROOM, host=HostMeminfo(GIB, GIB, GIB)), {"size": 2 * GIB}, set()),
        (replace(ROOM, host=HostMeminfo(GIB, GIB, overcommit=1)), {"size": 2 * GIB}, set()),
        (replace(ROOM, host=HostMeminfo(9 * GIB, 9 * GIB, overcommit=2, commit_left=GIB)),
         {"size": 2 * GIB}, {"host-memory"}),
    ],
    ids=lambda value: ",".join(sorted(value)) if isinstance(value, set) else "",
)  # fmt: skip
def test_each_blocker_alone(situation, request_, codes):
    assert set(blockers(situation, **request_)) == codes


def test_a_fragmented_window_shows_its_gaps():
    holes = [dimm(n, BASE + (2 * n + 1) * 64 * MIB, 64 * MIB) for n in range(2)]
    situation = holding(*holes, window=AddrRange(BASE, 256 * MIB))
    found = blockers(situation)
    assert set(found) == {"fragmented"}
    assert "0x100000000-0x103ffffff (64 MiB), 0x108000000-0x10bffffff" in found["fragmented"].text
    assert "at most 64 MiB" in found["fragmented"].remedy
    assert set(blockers(situation, size=64 * MIB)) == set()


def test_an_old_machine_type_aligns_to_pages():
    old = replace(ROOM, alignment=4096, window=AddrRange(BASE, ROOM.capacity))
    assert set(blockers(old, size=128 * MIB + 4096)) == set()
    assert set(blockers(old, size=128 * MIB + 4095)) == {"size-unaligned"}


def test_what_qemu_takes_and_a_guest_does_not():
    found = cautions(ROOM, size=100 * MIB)
    assert set(found) == {"section-size"}
    assert "128 MiB" in found["section-size"].text
    assert found["section-size"].remedy == "give 128 MiB"
    after = holding(dimm(0, BASE, 100 * MIB))
    found = cautions(after, addr=BASE + 100 * MIB)
    assert set(found) == {"section-address"}
    assert "--addr 0x108000000" in found["section-address"].remedy
    assert set(cautions(after, addr=BASE + 128 * MIB)) == set()


def test_what_the_guest_would_get_nothing_of_is_not_done_unless_forced():
    for size, addr in ((100 * MIB, None), (128 * MIB, BASE + 2 * MIB)):
        plan = plan_plug(scene(), PlugRequest(size, addr=addr))
        assert (plan.is_blocked, plan.is_stopped) == (False, True)
        assert not plan_plug(scene(), PlugRequest(size, addr=addr, force=True)).is_stopped
    paused = plan_plug(scene(replace(ROOM, running=False)), PlugRequest(128 * MIB))
    assert (len(paused.cautions), paused.is_stopped) == (1, False)


def test_the_default_place_starts_and_ends_on_the_guests_memory_blocks():
    after = holding(dimm(0, BASE, 100 * MIB))
    plan = plan_plug(scene(after), PlugRequest(512 * MIB))
    assert plan.cautions == ()
    assert plan.device is not None
    assert plan.device.addr == BASE + 128 * MIB
    assert plan.steps[1].arguments["addr"] == BASE + 128 * MIB  # QEMU would choose another
    label = MemoryDevice("nv0", "nvdimm", BASE, 256 * MIB - 128 * 1024, 1, 0, "nv")
    plan = plan_plug(scene(holding(label)), PlugRequest(GIB))
    assert plan.device is not None
    assert plan.device.addr == BASE + 256 * MIB
    large = replace(ROOM, block=GIB, devices=(dimm(0, BASE, 128 * MIB),))
    plan = plan_plug(scene(large), PlugRequest(GIB))
    assert plan.device is not None
    assert plan.device.addr == BASE + GIB
    assert plan_plug(scene(large), PlugRequest(512 * MIB)).is_stopped
    full = holding(dimm(0, BASE + 64 * MIB, 64 * MIB), window=AddrRange(BASE + 64 * MIB, 512 * MIB))
    tight = plan_plug(scene(replace(full, window=AddrRange(BASE + 64 * MIB, 200 * MIB))),
                      PlugRequest(128 * MIB))  # fmt: skip
    assert tight.device is not None
    assert tight.device.addr == BASE + 128 * MIB


def test_where_no_gap_is_aligned_qemus_choice_is_shown_and_not_made():
    situation = holding(dimm(0, BASE, 64 * MIB), window=AddrRange(BASE, 320 * MIB), block=256 * MIB)
    plan = plan_plug(scene(situation), PlugRequest(256 * MIB))
    assert plan.is_stopped
    assert [each.code for each in plan.cautions] == ["section-address"]
    assert "no aligned gap" in plan.cautions[0].remedy


@pytest.mark.parametrize(
    ("changes", "request_", "codes"),
    [
        ({"running": False, "status": "paused"}, {}, {"not-running"}),
        ({"gpe_enabled": False}, {}, {"guest-without-acpi"}),
        ({"gpe_enabled": True}, {}, set()),
        ({"is_libvirts": True}, {}, {"libvirt"}),
        ({"kvm": True, "sections": 508}, {}, set()),
        ({"kvm": True, "sections": 509}, {}, {"kvm-slots"}),
        ({"kvm": False, "sections": 509}, {}, set()),
        ({"vhost": ("virtio-net",), "sections": 7}, {}, set()),
        ({"vhost": ("virtio-net",), "sections": 8}, {}, {"vhost-slots"}),
        ({"vhost": ("virtio-net",), "sections": 5, "vhost_limit": 5}, {}, {"vhost-slots"}),
        ({"vhost": ("virtio-net",), "sections": 4, "vhost_limit": 5}, {}, set()),
        ({"vhost": ("virtio-net",), "sections": 8, "vhost_limit": 64}, {}, {"vhost-slots"}),
        ({"host": HostMeminfo(9 * GIB, GIB)}, {"size": 2 * GIB}, {"host-memory"}),
        ({"nodes": None}, {"node": 1}, {"node-unknown"}),
        ({"backends": {"memdimm7": GIB}}, {}, {"orphan"}),
        ({"block": 256 * MIB}, {}, {"section-size"}),
        ({"machine": "pseries-7.2", "arch": "ppc64", "acpi": False}, {"size": 256 * MIB},
         {"no-acknowledgement"}),
        ({"ram": 64 * MIB}, {"size": 2 * GIB}, set()),
        ({"ram": 64 * MIB}, {"size": 2 * GIB + 128 * MIB}, {"page-structures"}),
    ],
    ids=lambda value: ",".join(sorted(value)) if isinstance(value, set) else "",
)  # fmt: skip
def test_each_caution_alone(changes, request_, codes):
    assert set(cautions(replace(ROOM, **changes), **request_)) == codes


def test_budgets_are_told_with_their_numbers():
    many = cautions(replace(ROOM, kvm=True, sections=600))["kvm-slots"].text
    assert "601" in many
    assert "509" in many
    assert "32764" in many
    assert "refuse" in cautions(replace(ROOM, kvm=True, sections=32764))["kvm-slots"].text
    vhost = cautions(replace(ROOM, vhost=("a", "b"), sections=70, vhost_limit=64))["vhost-slots"]
    assert "71" in vhost.text
    assert "64" in vhost.text
    assert "a, b" in vhost.text


@pytest.mark.parametrize(
    "request_", [{"size": -1}, {"size": 1 << 64}, {"size": 1, "node": 1 << 32},
                 {"size": 1, "slot": -1}, {"size": 1, "slot": 1 << 31}, {"size": 1, "addr": -2}],
)  # fmt: skip
def test_numbers_that_no_machine_takes_are_no_request(request_):
    with pytest.raises(ConfigError, match="is not between"):
        PlugRequest(**request_)


def test_a_plan_to_unplug_takes_the_backend_that_was_made_for_it():
    plan = plan_unplug(scene(holding(ONE)), UnplugRequest("dimm0"))
    assert (plan.blockers, plan.cautions) == ((), ())
    assert [str(step) for step in plan.steps] == ["device_del id=dimm0", "object-del id=memdimm0"]
    assert plan.map_change is not None
    (view,) = plan.map_change.views
    assert [(r.start, r.end, r.after) for r in view.ranges] == [(BASE, BASE + GIB, None)]
    assert [change.changes for change in plan.map_change.regions] == [("removed",)]


def test_a_foreign_backend_is_kept_and_said_so():
    situation = holding(replace(ONE, backend="ram7"))
    plan = plan_unplug(scene(situation), UnplugRequest("dimm0"))
    assert [each.code for each in plan.cautions] == ["foreign-backend"]
    assert [step.command for step in plan.steps] == ["device_del"]
    kept = plan_unplug(scene(holding(ONE)), UnplugRequest("dimm0", keep_backend=True))
    assert kept.cautions == ()
    assert [step.command for step in kept.steps] == ["device_del"]


def test_what_cannot_be_unplugged_says_why():
    pmem = MemoryDevice("nv0", "nvdimm", BASE, GIB, 0, 0, "memnv0")
    nameless = MemoryDevice(None, "dimm", BASE + GIB, GIB, 1, 0, "m1")
    situation = holding(pmem, nameless)
    unknown = plan_unplug(scene(situation), UnplugRequest("d"))
    assert [each.code for each in unknown.blockers] == ["unknown-device"]
    assert "nv0 at 0x100000000-0x13fffffff, the dimm without id" in unknown.blockers[0].remedy
    fixed = plan_unplug(scene(situation), UnplugRequest("nv0"))
    assert [each.code for each in fixed.blockers] == ["not-unpluggable"]
    assert "NVDIMM" in fixed.blockers[0].text
    grown = MemoryDevice("vm0", "virtio-mem", BASE, GIB, None, 0, "m")
    silent = plan_unplug(scene(holding(grown, gpe_enabled=False)), UnplugRequest("vm0"))
    assert [each.code for each in silent.cautions] == ["foreign-backend"]  # no ACPI announces it
    (flexible,) = plan_unplug(scene(holding(grown)), UnplugRequest("vm0")).blockers
    assert "guestmap resize SOURCE vm0 0" in flexible.remedy
    moving = plan_unplug(scene(holding(ONE, migration="setup")), UnplugRequest("dimm0"))
    assert [each.code for each in moving.blockers] == ["migrating"]
    cold = plan_unplug(scene(holding(replace(ONE, hotplugged=False))), UnplugRequest("dimm0"))
    assert [each.code for each in cold.cautions] == ["cold-plugged"]


def test_a_dimm_without_an_id_is_named_by_its_path():
    path = "/machine/peripheral-anon/device[1]"
    situation = holding(MemoryDevice(None, "dimm", BASE, GIB, 1, 0, "m1", path=path))
    plan = plan_unplug(scene(situation), UnplugRequest(path))
    assert plan.blockers == ()
    assert [(s.command, s.arguments) for s in plan.steps] == [("device_del", {"id": path})]
    by_path = plan_unplug(scene(holding(ONE)), UnplugRequest("/machine/peripheral/dimm0"))
    assert by_path.device == ONE


@pytest.mark.parametrize(
    ("arch", "machine", "changes", "code", "remedy", "never"),
    [
        ("x86_64", "microvm", {}, "no-hotplug", "q35", "virt"),
        ("x86_64", "isapc", {"acpi": False}, "no-hotplug", "q35", "acpi=off"),
        ("x86_64", "pc-q35-11.1", {"acpi": False, "acpi_switch": "off"}, "no-acpi", "acpi=off",
         "pc or q35"),
        ("aarch64", "virt-11.1", {"acpi": False, "acpi_switch": "auto"}, "no-acpi",
         "UEFI firmware", "acpi=off"),
        ("aarch64", "virt-11.1", {"acpi": False, "acpi_switch": "off"}, "no-acpi",
         "without acpi=off", "q35"),
        ("aarch64", "raspi3b", {"acpi": False}, "no-hotplug", "-M virt", "q35"),
        ("arm", "virt-11.1", {"acpi": False}, "no-hotplug", "qemu-system-aarch64", "q35"),
        ("ppc64", "powernv11", {"acpi": False}, "no-hotplug", "pseries", "q35"),
        ("s390x", "s390-ccw-virtio-11.1", {"acpi": False}, "no-hotplug", "virtio-mem", "slots=N"),
        ("riscv64", "virt", {"acpi": False}, "no-hotplug", "all the memory", "slots=N"),
    ],
)  # fmt: skip
def test_a_machine_that_takes_none_is_told_what_would_help_it(
    arch, machine, changes, code, remedy, never
):
    situation = replace(ROOM, arch=arch, machine=machine, **changes)
    (finding,) = plan_plug(scene(situation), PlugRequest(256 * MIB)).blockers
    assert finding.code == code
    assert machine in finding.text
    assert remedy in finding.remedy
    assert never not in finding.remedy


@pytest.mark.parametrize(
    ("arch", "machine", "acpi"),
    [("ppc64", "pseries-11.1", False), ("loongarch64", "virt-11.1", True),
     ("aarch64", "virt-11.1", True), ("riscv64", "a-machine-to-come", True)],
)  # fmt: skip
def test_machines_beside_the_pc_take_dimms(arch, machine, acpi):
    situation = replace(ROOM, arch=arch, machine=machine, acpi=acpi)
    plan = plan_plug(scene(situation), PlugRequest(512 * MIB))
    assert plan.blockers == ()


def test_pseries_takes_multiples_of_256_mib():
    situation = replace(ROOM, arch="ppc64", machine="pseries-11.1", acpi=False)
    assert set(blockers(situation, size=384 * MIB)) == {"size-unaligned"}
    assert "256 MiB or 512 MiB" in blockers(situation, size=384 * MIB)["size-unaligned"].remedy


@pytest.mark.parametrize(
    ("arch", "end", "block"),
    [
        ("x86_64", 63 * GIB, 128 * MIB),
        ("x86_64", 64 * GIB, 2 * GIB),
        ("x86_64", 65 * GIB, GIB),
        ("x86_64", 65 * GIB + 128 * MIB, 128 * MIB),
        ("x86_64", 65 * GIB + 768 * MIB, 256 * MIB),
        ("ppc64", GIB, 256 * MIB),
        ("aarch64", 65 * GIB, 128 * MIB),
    ],
)
def test_a_guests_memory_block_goes_by_architecture_and_ram(arch, end, block):
    assert guest_block(arch, end)[0] == block


def test_a_number_of_mib_that_was_meant_as_bytes_is_asked_about():
    found = blockers(ROOM, size=536870912 * MIB)["over-maxmem"]
    assert "did you mean 512 MiB" in found.remedy
    assert "did you mean" not in blockers(ROOM, size=4 * GIB)["over-maxmem"].remedy


def test_a_plan_has_a_json_form():
    form = plan_plug(scene(), PlugRequest(100 * MIB)).to_json()
    assert [step["execute"] for step in form["steps"]] == ["object-add", "device_add"]
    assert form["device"]["addr"] == BASE
    assert form["cautions"][0]["code"] == "section-size"
    assert form["map_change"]["views"][0]["ranges"][0]["start"] == BASE
    blocked = plan_plug(scene(), PlugRequest(0)).to_json()
    assert (blocked["device"], blocked["map_change"], blocked["steps"]) == (None, None, [])


def test_one_cause_is_one_finding():
    plan = plan_plug(scene(), PlugRequest(3 * MIB, addr=0x123))
    assert [each.code for each in plan.blockers] == ["size-unaligned", "address-outside"]
    assert plan.cautions == ()
    taken = plan_plug(scene(holding(ONE)), PlugRequest(GIB, id="dimm0"))
    assert [each.code for each in taken.blockers] == ["id-taken"]


def test_nobody_is_told_to_unplug_what_is_not_there():
    assert "unplug" not in blockers(ROOM, size=4 * GIB)["over-maxmem"].remedy
    assert "unplug" in blockers(holding(ONE), size=4 * GIB)["over-maxmem"].remedy


NEAR = {
    "both": (0, 0, 64 * MIB + 4096, "give 0x104000000 or 0x104200000"),
    "up to the end": (0, 0, 128 * MIB - 4096, "give 0x107e00000 or 0x108000000"),
    "beyond the end": (0, MIB, 128 * MIB + 4096, "give 0x108000000"),
    "from the start": (0, 0, 4096, "give 0x100000000 or 0x100200000"),
    "before the start": (MIB, 0, MIB + 4096, "give 0x100200000"),
    "neither": (MIB, -127 * MIB + 8192, MIB + 4096, "give no --addr: the next free one is taken"),
}  # fmt: skip


@pytest.mark.parametrize("where", NEAR)
def test_an_odd_address_has_the_even_ones_beside_it_named_where_they_are_free(where):
    begin, more, addr, remedy = NEAR[where]
    window = AddrRange(BASE + begin, 256 * MIB + more - begin)
    found = blockers(replace(ROOM, window=window), addr=BASE + addr)
    assert found["address-unaligned"].remedy == remedy


def test_an_address_beside_a_dimm_is_free_up_to_it():
    middle = holding(dimm(0, BASE + GIB, GIB))
    assert set(blockers(middle, size=GIB, addr=BASE)) == set()
    assert set(blockers(middle, size=GIB, addr=BASE + 2 * MIB)) == {"address-overlap"}
    assert set(blockers(middle, size=GIB, addr=BASE + 2 * GIB - 2 * MIB)) == {"address-overlap"}
    assert set(blockers(middle, size=GIB, addr=BASE + 2 * GIB)) == set()


def test_a_size_between_two_multiples_has_those_named_that_fit():
    assert blockers(ROOM, size=3 * MIB)["size-unaligned"].remedy == "give 2 MiB or 4 MiB"
    assert blockers(ROOM, size=MIB)["size-unaligned"].remedy == "give 2 MiB"
    tight = replace(ROOM, window=AddrRange(BASE, 2 * MIB), max_ram=ROOM.ram + 3 * MIB)
    assert blockers(tight, size=3 * MIB)["size-unaligned"].remedy == "give 2 MiB"
