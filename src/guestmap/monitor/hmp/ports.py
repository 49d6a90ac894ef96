"""``i`` and ``o``: the CPU's I/O ports, read and written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.monitor.hmp.arguments import Format

if TYPE_CHECKING:
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext

_PORTS = 1 << 16
_LETTERS = {2: "w", 4: "l"}


def read_port(context: HmpContext, values: Values) -> str:
    """Read a port: ``i``; with an index, write that to the port before it first.

    Of the format it is the size that counts: 2 or 4 bytes; any other size reads one.
    """
    form, port, index = values["format"], values["address"], values.get("index")
    assert isinstance(form, Format)
    assert isinstance(port, int)
    ports = context.board.io
    if isinstance(index, int):
        ports.store(port % _PORTS, 1, index & 0xFF)
        port += 1
    port %= _PORTS
    value = ports.load(port, form.size if form.size in _LETTERS else 1)
    # Instructions have size -1: a field of two, filled from the right.
    digits = f"{value:<2x}" if form.size < 0 else f"{value:0{form.size * 2}x}"
    return f"port{_LETTERS.get(form.size, 'b')}[0x{port:04x}] = 0x{digits}\n"


def write_port(context: HmpContext, values: Values) -> str:
    """Write a port: ``o``."""
    form, port, value = values["format"], values["address"], values["value"]
    assert isinstance(form, Format)
    assert isinstance(port, int)
    assert isinstance(value, int)
    size = form.size if form.size in _LETTERS else 1
    context.board.io.store(port % _PORTS, size, value & (1 << size * 8) - 1)
    return ""
