"""``sendkey``, ``mouse_move``, ``mouse_button``, ``screendump``: the machine's screen and keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.hw.ps2.keys import KEYS, NUMBERS
from guestmap.monitor.commands import console

if TYPE_CHECKING:
    from guestmap.machine.input import InputDevices
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext

_HEX = re.compile("0[xX][0-9a-fA-F]+")
_BITS = ((1, "left"), (2, "middle"), (4, "right"))


def sendkey(context: HmpContext, values: Values) -> str:
    """Press keys, and release them after a moment."""
    names = str(values["keys"]).split("-")
    numbers = [_number(name) for name in names]
    if None in numbers:
        return f"invalid parameter: {names[numbers.index(None)]}\n"
    hold = values.get("hold_time", console.HOLD_MS)
    assert isinstance(hold, int)
    console.type_keys(context.vm, [number or 0 for number in numbers], hold)
    return ""


def _number(name: str) -> int | None:
    """Return a key's number, 0 for one that the keyboard has not; None where none is meant."""
    if _HEX.fullmatch(name):
        number = int(name, 16)
        return number if number in NUMBERS else 0
    name = "less" if name == "<" else name
    if name not in KEYS and name not in console.UNKNOWN_KEYS:
        return None
    return KEYS.get(name, 0)


def mouse_move(context: HmpContext, values: Values) -> str:
    """Move the mouse, and turn its wheel."""
    devices = _devices(context)
    if devices is not None:
        devices.move(_to_int(values["dx_str"]), _to_int(values["dy_str"]))
        turned = _to_int(values.get("dz_str", "0"))
        if turned:
            devices.button("wheel-up" if turned > 0 else "wheel-down", pressed=True)
        devices.sync()
    return ""


def mouse_button(context: HmpContext, values: Values) -> str:
    """Have just these buttons of the mouse down."""
    state, devices = values["button_state"], _devices(context)
    assert isinstance(state, int)
    if devices is not None:
        devices.set_buttons(name for bit, name in _BITS if state & bit)
        devices.sync()
    return ""


def screendump(context: HmpContext, values: Values) -> str:
    """Write what the screen shows to a file."""
    form = str(values.get("format") or "ppm")
    if "device" in values:
        raise ConfigError(f"Device '{values['device']}' not found")
    if form not in console.FORMATS:
        raise ConfigError(f"invalid parameter value: {form}")
    console.dump(context.vm, str(values["filename"]), form)
    return ""


def _devices(context: HmpContext) -> InputDevices | None:
    vm = context.vm
    return vm.board.input if vm.state.feels_input else None


def _to_int(value: object) -> int:
    """Return the number at the beginning of a word, as strtol(3) does; 0 where none is."""
    found = re.match(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)", str(value))
    if found is None:
        return 0
    number = int(found[2], 16 if found[2][:2] in ("0x", "0X") else 10)
    return -number if found[1] == "-" else number
