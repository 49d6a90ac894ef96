"""Ten faults in the wire protocol, each noticed by a test beside this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.planted import Fault, is_noticed

if TYPE_CHECKING:
    from pathlib import Path

FRAMER, PARSER, STEPS = "qmp/test_framer.py", "qmp/test_decode.py", "qmp/test_steps.py"
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
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_noticed(fault: Fault, tmp_path: Path) -> None:
    assert is_noticed(fault, tmp_path)
