"""Faults in the wire protocol, each noticed by a test beside this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.planted import Fault, is_noticed

if TYPE_CHECKING:
    from pathlib import Path

FRAMER, PARSER, STEPS = "qmp/test_framer.py", "qmp/test_decode.py", "qmp/test_steps.py"
SESSION, VALIDATE = "qmp/test_session.py", "qmp/test_validate.py"
INTROSPECT, CHANNEL = "qmp/test_introspect.py", "qmp/client/test_socket_channel.py"
FAULTS = [
    Fault("qmp/framer.py", "self._tokens + 1 > self", "self._tokens > self", FRAMER),
    Fault("qmp/framer.py", "braces < 0 or brackets < 0", "braces < 0", f"{FRAMER} {STEPS}"
          " qmp/test_against_qemu.py"),
    Fault("qmp/framer.py", "            if tokens >= STEP_TOKENS:\n                tokens = 0\n",
          "            if tokens >= STEP_TOKENS:\n", STEPS),
    Fault("qmp/lexer.py", "    _EXPONENT_DIGITS: _row({_DIGIT: _EXPONENT_DIGITS}, _FLOAT_ENDS),",
          "    _EXPONENT_DIGITS: _row({_DIGIT: _EXPONENT_DIGITS}, _INTEGER_ENDS),", PARSER),
    Fault("qmp/parser.py", "self.awaits_value = self._fresh = False", "self.awaits_value = False",
          f"{PARSER} {STEPS}"),
    Fault("qmp/parser.py", "INT64_MIN <= value <= UINT64_MAX", "INT64_MIN < value <= UINT64_MAX",
          PARSER),
    Fault("qmp/strings.py", "{1,%d}+[\\x80-\\xbf]{0,5}+", "{1,%d}+[\\x80-\\xbf]{0,1}+", STEPS),
    Fault("qmp/session.py", "if oob and not command.oob", "if oob and command.oob",
          "qmp/test_session.py"),
    Fault("qmp/validate.py", "whole %= 1 << 64", "whole %= 1 << 63", "qmp/test_validate.py"),
    Fault("qmp/encode.py", 'separator = ", "\n        return', 'separator = ","\n        return',
          f"{PARSER} {STEPS}"),
    Fault("qmp/strings.py", "if code < 0 or 0xD800", "if code <= 0 or 0xD800",
          f"{PARSER} qmp/test_against_qemu.py"),
    Fault("qmp/session.py", "and OOB in self.enabled", "", f"{SESSION} qmp/test_against_qemu.py"),
    Fault("qmp/session.py", "rest // 1000", "rest // 1_000_000", SESSION),
    Fault("qmp/validate.py", "if len(checked) < len(given)", "if len(checked) + 1 < len(given)",
          VALIDATE),
    Fault("qmp/validate.py", "whole > _INT64_MAX", "whole > _INT64_MAX + 1", VALIDATE),
    Fault("qmp/validate.py", "if len(value) > MAX_ELEMENTS", "if len(value) > MAX_ELEMENTS + 1",
          VALIDATE),
    Fault("qmp/introspect.py", 'element.json_type == "int"', 'element.json_type != "int"',
          INTROSPECT),
    Fault("qmp/introspect.py", "while told < len(self._used)", "if told < len(self._used)",
          INTROSPECT),
    Fault("qmp/encode.py", "while True:", "while False:", STEPS),
    Fault("qmp/client/session.py", "start = self._seen = end + 1", "start = self._seen = end + 2",
          CHANNEL),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_noticed(fault: Fault, tmp_path: Path) -> None:
    assert is_noticed(fault, tmp_path)
