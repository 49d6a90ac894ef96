"""The adapter that the documents show, and a board for it; run as a program, in the real Qiling."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from guestmap.accel.unicorn import attach
from guestmap.memory import AddressSpace, MemoryRegionOps, MemorySystem

_DOCUMENT = Path(__file__).parents[3] / "docs" / "memory.md"


def adapter() -> Any:
    """Return the document's function."""
    found = re.search(r"```py\n(def show.*?)```", _DOCUMENT.read_text(), re.DOTALL)
    assert found
    names: dict[str, Any] = {"attach": attach}
    exec(found[1], names)
    return names["show"]


def board() -> AddressSpace:
    """Return an address space with two devices on one page, and RAM."""
    memory = MemorySystem()
    root = memory.container("board", 1 << 32)
    uart = MemoryRegionOps(read=lambda _offset, _size: 0x55)
    root.add_subregion(0x4000_0000, memory.io("uart", 16, uart))
    root.add_subregion(0x4000_0010, memory.io("timer", 16, None))
    root.add_subregion(0x5000_0000, memory.ram("ram", 0x2000))
    return memory.address_space("memory", root)


def main() -> None:
    """Have a guest of Qiling read a device and write RAM; print it, and Qiling's list."""
    from qiling import Qiling  # type: ignore[import-not-found]
    from qiling.const import QL_ARCH, QL_OS, QL_VERBOSE  # type: ignore[import-not-found]

    ql = Qiling(
        code=bytes.fromhex("0010d0e5 001083e5"),  # ldrb r1, [r0]; str r1, [r3]
        archtype=QL_ARCH.ARM, ostype=QL_OS.LINUX, rootfs="/", verbose=QL_VERBOSE.OFF,
    )  # fmt: skip
    space = board()
    with adapter()(ql, space):
        ql.arch.regs.r0, ql.arch.regs.r3 = 0x4000_0000, 0x5000_1000
        ql.run()
        print(hex(space.load(0x5000_1000, 4)))
        print("\n".join(ql.mem.get_formatted_mapinfo()))


if __name__ == "__main__":
    main()
