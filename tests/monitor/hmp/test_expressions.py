"""Numbers that are calculated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.monitor.hmp.expression import evaluate
from guestmap.monitor.hmp.scanner import Scanner, SyntaxProblem
from tests.monitor.hmp.beside import Beside

REGISTERS = (
    "eax", "ecx", "edx", "ebx", "esp", "sp", "ebp", "fp", "esi", "edi", "eip", "eflags", "pc",
    "cs", "ds", "es", "ss", "fs", "gs", "cs.base", "cs.limit", "ss.limit", "gs.base", "r8", "r15",
    "rax", "ax", "al", "bp", "ip", "rip", "rflags", "cs.flags", "cs.", "tr", "ldt", "gdt", "cr0",
    "cr3", "dr0", "xmm0", "st0", "r7", "r16", "EIP", "nope", "",
)  # fmt: skip

EXPRESSIONS = (
    "1+2*3", "1 + 3 & 1", "3 & 1 + 1", "2 * 3 & 4", "6|1", "6^2", "~0", "-1", "+5", "--5", "~~5",
    "(1)", "((2))", "(1", "()", "(", "1+(2", ")", "5-", "1/0", "7%0", "7/2", "-7/2", "7/-2", "-7%4",
    "7%-4", "010", "08", "09", "0x10", "0X1f", "0x", "0xg", "1e3", "1.5", "1_0", "1<<2", "!0",
    "'a'",
    "'", "'a", "''", "'\\'", "' '", "' a'", "'a '", "'a'+1", '"a"', "0x7fffffffffffffff+1",
    "18446744073709551615", "18446744073709551616", "3*0x6000000000000000", "- 5", "~ 0x5", "5 5",
    "5,5", "$", "$ eip", "$1", "$cs:base", "$eip+$eip", "$eip +1", "-$cs", "0 + 3 ",
)  # fmt: skip


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_has_qemus_value(plain: Beside, expression: str) -> None:
    plain.check(f"print /d {expression}")


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize("name", [name for name in REGISTERS if name != "edx"])
def test_a_register_has_qemus_value_at_reset(plain: Beside, name: str) -> None:
    plain.check(f"p /x ${name}")


NUMBERS = st.integers(0, 2**64 - 1).map(lambda n: str(n) if n % 2 else hex(n))
SPACE = st.sampled_from(["", " "])


def _operation(operand: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    # No division by what is calculated: not every quotient is a number.
    simple = st.builds(
        "{}{}{}{}{}".format, operand, SPACE, st.sampled_from("+-&|^*"), SPACE, operand
    )
    division = st.builds("{}{}{}".format, operand, st.sampled_from("/%"), st.integers(1, 99))
    return simple | division | operand.map("({})".format) | operand.map("-{}".format)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@given(st.recursive(NUMBERS, _operation, max_leaves=12))
def test_what_is_calculated_is_what_qemu_calculates(plain: Beside, expression: str) -> None:
    plain.check(f"p /d {expression}")


def test_the_smallest_number_through_minus_one_wraps() -> None:
    assert _value("0x8000000000000000/-1") == -(1 << 63)
    assert _value("0x8000000000000000%-1") == 0


def test_without_a_cpu_there_are_no_registers() -> None:
    with pytest.raises(SyntaxProblem, match="unknown register"):
        _value("$eip")


def _value(text: str) -> int:
    return evaluate(Scanner(text), lambda _name: None)
