"""Guest memory that is a file of the VM's own (guest_memfd), mapped where the RAM already is.

Source: Linux, Documentation/virt/kvm/api.rst, sections 4.140 and 4.142. Only a file that its owner
can map is of use to a machine whose devices read and write the guest's memory.
"""

from __future__ import annotations

import mmap
from struct import pack
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from guestmap.accel.kvm.abi import (
    CREATE_GUEST_MEMFD,
    GUEST_MEMFD_INIT_SHARED,
    GUEST_MEMFD_MMAP,
    PAGE,
    Cap,
)
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from guestmap.accel.kvm.caps import Features
    from guestmap.accel.kvm.kernel import Handle
    from guestmap.accel.kvm.pieces import Slot
    from guestmap.memory.ram import RamBlock

_FLAGS = GUEST_MEMFD_MMAP | GUEST_MEMFD_INIT_SHARED
_CHUNK = 1 << 21


class GuestMemory:
    """The files behind a VM's RAM blocks, each made when a block's first slot is.

    A block whose memory is a file already, or huge pages, stays as it is.

    Args:
        vm: the VM.
        features: of the host.

    Raises:
        UnsupportedError: the host has no such files.
    """

    def __init__(self, vm: Handle, features: Features) -> None:
        needed = (Cap.USER_MEMORY2, Cap.GUEST_MEMFD)
        lacking = [f"KVM_CAP_{cap.name}" for cap in needed if not features.has(cap)]
        if lacking:
            raise UnsupportedError(
                f"this host's KVM has no guest_memfd ({', '.join(lacking)}): leave guest-memfd out"
            )
        if features.caps[Cap.GUEST_MEMFD_FLAGS] & _FLAGS != _FLAGS:
            raise UnsupportedError(
                "this host's KVM has no guest_memfd that can be mapped"
                " (KVM_CAP_GUEST_MEMFD_FLAGS): leave guest-memfd out"
            )
        self._vm = vm
        self._files: WeakKeyDictionary[RamBlock, int] = WeakKeyDictionary()
        self._made: list[int] = []

    def file_of(self, slot: Slot) -> int | None:
        """Return the file that a slot can have its memory from; None where it cannot.

        The kernel gives none to a slot that is read-only, or logged: such a slot is reached by the
        mapping alone, which is of the same file.

        Raises:
            HostError: the kernel refuses.
        """
        if slot.readonly or slot.logged:
            return None
        block = slot.block
        if block not in self._files:
            if not _is_plain(block):
                return None
            self._files[block] = self._replace(block)
        return self._files[block]

    def _replace(self, block: RamBlock) -> int:
        """Put a file behind a block, with what the block holds."""
        size = len(block.buffer)
        request = pack("<QQ48x", size, _FLAGS)
        file = self._vm.call(CREATE_GUEST_MEMFD, bytearray(request), f"{block.name}, {size} bytes")
        self._made.append(file)
        held = [(at, piece) for at in range(0, size, _CHUNK) if (piece := _piece(block, at))]
        self._vm.kernel.map_over(file, block.host_address, size)
        for at, piece in held:
            block.buffer[at : at + len(piece)] = piece
        return file

    def close(self) -> None:
        """Give the files back; what is mapped stays."""
        for file in self._made:
            self._vm.kernel.close(file)
        self._made.clear()
        self._files.clear()


def _is_plain(block: RamBlock) -> bool:
    host = block.host
    return (
        host is not None
        and host.fd < 0
        and block.page_size == mmap.PAGESIZE
        and not len(block.buffer) % PAGE
    )


def _piece(block: RamBlock, at: int) -> bytes:
    piece = bytes(block.buffer[at : at + _CHUNK])
    return piece if piece.count(0) < len(piece) else b""
