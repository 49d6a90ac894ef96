"""The keyboard controller and what is plugged into it: the conversations that guests have."""

from __future__ import annotations

import pytest

from guestmap.hw.ps2.i8042 import I8042
from tests.hw.device_traffic import Bench

DATA, COMMAND = 0x60, 0x64
FULL, SELF_TEST, OF_MOUSE = 0x01, 0x04, 0x20
ACK = 0xFA


class Keyboard(Bench):
    def __init__(self) -> None:
        super().__init__()
        self.a20: list[bool] = []
        self.resets = 0
        self.controller = I8042(
            self.line(1), self.line(12),
            on_reset=self._on_reset, on_a20=self.a20.append,
        )  # fmt: skip
        self.place(self.controller)

    def _on_reset(self) -> None:
        self.resets += 1

    def command(self, value: int, *arguments: int) -> None:
        self.outb(COMMAND, value)
        for argument in arguments:
            self.outb(DATA, argument)

    def mouse(self, value: int) -> None:
        self.command(0xD4, value)

    def drain(self) -> list[int]:
        """Read what there is, as an interrupt handler would."""
        values = []
        while self.inb(COMMAND) & FULL:
            values.append(self.inb(DATA))
        return values

    def high(self) -> list[int]:
        return sorted(number for number, line in self.lines.items() if line.level)


@pytest.fixture
def keyboard() -> Keyboard:
    return Keyboard()


def test_the_self_test_passes_and_is_remembered(keyboard: Keyboard) -> None:
    assert keyboard.inb(COMMAND) == 0x18
    keyboard.command(0xAA)
    assert keyboard.drain() == [0x55]
    assert keyboard.inb(COMMAND) == 0x18 | SELF_TEST


@pytest.mark.parametrize("command", [0xA9, 0xAB])
def test_both_interfaces_pass_their_test(keyboard: Keyboard, command: int) -> None:
    keyboard.command(command)
    assert keyboard.drain() == [0x00]


def test_the_mode_byte_is_kept(keyboard: Keyboard) -> None:
    keyboard.command(0x20)
    assert keyboard.drain() == [0x03]
    keyboard.command(0x60, 0x65)
    keyboard.command(0x20)
    assert keyboard.drain() == [0x65]


def test_disabling_an_interface_shows_in_the_mode_byte(keyboard: Keyboard) -> None:
    for command, mode in ((0xAD, 0x13), (0xA7, 0x33), (0xAE, 0x23), (0xA8, 0x03)):
        keyboard.command(command)
        keyboard.command(0x20)
        assert keyboard.drain() == [mode]


def test_a_keyboard_reset_is_what_seabios_does(keyboard: Keyboard) -> None:
    keyboard.outb(DATA, 0xFF)
    assert keyboard.drain() == [ACK, 0xAA]
    keyboard.outb(DATA, 0xF5)
    assert keyboard.drain() == [ACK]
    for value in (0xF0, 0x02):
        keyboard.outb(DATA, value)
        assert keyboard.drain() == [ACK]
    keyboard.command(0x60, 0x61)
    keyboard.outb(DATA, 0xF4)
    assert keyboard.drain() == [ACK]


def test_the_keyboard_says_who_it_is(keyboard: Keyboard) -> None:
    keyboard.outb(DATA, 0xF2)
    assert keyboard.drain() == [ACK, 0xAB, 0x83]
    keyboard.command(0x60, 0x43)
    keyboard.outb(DATA, 0xF2)
    assert keyboard.drain() == [ACK, 0xAB, 0x41]


def test_leds(keyboard: Keyboard) -> None:
    for value in (0xED, 0x07):
        keyboard.outb(DATA, value)
        assert keyboard.drain() == [ACK]
    assert keyboard.controller.keyboard.state.leds == 7


def test_a_key_interrupts_line_1_until_it_is_read(keyboard: Keyboard) -> None:
    keyboard.command(0x60, 0x43)
    keyboard.controller.press([0x1E, 0x9E])
    assert keyboard.high() == [1]
    assert keyboard.inb(DATA) == 0x1E
    assert keyboard.high() == [1]
    assert keyboard.inb(DATA) == 0x9E
    assert keyboard.high() == []
    assert keyboard.inb(DATA) == 0x9E  # nothing new: the last byte stays


def test_without_translation_keys_come_in_set_2(keyboard: Keyboard) -> None:
    keyboard.controller.press([0x1E, 0x9E, 0xE0, 0x48, 0xE0, 0xC8])
    assert keyboard.drain() == [0x1C, 0xF0, 0x1C, 0xE0, 0x75, 0xE0, 0xF0, 0x75]


def test_a_disabled_keyboard_keeps_its_key(keyboard: Keyboard) -> None:
    keyboard.command(0x60, 0x43)
    keyboard.command(0xAD)
    keyboard.controller.press([0x1C])
    assert keyboard.inb(COMMAND) & FULL == 0
    keyboard.command(0xAE)
    assert keyboard.high() == [1]
    assert keyboard.drain() == [0x1C]


def test_keys_that_find_no_room_are_lost(keyboard: Keyboard) -> None:
    keyboard.command(0x60, 0x43)
    keyboard.controller.press(range(1, 30))
    assert keyboard.drain() == list(range(1, 17))


def test_scanning_can_be_switched_off(keyboard: Keyboard) -> None:
    keyboard.outb(DATA, 0xF5)
    keyboard.drain()
    keyboard.controller.press([0x1C])
    assert keyboard.drain() == []


@pytest.mark.parametrize(
    ("command", "answer", "scans"),
    [(0xF5, [ACK], False), (0xF6, [ACK], True), (0xFF, [ACK, 0xAA], True)],
)
def test_a_keyboard_that_starts_over_drops_its_keys_and_has_the_second_set(
    keyboard: Keyboard, command: int, answer: list[int], scans: bool
) -> None:
    keyboard.command(0x60, 0x01)  # untranslated
    for value in (0xF0, 0x01):
        keyboard.outb(DATA, value)
        assert keyboard.drain() == [ACK]
    keyboard.controller.press([0x1C, 0x1D])
    keyboard.outb(DATA, command)
    assert keyboard.drain() == answer  # and none of the keys
    keyboard.controller.press([0x1C])
    assert bool(keyboard.drain()) is scans
    for value in (0xF0, 0x00):
        keyboard.outb(DATA, value)
        found = keyboard.drain()
    assert found == [ACK, 2]


def test_an_interrupt_that_the_mode_byte_forbids_does_not_come(keyboard: Keyboard) -> None:
    keyboard.command(0x60, 0x40)
    keyboard.controller.press([0x1C])
    assert keyboard.high() == []
    assert keyboard.drain() == [0x1C]


def test_the_mouse_answers_on_line_12(keyboard: Keyboard) -> None:
    keyboard.mouse(0xFF)
    assert keyboard.inb(COMMAND) & (FULL | OF_MOUSE) == FULL | OF_MOUSE
    assert keyboard.high() == [12]
    assert keyboard.drain() == [ACK, 0xAA, 0x00]
    keyboard.mouse(0xF2)
    assert keyboard.drain() == [ACK, 0x00]


def test_a_mouse_moves_when_it_is_enabled(keyboard: Keyboard) -> None:
    keyboard.controller.mouse.move(5, -3)
    assert keyboard.drain() == []
    keyboard.mouse(0xF4)
    keyboard.drain()
    keyboard.controller.mouse.move(5, -3, buttons=1)
    assert keyboard.drain() == [0x29, 0x05, 0xFD]


def test_the_wheel_comes_with_the_right_sample_rates(keyboard: Keyboard) -> None:
    for rate in (200, 100, 80):
        keyboard.mouse(0xF3)
        keyboard.mouse(rate)
    keyboard.mouse(0xF4)
    keyboard.drain()
    keyboard.mouse(0xF2)
    assert keyboard.drain() == [ACK, 0x03]
    keyboard.controller.mouse.move(dz=-1)
    assert keyboard.drain() == [0x08, 0x00, 0x00, 0xFF]


def test_five_buttons_come_with_other_sample_rates(keyboard: Keyboard) -> None:
    for rate in (200, 200, 80):
        keyboard.mouse(0xF3)
        keyboard.mouse(rate)
    keyboard.mouse(0xF4)
    keyboard.drain()
    keyboard.mouse(0xF2)
    assert keyboard.drain() == [ACK, 0x04]
    keyboard.controller.mouse.move(dz=-9, buttons=0x10)
    assert keyboard.drain() == [0x08, 0x00, 0x00, 0x29, 0x08, 0x00, 0x00, 0x2E]


def test_a_long_way_takes_several_packets(keyboard: Keyboard) -> None:
    keyboard.mouse(0xF4)
    keyboard.drain()
    keyboard.controller.mouse.move(dx=130, dy=-1, dz=5)
    assert keyboard.drain() == [0x28, 127, 0xFF, 0x08, 3, 0]


def test_a_mouse_in_remote_mode_waits_to_be_asked(keyboard: Keyboard) -> None:
    keyboard.mouse(0xF4)
    keyboard.mouse(0xF0)
    keyboard.drain()
    keyboard.controller.mouse.move(1, 1)
    keyboard.controller.mouse.move(2, 2, buttons=2)
    assert keyboard.drain() == []
    keyboard.mouse(0xEB)
    assert keyboard.drain() == [ACK, 0x0A, 3, 3]


def test_movement_that_finds_no_room_is_sent_later(keyboard: Keyboard) -> None:
    keyboard.mouse(0xF4)
    keyboard.drain()
    for _ in range(7):
        keyboard.controller.mouse.move(1)
    assert len(keyboard.drain()) == 15
    keyboard.controller.mouse.move(1)
    assert keyboard.drain() == [0x08, 3, 0]


def test_wrap_mode_echoes(keyboard: Keyboard) -> None:
    keyboard.mouse(0xEE)
    keyboard.mouse(0x42)
    keyboard.mouse(0xEC)
    keyboard.mouse(0xF2)
    assert keyboard.drain() == [ACK, 0x42, ACK, ACK, 0x00]


def test_the_mouse_reports_its_status(keyboard: Keyboard) -> None:
    keyboard.mouse(0xF6)
    keyboard.mouse(0xE8)
    keyboard.mouse(0x03)
    keyboard.mouse(0xE7)
    keyboard.drain()
    keyboard.mouse(0xE9)
    assert keyboard.drain() == [ACK, 0x10, 0x03, 100]


def test_a_byte_can_be_put_in_either_buffer(keyboard: Keyboard) -> None:
    keyboard.command(0xD2, 0x42)
    assert keyboard.high() == [1]
    assert keyboard.drain() == [0x42]
    keyboard.command(0xD3, 0x43)
    assert keyboard.high() == [12]
    assert keyboard.drain() == [0x43]


def test_the_output_port_drives_a20(keyboard: Keyboard) -> None:
    keyboard.command(0xD1, 0xDD)
    keyboard.command(0xD1, 0xDF)
    keyboard.command(0xDD)
    keyboard.command(0xDF)
    assert keyboard.a20 == [False, True, False, True]
    keyboard.command(0xD0)
    assert keyboard.drain() == [0xDF]
    assert keyboard.resets == 0


@pytest.mark.parametrize(
    ("words", "resets"),
    [((0xFE,), 1), ((0xF0,), 1), ((0xFF,), 0), ((0xFD,), 0), ((0xD1, 0xFE), 1), ((0xD1, 0xDF), 0)],
)
def test_bit_0_low_resets(keyboard: Keyboard, words: tuple[int, ...], resets: int) -> None:
    keyboard.command(*words)
    assert keyboard.resets == resets


def test_reset_empties_everything(keyboard: Keyboard) -> None:
    keyboard.command(0xAA)
    keyboard.command(0x60, 0x40)
    keyboard.controller.press([0x1C])
    keyboard.mouse(0xF2)
    keyboard.controller.reset()
    assert keyboard.inb(COMMAND) == 0x18
    assert keyboard.high() == []
    keyboard.command(0x20)
    assert keyboard.drain() == [0x03]


def test_the_first_byte_goes_to_the_keyboard(keyboard: Keyboard) -> None:
    keyboard.outb(DATA, 0xEE)  # which echoes it
    assert keyboard.drain() == [0xEE]


def test_replies_and_keys_share_the_room(keyboard: Keyboard) -> None:
    keyboard.command(0x60, 0x40)  # translation: keys go out as they are given
    keyboard.outb(0x60, 0xF2)  # three bytes of reply
    keyboard.controller.press([0x1E] * 10)
    keyboard.controller.press([0x30] * 10)
    assert keyboard.drain() == [0xFA, 0xAB, 0x41, *[0x1E] * 10, *[0x30] * 3]
