"""Command lines for QEMU: drawn at random, and what a QEMU says to them, live or as recorded."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from tests.support.qemu import MACHINE, require_qemu

RECORD = Path(__file__).parents[2] / "golden" / "qemu-7.2.22" / "command_lines.json.gz"


class Recorded(NamedTuple):
    """What QEMU said when tools/record_command_lines.py asked it.

    Attributes:
        drawn: lines that were drawn at random.
        answers: by the words of a line; "" where QEMU started.
    """

    drawn: list[list[str]]
    answers: dict[tuple[str, ...], str]

    @classmethod
    def load(cls) -> Recorded:
        read = json.loads(gzip.decompress(RECORD.read_bytes()))
        answers = {tuple(words): said for words, said in [*read["written"], *read["drawn"]]}
        return cls([words for words, _ in read["drawn"]], answers)

    def qemu_says(self, words: list[str]) -> str:
        """Return what was recorded; a line that is new is given to the QEMU that is here."""
        said = self.answers.get(tuple(words))
        return ask_qemu(words) if said is None else said


def ask_qemu(words: list[str]) -> str:
    """Return the first error of QEMU's, without its own name; "" where it starts."""
    command = [require_qemu(), *MACHINE, "-display", "none", "-accel", "tcg", "-S", *words]
    result = subprocess.run(
        [*command[:-len(words)], "-monitor", "stdio", *words],
        input="quit\n", capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    lines = result.stderr.splitlines()
    errors = [
        line.removeprefix("qemu-system-x86_64: ")
        for line in lines
        if line.startswith("qemu-system-x86_64: ") and ": warning: " not in line
    ]
    assert bool(errors) == bool(result.returncode), result.stderr
    return errors[0] if errors else ""


SIZE_TEXTS = st.sampled_from(
    ["0", "1", "4095", "4096", "64M", "128M", "0x8000000", "1G", "1.5G", "0.3M", "2T", "16E", "-1",
     "", "x", "1e3", " 64M", "64MB", "+64M", "08", "64m", "9223372036854775808", "1.0", ".5G",
     "1.G", "1.", "64M ", "0x40000000", "0x", "1..G", "+", "1.5", "0.0001K"]
)  # fmt: skip
NUMBER_TEXTS = st.sampled_from(
    ["0", "1", "2", "3", "-1", "010", "0x1", "+1", " 1", "1 ", "256", "257", "65535", "65536",
     "4294967295", "4294967296", "18446744073709551615", "18446744073709551616", "", "on", "1-2",
     "0-1", "2-1", "1.0", "0b1", "1_0", "٣"]
)  # fmt: skip
BOOL_TEXTS = st.sampled_from(["on", "off", "yes", "no", "true", "false", "y", "n", "ON", "1", ""])
ID_TEXTS = st.sampled_from(["m0", "m1", "a.b-c_d", "1m", "", "m 0", "m/0", "é"])


def _pairs(members: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[str]:
    one = st.sampled_from(sorted(members)).flatmap(
        lambda name: st.one_of(
            members[name].map(lambda text: f"{name}={text}"),
            # Of two unknown names, like frob and the deid of nodeid, QEMU tells any.
            st.just(name if not name.startswith("no") else f"{name}="),
        )
    )  # fmt: skip
    return st.lists(one, max_size=4).map(",".join)


MEMORY_OPTIONS = st.tuples(
    st.just("-m"),
    _pairs({"size": SIZE_TEXTS, "slots": NUMBER_TEXTS, "maxmem": SIZE_TEXTS, "frob": BOOL_TEXTS}),
)
OBJECT_OPTIONS = st.tuples(
    st.just("-object"),
    st.tuples(
        st.sampled_from(["memory-backend-ram,", "memory-backend-memfd,", "memory-backend-x,", ""]),
        st.sampled_from(["id=m0,size=1M", "id=m1,size=4K", "id=m2"]),
        _pairs({
            "id": ID_TEXTS, "size": SIZE_TEXTS, "share": BOOL_TEXTS, "merge": BOOL_TEXTS,
            "host-nodes": NUMBER_TEXTS, "prealloc-threads": NUMBER_TEXTS, "frob": BOOL_TEXTS,
        }),
    ).map(lambda parts: ",".join(filter(None, (parts[0].rstrip(","), *parts[1:])))),
)  # fmt: skip
NUMA_OPTIONS = st.tuples(
    st.just("-numa"),
    _pairs({
        "nodeid": NUMBER_TEXTS, "cpus": NUMBER_TEXTS, "mem": SIZE_TEXTS, "memdev": ID_TEXTS,
        "frob": BOOL_TEXTS,
    }).map(lambda rest: ",".join(filter(None, ("node", rest)))),
)  # fmt: skip
COMMAND_LINES = st.lists(
    st.one_of(MEMORY_OPTIONS, OBJECT_OPTIONS, NUMA_OPTIONS), min_size=1, max_size=2
).map(lambda options: [word for pair in options for word in pair])
