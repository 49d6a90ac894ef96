"""Keys by name and by number, and what a keyboard sends for each in scan code set 1.

The names are QEMU's (``QKeyCode``), the codes those of Microsoft's Keyboard Scan Code Specification
(revision 1.3a). A key's number is its make code; that of a key with the prefix E0h has bit 7 set.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXTENDED = 0x80
PRINT, SYS_RQ, PAUSE = 0xB7, 0x54, 0xC6
ALT, ALT_R, CTRL, CTRL_R, SHIFT, SHIFT_R = 0x38, 0xB8, 0x1D, 0x9D, 0x2A, 0x36
MODIFIERS = (ALT, ALT_R, CTRL, CTRL_R, SHIFT, SHIFT_R)

_RUNS: tuple[tuple[int, str], ...] = (
    (0x01, "esc 1 2 3 4 5 6 7 8 9 0 minus equal backspace tab"),
    (0x10, "q w e r t y u i o p bracket_left bracket_right ret ctrl"),
    (0x1E, "a s d f g h j k l semicolon apostrophe grave_accent shift backslash"),
    (0x2C, "z x c v b n m comma dot slash shift_r kp_multiply alt spc caps_lock"),
    (0x3B, "f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 num_lock scroll_lock kp_7 kp_8 kp_9 kp_subtract"),
    (0x4B, "kp_4 kp_5 kp_6 kp_add kp_1 kp_2 kp_3 kp_0 kp_decimal sysrq"),
    (0x56, "less f11 f12 kp_equals"),
)
_OTHERS = {
    "asterisk": 0x37, "katakanahiragana": 0x70, "ro": 0x73, "hiragana": 0x77, "henkan": 0x79,
    "muhenkan": 0x7B, "yen": 0x7D, "kp_comma": 0x7E, "audioprev": 0x90, "audionext": 0x99,
    "kp_enter": 0x9C, "ctrl_r": CTRL_R, "audiomute": 0xA0, "calculator": 0xA1, "audioplay": 0xA2,
    "audiostop": 0xA4, "volumedown": 0xAE, "volumeup": 0xB0, "ac_home": 0xB2, "kp_divide": 0xB5,
    "print": PRINT, "alt_r": ALT_R, "pause": PAUSE, "home": 0xC7, "up": 0xC8, "pgup": 0xC9,
    "left": 0xCB, "right": 0xCD, "end": 0xCF, "down": 0xD0, "pgdn": 0xD1, "insert": 0xD2,
    "delete": 0xD3, "meta_l": 0xDB, "meta_r": 0xDC, "compose": 0xDD, "power": 0xDE, "sleep": 0xDF,
    "wake": 0xE3, "ac_bookmarks": 0xE6, "ac_refresh": 0xE7, "stop": 0xE8, "ac_forward": 0xE9,
    "ac_back": 0xEA, "computer": 0xEB, "mail": 0xEC, "mediaselect": 0xED,
}  # fmt: skip

KEYS: Mapping[str, int] = MappingProxyType(
    {name: first + at for first, names in _RUNS for at, name in enumerate(names.split())} | _OTHERS
)
"""The keys that this keyboard has, by name."""
NUMBERS = frozenset(KEYS.values())


def strokes(number: int, held: frozenset[int], *, pressed: bool) -> bytes:
    """Return what pressing or releasing a key sends, in scan code set 1.

    Args:
        number: the key's; nothing is sent for one that the keyboard has not.
        held: modifiers that are down.
        pressed: whether it goes down.
    """
    if number not in NUMBERS:
        return b""
    if number == PAUSE:  # make and break at once
        if not pressed:
            return b""
        return bytes.fromhex("e046e0c6" if held & {CTRL, CTRL_R} else "e11d45e19dc5")
    if number in (PRINT, SYS_RQ):
        return _print_screen(held, pressed)
    return _plain(number, pressed)


def _print_screen(held: frozenset[int], pressed: bool) -> bytes:
    """With Alt it is SysRq, for which Alt is let go; alone it brings a Shift of its own."""
    for alt in (ALT, ALT_R):
        if alt in held:
            again = _plain(alt, False) + _plain(alt, True)
            return again + b"\x54" if pressed else b"\xd4" + again
    if held:
        return _plain(PRINT, pressed)
    return bytes.fromhex("e02ae037" if pressed else "e0b7e0aa")


def _plain(number: int, pressed: bool) -> bytes:
    code = number & 0x7F | (0 if pressed else 0x80)
    return bytes((0xE0, code) if number & EXTENDED else (code,))
