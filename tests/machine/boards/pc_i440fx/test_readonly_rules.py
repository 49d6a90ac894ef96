"""Who may write where the map shows RAM for reading alone."""

from __future__ import annotations

import pytest

from guestmap.machine import MachineConfig, make_board
from guestmap.memory import MemTxResult

pytestmark = pytest.mark.seabios

_ADDRESS, _DATA, _PAM0 = 0xCF8, 0xCFC, 0x59
_READ_ONLY = 0x10


@pytest.mark.parametrize("as_qemu", [False, True])
def test_a_bus_master_writes_through_a_read_only_alias_as_in_qemu_alone(as_qemu: bool) -> None:
    board = make_board(MachineConfig(ram_size=2 << 20, qemu_readonly_rules=as_qemu))
    try:
        board.io.store(_ADDRESS, 4, 0x8000_0000 | _PAM0 & ~3)
        board.io.store(_DATA + _PAM0 % 4, 1, _READ_ONLY)
        result = board.memory.write(0xF0000, b"over")
        assert (result == MemTxResult.OK) == as_qemu
        assert board.memory.read(0xF0000, 4) == (b"over" if as_qemu else bytes(4))
    finally:
        board.close()
