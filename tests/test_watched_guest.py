"""Guests that stand still: they are asked where, and what they had not done is done by another."""

from __future__ import annotations

import sys

import pytest

from tests.support import kvm_guest
from tests.support.kvm_guest import StandstillError, StandstillWarning, run_tests_in_kvm_guest
from tests.support.qemu import require_qemu
from tests.support.watched_guest import Run, run_watched

FIRST, SECOND = "tests/a.py::test_one[a b]", "tests/a.py::test_two"


def test_a_guest_that_comes_to_its_end():
    told = []
    program = [sys.executable, "-c", "print('one\\r'); print('two'); print('three', end='')"]
    run = run_watched(program, timeout_s=60, silence_s=60, told=told.append)
    assert run == Run(["one", "two", "three"], "")
    assert told == ["one", "two"]


@pytest.mark.qemu
def test_a_guest_that_falls_silent_is_asked_where_it_stands():
    command = [require_qemu(), "-S", "-smp", "2", "-nodefaults", "-display", "none"]
    run = run_watched(command, timeout_s=60, silence_s=0, told=print)
    assert run.lines == [""]
    assert run.standstill.count("CPU#1") == 3
    assert run.standstill.count("IRR") == 6


def test_a_program_that_does_not_answer_is_ended_all_the_same():
    program = [
        sys.executable,
        "-c",
        "import os, time; os.close(int(__import__('sys').argv[2].split('=')[-1])); time.sleep(60)",
    ]
    run = run_watched(program, timeout_s=0, silence_s=60, told=print)
    assert "does not answer" in run.standstill


@pytest.fixture
def guests(monkeypatch):
    """What each guest prints that is started; the last one ends with 0. Notes what was left out."""
    prints, left_out = [], []

    def run(folder, command, *, timeout_s, linux, done, with_linux):
        left_out.append([*done])
        if len(left_out) > len(prints):
            return 0
        raise StandstillError(prints[len(left_out) - 1], "CPU#0")

    monkeypatch.setattr(kvm_guest, "run_in_kvm_guest", run)
    return prints, left_out


def test_another_guest_goes_on_with_the_test_that_stood(guests, tmp_path):
    prints, left_out = guests
    prints += [[f"{FIRST} PASSED   [ 10%]", f"{SECOND} "]]
    with pytest.warns(StandstillWarning, match=r"CPU#0\nin tests/a.py::test_two; 1 tests"):
        assert run_tests_in_kvm_guest(tmp_path, "pytest", timeout_s=60) == 0
    assert left_out == [[], [FIRST]]


@pytest.mark.parametrize("lines", [[f"{FIRST} FAILED [ 10%]", f"{SECOND} "], [""]])
def test_a_test_that_stands_twice_fails(guests, tmp_path, lines):
    prints, left_out = guests
    prints += [lines, lines]
    with pytest.warns(StandstillWarning), pytest.raises(StandstillError):
        run_tests_in_kvm_guest(tmp_path, "pytest", timeout_s=60)
    assert left_out == [[], []]


def test_there_is_no_other_guest_when_the_time_is_over(guests, tmp_path):
    guests[0].append([""])
    with pytest.raises(StandstillError):
        run_tests_in_kvm_guest(tmp_path, "pytest", timeout_s=-1)


def test_one_that_ends_before_its_time_says_what_it_said_last():
    assert str(StandstillError(["one", "Oops: int3"], "")).endswith("command:\none\nOops: int3")
