"""Fuzzes one target, guided by what of guestmap an input runs: ``python -m tests.fuzz TARGET``.

Further words are libFuzzer's: ``-max_total_time=60``. New inputs are kept in ``.fuzz/TARGET``; what
raises lies in ``.fuzz`` as ``TARGET-crash-...``, to become a file of ``tests/fuzz/corpus/TARGET``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["guestmap"]):
    from tests.fuzz.targets import TARGETS

OURS = Path(__file__).parent / "corpus"
NEW = Path(".fuzz")


def main() -> None:
    name = sys.argv[1]
    kept = NEW / name
    kept.mkdir(parents=True, exist_ok=True)
    words = [sys.argv[0], str(kept), str(OURS / name), f"-artifact_prefix={NEW}/{name}-",
             "-max_len=4096", "-timeout=30", "-rss_limit_mb=2048", *sys.argv[2:]]  # fmt: skip
    atheris.Setup(words, TARGETS[name])
    atheris.Fuzz()


main()
