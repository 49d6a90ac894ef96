"""Our machine on a real KVM: in a Linux that has one, inside QEMU's emulation of SVM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kvm_guest import NEWER_LINUX, run_tests_in_kvm_guest

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 1500
TEST_S = 600
"""Of one test: more than the silence after which another emulation takes a lost one's place."""
pytestmark = [
    pytest.mark.peers, pytest.mark.qemu, pytest.mark.seabios, pytest.mark.timeout(TIMEOUT_S + 60)
]  # fmt: skip

FILES = (
    "kvm/test_on_kvm.py", "kvm/test_several_vcpus.py", "kvm/test_machine_of_several.py",
    "kvm/test_machine_with_irqchip.py", "kvm/test_guest_memfd.py", "kvm/test_backends_on_kvm.py",
    "test_contract.py", "test_debug.py", "test_dirty_log.py", "test_interrupts.py",
    "test_memory_accesses.py", "test_random_maps.py", "test_robustness.py", "test_smm.py",
    "test_stale_code.py", "test_unplug.py", "test_watchdog.py",
)  # fmt: skip
LONG_FILES = (
    "kvm/test_linux_on_kvm.py", "kvm/test_linux_on_four_cpus.py", "kvm/test_memtest_on_kvm.py",
    "kvm/test_on_kvm.py", "kvm/test_machine_of_several.py", "kvm/test_machine_with_irqchip.py",
)  # fmt: skip
# QEMU's emulation ends, all of it, where a nested guest in ring 3 is interrupted after somebody has
# set its task register as every processor has it (a busy TSS): nothing of that is tried there, and
# no program of random bytes, which might come to it.
LEFT_OUT = "not ring_3 and not virtual_8086 and not random_programs"
LONG_S = 3600
"""Far more than any takes on a quiet host; one that stands still is told of by its silence."""


def pytest_line(files: tuple[str, ...], marks: str, timeout_s: int) -> str:
    """Return the command that runs tests there."""
    paths = " ".join(f"tests/accel/{each}" for each in files)
    return (
        f"python3 -m pytest {paths} -m '{marks}' -k '{LEFT_OUT}' -v --color=no -o addopts="
        f" -p no:cacheprovider --assert=plain --timeout {timeout_s} --tb=short -rN"
    )


@pytest.mark.filterwarnings("default::tests.support.kvm_guest.StandstillWarning")
def test_the_contract_of_engines_and_a_boot_hold_on_kvm(tmp_path: Path) -> None:
    tests = pytest_line(FILES, "kvm and not long", TEST_S)
    assert run_tests_in_kvm_guest(tmp_path, tests, timeout_s=TIMEOUT_S) == 0


@pytest.mark.long
@pytest.mark.timeout(LONG_S + 60)
@pytest.mark.filterwarnings("default::tests.support.kvm_guest.StandstillWarning")
def test_they_hold_on_a_newer_kernel(tmp_path: Path) -> None:
    """Kernels differ in what they answer, and in what they merge."""
    tests = pytest_line(FILES, "kvm and not long", TEST_S)
    assert run_tests_in_kvm_guest(tmp_path, tests, timeout_s=LONG_S, linux=NEWER_LINUX) == 0


@pytest.mark.long
@pytest.mark.timeout(LONG_S + 60)
@pytest.mark.filterwarnings("default::tests.support.kvm_guest.StandstillWarning")
@pytest.mark.parametrize("file", LONG_FILES)
def test_guests_and_what_takes_long_on_kvm(tmp_path: Path, file: str) -> None:
    tests = pytest_line((file,), "kvm and long", LONG_S) + " -s"
    assert run_tests_in_kvm_guest(tmp_path, tests, timeout_s=LONG_S, with_linux=True) == 0
