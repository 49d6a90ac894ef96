"""RAM that is a file of the VM's own, where the host has such files; what it lacks is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestmap.accel.kvm.abi import Cap
from guestmap.accel.kvm.vm import Vm
from guestmap.base import UnsupportedError
from guestmap.machine import MachineConfig, Phase, VirtualMachine
from guestmap.memory import MemorySystem
from tests.accel.kvm.fake_kernel import FakeKernel

SIZE = 0x800000
HAS = {"GUEST_MEMFD_FLAGS": 3}


class Rig:
    """RAM at 0, on a VM whose RAM is files."""

    def __init__(self) -> None:
        self.system = MemorySystem()
        self.root = self.system.container("root", 1 << 64)
        self.ram = self.system.ram("ram", SIZE)
        self.memory = self.system.address_space("memory", self.root)
        self.kernel = FakeKernel(**HAS)
        self.vm = Vm(self.kernel, guest_memfd=True)
        self.memory.register_listener(self.vm.slots)

    def close(self) -> None:
        self.memory.unregister_listener(self.vm.slots)
        self.vm.close()
        assert not self.kernel.open_fds, "the files, too, are given back"


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.close()


def test_ram_is_mapped_from_the_file_with_what_it_holds(rig):
    rig.ram.buffer[0x1000:0x1004] = b"kept"
    rig.ram.buffer[SIZE - 4 :] = b"last"

    def mapped(fd: int, address: int, size: int) -> None:
        rig.kernel.mapped_over.append((fd, address, size))
        rig.ram.buffer[:] = bytes(SIZE)  # as a file that is new

    rig.kernel.map_over = mapped
    rig.root.add_subregion(0, rig.ram)
    (file,) = rig.kernel.files
    assert rig.kernel.files[file] == (SIZE, 3), "it can be mapped, and is shared from the start"
    assert rig.kernel.mapped_over == [(file, rig.ram.ram_block.host_address, SIZE)]
    assert rig.kernel.log == [f"0,0,0,{SIZE:x},file {file}+0"]
    assert bytes(rig.ram.buffer[0x1000:0x1004]) == b"kept"
    assert bytes(rig.ram.buffer[SIZE - 4 :]) == b"last"


def test_a_slot_with_a_file_is_made_anew_where_others_are_changed(rig):
    rig.root.add_subregion(0, rig.ram)
    (file,) = rig.kernel.files
    with rig.system.transaction("move"):
        rig.root.del_subregion(rig.ram)
        rig.root.add_subregion(0x1000000, rig.ram)
    assert rig.kernel.log[1:] == ["del 0", f"0,0,1000000,{SIZE:x},file {file}+0"]
    assert len(rig.kernel.mapped_over) == 1, "the block has its file"


def test_a_log_and_read_only_memory_are_reached_by_the_mapping_alone(rig):
    rig.root.add_subregion(0, rig.ram)
    rig.system.dirty_logging.start_global()
    assert rig.kernel.log[1:] == ["del 0", f"0,1,0,{SIZE:x}"]
    rig.system.dirty_logging.stop_global()
    assert rig.kernel.log[-1].endswith("+0")
    rig.ram.readonly = True
    assert rig.kernel.log[-1] == f"0,2,0,{SIZE:x}"


def test_no_two_slots_have_the_same_piece_of_a_file(rig):
    rig.root.add_subregion(0, rig.ram)
    again = rig.system.alias("again", rig.ram, 0x1000, 0x2000)
    rig.root.add_subregion(0x2000000, again)
    assert rig.kernel.log[-1] == "1,0,2000000,2000"


def test_memory_that_is_a_file_already_stays_that(rig, tmp_path):
    from guestmap.memory.ram import MemfdRam

    other = rig.system.ram("other", 0x10000, backend=MemfdRam())
    rig.root.add_subregion(0x4000000, other)
    assert rig.kernel.files == {}
    assert rig.kernel.log == ["0,0,4000000,10000"]


@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        ({"GUEST_MEMFD": 0}, r"has no guest_memfd \(KVM_CAP_GUEST_MEMFD\)"),
        ({"USER_MEMORY2": 0}, r"has no guest_memfd \(KVM_CAP_USER_MEMORY2\)"),
        ({"GUEST_MEMFD_FLAGS": 0}, "no guest_memfd that can be mapped"),
        ({"GUEST_MEMFD_FLAGS": 1}, "no guest_memfd that can be mapped"),
    ],
)
def test_a_host_without_is_told_so(lacks, words):
    kernel = FakeKernel(**HAS | lacks)
    with pytest.raises(UnsupportedError, match=f"{words}.*: leave guest-memfd out$"):
        Vm(kernel, guest_memfd=True)
    assert not kernel.open_fds


@pytest.mark.kvm
@pytest.mark.seabios
def test_firmware_runs_from_such_memory():
    engine = "kvm,guest-memfd=1"
    with VirtualMachine(MachineConfig(debugcon=True), engine="kvm") as probe:
        caps = probe.accelerator._vm.features.caps
    if not caps[Cap.GUEST_MEMFD] or caps[Cap.GUEST_MEMFD_FLAGS] & 3 != 3:
        with pytest.raises(UnsupportedError, match="guest_memfd"):
            VirtualMachine(MachineConfig(debugcon=True), engine=engine)
        return
    with VirtualMachine(MachineConfig(debugcon=True), engine=engine) as vm:
        vm.run(until=Phase.HALT)
        assert [line.text for line in vm.log][-1] == "No bootable device."
        at = vm.board.ram.ram_block.host_address
        lines = Path("/proc/self/maps").read_text().splitlines()
        (mapped,) = [x for x in lines if int(x.split("-")[0], 16) == at]
        assert "[kvm-gmem]" in mapped or "guest_memfd" in mapped
        assert bytes(vm.board.cpu_memory.read(0x7C00, 4)) == bytes(
            vm.board.ram.buffer[0x7C00:0x7C04]
        )
