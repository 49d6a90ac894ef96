"""Numbers that are calculated: ``0x1000+2*8``, ``$eip``, ``'A'``.

As QEMU's monitor has them: 64-bit two's complement; ``* / %`` bind most, then ``& | ^``, then
``+ -``; each group from the left.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable

from guestmap.monitor.hmp.scanner import Scanner, SyntaxProblem

MAX_DEPTH = 100
"""Parentheses and signs inside each other; QEMU has no bound but its stack."""

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
_OCTAL = re.compile(r"0[0-7]*")
_REGISTER = string.ascii_letters + string.digits + "_."
_LONGEST = 64
_SUM, _LOGIC, _PRODUCT = "+-", "&|^", "*/%"

Registers = Callable[[str], int | None]
"""Returns the value of a register by name; None where there is none of that name."""


def evaluate(scanner: Scanner, registers: Registers) -> int:
    """Read an expression; return its value, -2**63 to 2**63 - 1.

    Raises:
        SyntaxProblem: it is none.
    """
    return _Evaluator(scanner, registers).operators((_SUM, _LOGIC, _PRODUCT))


def signed(value: int) -> int:
    """Return the 64-bit two's complement number with the same low bits."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


class _Evaluator:
    def __init__(self, scanner: Scanner, registers: Registers) -> None:
        self.scanner = scanner
        self.registers = registers
        self.depth = 0

    def operators(self, groups: tuple[str, ...]) -> int:
        """Read operands that operators of the first group join."""
        if not groups:
            return self.operand()
        value = self.operators(groups[1:])
        while (operator := self.scanner.next) and operator in groups[0]:
            self.scanner.step()
            value = signed(_apply(operator, value, self.operators(groups[1:])))
        return value

    def operand(self) -> int:
        """Read a number, a character, a register, or something with a sign or in parentheses."""
        scanner = self.scanner
        mark = scanner.next
        if not mark:
            raise SyntaxProblem("unexpected end of expression")
        if mark in "+-~(":
            return self._nested(mark)
        if mark == "'":
            return self._character()
        if mark == "$":
            return self._register()
        return self._number()

    def _nested(self, mark: str) -> int:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise SyntaxProblem("expression is nested too deeply")
        self.scanner.step()
        if mark == "(":
            value = self.operators((_SUM, _LOGIC, _PRODUCT))
            if self.scanner.next != ")":
                raise SyntaxProblem("')' expected")
            self.scanner.step()
        else:
            value = self.operand()
        self.depth -= 1
        return signed({"-": -value, "~": ~value}.get(mark, value))

    def _character(self) -> int:
        self.scanner.at += 1
        if self.scanner.at_end:
            raise SyntaxProblem("character constant expected")
        value = self.scanner.next.encode("utf-8", "surrogatepass")[0]
        self.scanner.at += 1
        if self.scanner.next != "'":
            raise SyntaxProblem("missing terminating ' character")
        self.scanner.step()
        return value

    def _register(self) -> int:
        self.scanner.at += 1
        value = self.registers(self.scanner.take_while(_REGISTER))
        if value is None:
            raise SyntaxProblem("unknown register")
        self.scanner.skip_spaces()
        return signed(value)

    def _number(self) -> int:
        scanner = self.scanner
        found = _NUMBER.match(scanner.text, scanner.at)
        if found is None:
            raise SyntaxProblem(f"invalid char '{scanner.next}' in expression")
        if found[0][0] == "0" and found[0][1:2] not in ("x", "X"):
            found = _OCTAL.match(scanner.text, scanner.at)
            assert found is not None
        digits, base = found[0], 10
        if digits[:2] in ("0x", "0X"):
            digits, base = digits[2:], 16
        elif digits[0] == "0":
            base = 8
        digits = digits.lstrip("0") or "0"
        if len(digits) > _LONGEST or int(digits, base) >> 64:
            raise SyntaxProblem("number too large")
        scanner.at = found.end()
        scanner.skip_spaces()
        return signed(int(digits, base))


def _apply(operator: str, left: int, right: int) -> int:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "&":
            return left & right
        case "|":
            return left | right
        case "^":
            return left ^ right
        case "*":
            return left * right
    if right == 0:
        raise SyntaxProblem("division by zero")
    quotient = abs(left) // abs(right)
    if (left < 0) != (right < 0):
        quotient = -quotient
    return quotient if operator == "/" else left - quotient * right
