"""Keys as a browser names them (W3C, "UI Events KeyboardEvent code Values"), as those of a PC."""

from __future__ import annotations

from string import ascii_lowercase, digits
from types import MappingProxyType

CODES = MappingProxyType(
    {f"Key{each.upper()}": each for each in ascii_lowercase}
    | {f"Digit{each}": each for each in digits}
    | {f"F{number}": f"f{number}" for number in range(1, 13)}
    | {f"Numpad{each}": f"kp_{each}" for each in digits}
    | {
        "Minus": "minus", "Equal": "equal", "BracketLeft": "bracket_left",
        "BracketRight": "bracket_right", "Semicolon": "semicolon", "Quote": "apostrophe",
        "Backquote": "grave_accent", "Backslash": "backslash", "Comma": "comma", "Period": "dot",
        "Slash": "slash", "IntlBackslash": "less", "IntlRo": "ro", "IntlYen": "yen",
        "Escape": "esc", "Backspace": "backspace", "Tab": "tab", "Enter": "ret", "Space": "spc",
        "CapsLock": "caps_lock", "NumLock": "num_lock", "ScrollLock": "scroll_lock",
        "ShiftLeft": "shift", "ShiftRight": "shift_r", "ControlLeft": "ctrl",
        "ControlRight": "ctrl_r", "AltLeft": "alt", "AltRight": "alt_r", "MetaLeft": "meta_l",
        "MetaRight": "meta_r", "ContextMenu": "compose", "PrintScreen": "print", "Pause": "pause",
        "Insert": "insert", "Delete": "delete", "Home": "home", "End": "end", "PageUp": "pgup",
        "PageDown": "pgdn", "ArrowUp": "up", "ArrowDown": "down", "ArrowLeft": "left",
        "ArrowRight": "right", "NumpadAdd": "kp_add", "NumpadSubtract": "kp_subtract",
        "NumpadMultiply": "kp_multiply", "NumpadDivide": "kp_divide", "NumpadEnter": "kp_enter",
        "NumpadDecimal": "kp_decimal", "NumpadComma": "kp_comma", "NumpadEqual": "kp_equals",
    }
)  # fmt: skip
"""QEMU's name of each."""
