"""Record what the installed QEMU says to command lines, into tests/golden/qemu-VERSION/.

    python tools/record_command_lines.py

The lines are those of tests/machine/options/test_command_line.py, and as many again that are drawn.
"""

from __future__ import annotations

import gzip
import json
import shlex
import sys
from pathlib import Path

from hypothesis import given, settings

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.machine.options import test_command_line as written  # noqa: E402
from tests.machine.options.command_lines import COMMAND_LINES, RECORD, ask_qemu  # noqa: E402

DRAWN = 300


def main() -> None:
    lines = [shlex.split(line) for line in
             (*written.REFUSED, *written.ACCEPTED, *written.REFUSED_LATER)]  # fmt: skip
    lines += [[*words] for words in written.REFUSED_JSON]
    lines += [written.json_dimm(device) for device in written.REFUSED_LATER_JSON]
    record = {"written": _answers(lines), "drawn": _answers(_drawn())}
    text = json.dumps(record, ensure_ascii=False, indent=0)
    RECORD.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{RECORD.relative_to(ROOT)}: {sum(map(len, record.values()))} answers")


def _answers(lines: list[list[str]]) -> list[tuple[list[str], str]]:
    return [(words, ask_qemu(words)) for words in lines]


def _drawn() -> list[list[str]]:
    lines: dict[tuple[str, ...], None] = {}

    @settings(max_examples=DRAWN, derandomize=True, database=None, deadline=None)
    @given(words=COMMAND_LINES)
    def take(words: list[str]) -> None:
        lines[tuple(words)] = None

    take()
    return [[*words] for words in lines]


if __name__ == "__main__":
    main()
