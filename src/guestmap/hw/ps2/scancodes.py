"""Keyboard scan codes: set 1 (the PC/XT's, which programs see) to set 2 (which keyboards send).

Source: IBM PS/2 Hardware Interface Technical Reference, keyboard scan code tables.
"""

from __future__ import annotations

from types import MappingProxyType

_FIRST_SET_1 = 0x01
_SET_2 = bytes.fromhex(
    "76 16 1e 26 25 2e 36 3d 3e 46 45 4e 55 66 0d"  # 01-0f: Esc 1-0 - = Backspace Tab
    "15 1d 24 2d 2c 35 3c 43 44 4d 54 5b 5a 14"  # 10-1d: Q-P [ ] Enter Ctrl
    "1c 1b 23 2b 34 33 3b 42 4b 4c 52 0e 12 5d"  # 1e-2b: A-L ; ' ` Shift backslash
    "1a 22 21 2a 32 31 3a 41 49 4a 59 7c 11 29 58"  # 2c-3a: Z-/ Shift * Alt Space Caps
    "05 06 04 0c 03 0b 83 0a 01 09 77 7e"  # 3b-46: F1-F10 Num Scroll
    "6c 75 7d 7b 6b 73 74 79 69 72 7a 70 71 84"  # 47-54: the keypad, SysRq
)

_OTHERS = bytes.fromhex(
    "5661 5778 5807 590f 5b1f 5c27 5d2f"  # the key beside the left Shift, F11, F12, = and logos
    "5e37 5f3f 635e 6618 6720 6828 6930 6a38 6b40 6c48 6d50"  # power and what browsers have
    "7013 7351 7762 7964 7b67 7d6a 7e6d"  # Japanese keyboards
)

SET_1_TO_2 = MappingProxyType(
    {_FIRST_SET_1 + index: code for index, code in enumerate(_SET_2)}
    | dict(zip(_OTHERS[::2], _OTHERS[1::2], strict=True))
)
"""Make code in set 1 -> make code in set 2, without the E0 prefix, which both share."""
