"""What a vCPU shares with the kernel: ``struct kvm_run`` (api.rst, section 5)."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from guestmap.accel.kvm.abi import GET_REGS, GET_SREGS, ExitCode, SyncFlag

if TYPE_CHECKING:
    import mmap

_REASON = Struct("<I")
_REQUEST_WINDOW, _IMMEDIATE_EXIT = 0, 1
_REASON_AT, _READY_AT, _IF_AT, _UNION_AT = 8, 12, 13, 32
_FLAGS_AT, _FLAG_SMM = 14, 1
_MMIO = Struct("<Q8sIB")
_MMIO_DATA_AT = 40
_IO = Struct("<BBHIQ")
_DEBUG = Struct("<8xQQ")
_INTERNAL = Struct("<II")
_WORDS_AT, _MOST_WORDS = 40, 16
_QUAD = Struct("<Q")
_VALID_AT, _SYNCED_AT = 288, 304
_GENERAL = slice(_SYNCED_AT, _SYNCED_AT + GET_REGS.size)
_SPECIAL = slice(_GENERAL.stop, _GENERAL.stop + GET_SREGS.size)
_NAMES = {int(code): code.name for code in ExitCode}


class Mmio(NamedTuple):
    """An access of an address that is no slot, or a write to a read-only one.

    ``data`` are eight bytes, of which ``length`` (not always a power of two) count.
    """

    address: int
    data: bytes
    length: int
    is_write: bool


class RunPage:
    """The page. Only the thread that runs the vCPU reads it; any may set ``immediate_exit``."""

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self._memory = memory

    def leave_at_once(self, *, wanted: bool) -> None:
        """Have the next KVM_RUN return EINTR before it enters the guest, or not."""
        self._memory[_IMMEDIATE_EXIT] = wanted

    @property
    def reason(self) -> int:
        """Why the last KVM_RUN that returned 0 did; after EINTR it is stale."""
        return int(_REASON.unpack_from(self._memory, _REASON_AT)[0])

    @property
    def in_smm(self) -> bool:
        """Whether the access that the guest waits for is one of system management mode."""
        return bool(self._memory[_FLAGS_AT] & _FLAG_SMM)

    # -- registers ---------------------------------------------------------------------------------

    def synchronise(self) -> None:
        """Have the kernel put the registers here whenever KVM_RUN returns."""
        _QUAD.pack_into(self._memory, _VALID_AT, SyncFlag.REGS | SyncFlag.SREGS)

    def registers(self) -> tuple[bytes, bytes]:
        """Return ``struct kvm_regs`` and ``kvm_sregs`` as they were put here last."""
        return bytes(self._memory[_GENERAL]), bytes(self._memory[_SPECIAL])

    # -- interrupts --------------------------------------------------------------------------------

    def request_window(self, *, wanted: bool) -> None:
        """Have the vCPU leave the guest as soon as it can take an interrupt, or not."""
        self._memory[_REQUEST_WINDOW] = wanted

    @property
    def takes_interrupts(self) -> bool:
        """Whether an interrupt can be injected now; False before the first run."""
        return bool(self._memory[_READY_AT] and self._memory[_IF_AT])

    def forget_interrupts(self) -> None:
        """Note that what the page says of interrupts is stale: the registers are others."""
        self._memory[_READY_AT] = self._memory[_IF_AT] = 0

    def interrupt_given(self) -> None:
        """Note that one was injected: a second would silently take its place."""
        self._memory[_READY_AT] = 0

    @property
    def ended_vector(self) -> int:
        """The vector of a level-triggered interrupt that has ended."""
        return self._memory[_UNION_AT]

    # -- accesses ----------------------------------------------------------------------------------

    def mmio(self) -> Mmio:
        """Return the access that the guest waits for."""
        address, data, length, is_write = _MMIO.unpack_from(self._memory, _UNION_AT)
        return Mmio(address, data, length, bool(is_write))

    def answer_mmio(self, data: bytes) -> None:
        """Give the guest what it reads."""
        self._memory[_MMIO_DATA_AT : _MMIO_DATA_AT + len(data)] = data

    def port_io(self) -> tuple[int, int, int, int, int]:
        """Return the accesses that the guest waits for, one after the other.

        Returns:
            Whether they are writes, the bytes of each, the port, how many there are, and where in
            the page the data of the first are.
        """
        return _IO.unpack_from(self._memory, _UNION_AT)

    def element(self, where: int, size: int) -> int:
        """Return what the guest writes, ``size`` bytes."""
        return int.from_bytes(self._memory[where : where + size], "little")

    def answer_element(self, where: int, size: int, value: int) -> None:
        """Give the guest what it reads, ``size`` bytes."""
        self._memory[where : where + size] = value.to_bytes(size, "little")

    def debug(self) -> tuple[int, int]:
        """Return the linear address at which the guest was stopped, and DR6: why."""
        return _DEBUG.unpack_from(self._memory, _UNION_AT)

    # -- the end -----------------------------------------------------------------------------------

    def explain(self) -> str:
        """Say, for people, why the kernel cannot go on."""
        reason = self.reason
        name = _NAMES.get(reason, f"exit {reason}")
        if reason == ExitCode.INTERNAL_ERROR:
            kind, count = _INTERNAL.unpack_from(self._memory, _UNION_AT)
            words = [
                f"{_QUAD.unpack_from(self._memory, _WORDS_AT + 8 * i)[0]:x}"
                for i in range(min(count, _MOST_WORDS))
            ]
            return f"{name}, suberror {kind}, data {' '.join(words) or 'none'}"
        if reason == ExitCode.FAIL_ENTRY:
            return f"{name}, hardware reason 0x{_QUAD.unpack_from(self._memory, _UNION_AT)[0]:x}"
        return name
