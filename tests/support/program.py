"""The program run in this process: starting an interpreter takes longer than most of its work."""

from __future__ import annotations

import io
import sys
from typing import NamedTuple

import pytest

from guestmap.cli import main


class Done(NamedTuple):
    """How a run of the program ended, and the bytes that it wrote."""

    status: int
    out: bytes
    err: bytes

    @property
    def stdout(self) -> str:
        return self.out.decode()

    @property
    def stderr(self) -> str:
        return self.err.decode()


def run_program(*words: object, text: str = "", encoding: str = "utf-8") -> Done:
    """Run guestmap with these words, and ``text`` as its standard input."""
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["guestmap", *map(str, words)])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        patch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding))
        patch.setattr(sys, "stderr", io.TextIOWrapper(err, encoding))
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def assert_one_clear_line(done: Done, *words: str) -> None:
    """Hold a run to exit status 2, nothing on stdout, and one line on stderr with these words."""
    assert done.status == 2, done
    assert done.out == b""
    assert done.stderr.startswith("guestmap: "), done
    assert done.stderr.count("\n") == 1, done
    for word in words:
        assert word in done.stderr
