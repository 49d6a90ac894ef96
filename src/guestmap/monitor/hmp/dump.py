"""``x``, ``xp`` and ``print``: memory and numbers, in GDB's formats."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.base import MIB, ConfigError
from guestmap.memory import MemTxResult
from guestmap.monitor.hmp.arguments import Format
from guestmap.monitor.linear import LinearReader

if TYPE_CHECKING:
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext

MAX_DUMP = MIB
"""Bytes that one command shows at most; QEMU shows all that is asked for."""

_ADDRESSES = 1 << 64
_SIGN = 1 << 63

Reader = Callable[[int, int], bytes | None]
"""Returns the bytes at an address; None where they cannot be read."""


def dump_virtual(context: HmpContext, values: Values) -> str:
    """Show memory as the CPU sees it: ``x``."""
    if not context.board.cpus:
        return "Can not dump without CPU\n"
    return _dump(values, LinearReader(context.vm.vcpu, context.board.cpu_memory).read)


def dump_physical(context: HmpContext, values: Values) -> str:
    """Show guest-physical memory: ``xp``."""
    return _dump(values, _physical_reader(context))


def print_value(_context: HmpContext, values: Values) -> str:
    """Show the value of an expression: ``print``."""
    form, value = values["format"], values["value"]
    assert isinstance(form, Format)
    assert isinstance(value, int)
    return f"{_plain(form.letter, value)}\n"


def _plain(letter: str, value: int) -> str:
    unsigned = value % _ADDRESSES
    if letter == "o":
        return f"0{unsigned:o}" if value else "0"
    if letter == "x":
        return f"{unsigned:#x}" if value else "0"
    if letter == "u":
        return str(unsigned)
    if letter == "c":
        return _character(value % (1 << 32))
    return str(value)


def _physical_reader(context: HmpContext) -> Reader:
    memory = context.board.cpu_memory

    def read(address: int, length: int) -> bytes | None:
        if address + length > _ADDRESSES:
            return None
        buffer = bytearray(length)
        return bytes(buffer) if memory.read_into(address, buffer) is MemTxResult.OK else None

    return read


def _dump(values: Values, read: Reader) -> str:
    form, address = values["format"], values["address"]
    assert isinstance(form, Format)
    assert isinstance(address, int)
    address %= _ADDRESSES
    if form.letter == "i":
        return f"{address:#010x}: Asm output not supported on this arch\n"
    left = form.count * form.size
    if left > MAX_DUMP:
        raise ConfigError(f"{left} bytes are more than one dump shows: ask for {MAX_DUMP} at most")
    size = 1 if form.letter == "c" else form.size
    line_size = 8 if form.size == 1 else 16
    lines: list[str] = []
    while left > 0:
        length = min(left, line_size)
        data = read(address, length)
        if data is None:
            lines.append(f"{address:016x}: Cannot access memory\n")
            break
        numbers = (int.from_bytes(data[at : at + size], "little") for at in range(0, length, size))
        shown = "".join(f" {_padded(form.letter, size, number)}" for number in numbers)
        lines.append(f"{address:016x}:{shown}\n")
        address = (address + length) % _ADDRESSES
        left -= length
    return "".join(lines)


def _padded(letter: str, size: int, value: int) -> str:
    """Return a number as wide as the widest of its size."""
    bits = size * 8
    if letter == "c":
        return _character(value)
    if letter == "x":
        return f"0x{value:0{bits // 4}x}"
    if letter == "o":
        return f"{_plain('o', value):>{-(-bits // 3)}}"
    if letter == "d" and size == 8:
        value = (value ^ _SIGN) - _SIGN
    return f"{value:>{-(-bits * 10 // 33)}}"


def _character(value: int) -> str:
    special = {0x27: "\\'", 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r"}.get(value)
    if special is None:
        special = chr(value) if 32 <= value <= 126 else f"\\x{value:02x}"
    return f"'{special}'"
