"""A host that cannot run KVM says so in one line, with what helps."""

from __future__ import annotations

import errno

import pytest

from guestmap.accel import ACCELERATORS, NoInterrupts, open_accelerator
from guestmap.accel.kvm import abi
from guestmap.accel.kvm.abi import Cap
from guestmap.accel.kvm.accelerator import KvmAccelerator
from guestmap.accel.kvm.vm import Vm
from guestmap.accel.none import NoAccelerator
from guestmap.base import ConfigError, HostError, UnsupportedError
from guestmap.memory import MemorySystem
from tests.accel.kvm.fake_kernel import FakeKernel


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOENT, "this host has no /dev/kvm.*kvm_intel or kvm_amd.*--engine unicorn"),
        (errno.EACCES, "this user may not open /dev/kvm.*--engine unicorn"),
        (errno.EBUSY, "/dev/kvm cannot be opened"),
    ],
)
def test_a_device_that_cannot_be_opened(number, words):
    kernel = FakeKernel()
    kernel.refusal = number
    with pytest.raises(HostError, match=words) as caught:
        Vm(kernel)
    assert caught.value.errno == number
    assert "\n" not in str(caught.value)
    assert not kernel.open_fds


def test_the_group_that_may_open_it_is_named(tmp_path):
    kernel = FakeKernel()
    kernel.refusal = errno.EACCES
    device = tmp_path / "kvm"
    device.touch()
    device.chmod(0o660)
    with pytest.raises(HostError, match=rf"who is in group '{device.group()}' may"):
        Vm(kernel, str(device))
    device.chmod(0o600)
    with pytest.raises(HostError, match=r"may not, either: see its mode"):
        Vm(kernel, str(device))


def test_another_version_of_the_interface_is_refused():
    kernel = FakeKernel()
    kernel.version = 13
    with pytest.raises(UnsupportedError, match="version 13 of KVM's interface, not 12"):
        Vm(kernel)
    assert not kernel.open_fds


def test_what_is_lacking_is_named():
    kernel = FakeKernel(READONLY_MEM=0, IMMEDIATE_EXIT=0)
    with pytest.raises(UnsupportedError, match="no KVM_CAP_READONLY_MEM, KVM_CAP_IMMEDIATE_EXIT"):
        Vm(kernel)
    assert not kernel.open_fds


def test_a_kernel_that_does_not_count_its_slots_has_32():
    assert Vm(FakeKernel(NR_MEMSLOTS=0)).features.slots == 32


def test_the_codes_are_the_kernels():
    """Worked out by hand from linux/kvm.h: direction, size, 'KVMIO', number."""
    assert abi.SET_USER_MEMORY_REGION.code == 0x4020AE46
    assert abi.GET_SUPPORTED_CPUID.code == 0xC008AE05
    assert abi.GET_REGS.code == 0x8090AE81
    assert abi.RUN.code == 0xAE80
    for struct, request in (
        (abi.USER_MEMORY_REGION, abi.SET_USER_MEMORY_REGION),
        (abi.DIRTY_LOG, abi.GET_DIRTY_LOG),
        (abi.CLEAR_LOG, abi.CLEAR_DIRTY_LOG),
        (abi.ENABLE, abi.ENABLE_CAP),
        (abi.BELL, abi.IOEVENTFD),
        (abi.ZONE, abi.REGISTER_COALESCED_MMIO),
    ):
        assert struct.size == request.size == request.code >> 16 & 0x3FFF


def test_capabilities_that_may_be_missing_are_done_without():
    vm = Vm(FakeKernel(SET_TSS_ADDR=0, SET_IDENTITY_MAP_ADDR=0, MANUAL_DIRTY_LOG_PROTECT2=0))
    assert not vm.features.has(Cap.MANUAL_DIRTY_LOG_PROTECT2)
    vm.close()
    vm.close()


# -- which of several accelerators -----------------------------------------------------------------


class Refused(NoAccelerator):
    """One that this host has not."""

    def __init__(self, *_: object) -> None:
        raise HostError("this host has none")


class Slow(NoAccelerator):
    """One that this host has something better than."""

    @staticmethod
    def check_worth() -> None:
        raise UnsupportedError("it is slow")


@pytest.mark.parametrize(
    ("name", "taken", "left_out"),
    [
        ("none", "none", ()),
        ("none:refused", "none", ()),
        ("refused:none", "none", ("engine 'refused' is left out: this host has none",)),
        ("slow:none", "none", ("engine 'slow' is left out: it is slow",)),
        ("slow:refused:none", "none", ("engine 'slow' is left out: it is slow",
                                       "engine 'refused' is left out: this host has none")),
        ("slow", "none", ()),
    ],
)  # fmt: skip
def test_the_first_that_does_well_is_taken(monkeypatch, name, taken, left_out):
    monkeypatch.setitem(ACCELERATORS, "refused", (__name__, "Refused"))
    monkeypatch.setitem(ACCELERATORS, "slow", (__name__, "Slow"))
    system = MemorySystem()
    spaces = [system.address_space(each, system.container(each, 1 << 32)) for each in "mi"]
    with open_accelerator(name, *spaces, [NoInterrupts()]) as accelerator:
        assert accelerator.name == taken
        assert accelerator.left_out == left_out
    with pytest.raises(ConfigError, match="no engine 'bochs'"):
        open_accelerator("bochs:none", *spaces, [NoInterrupts()])


def test_a_kvm_that_emulates_is_not_worth_it(monkeypatch):
    monkeypatch.setattr("guestmap.accel.kvm.accelerator.instructions_per_s", lambda: 4e5)
    with pytest.raises(UnsupportedError, match=r"0\.4 million instructions a second.*unicorn"):
        KvmAccelerator.check_worth()
    monkeypatch.setattr("guestmap.accel.kvm.accelerator.instructions_per_s", lambda: 1e9)
    KvmAccelerator.check_worth()
