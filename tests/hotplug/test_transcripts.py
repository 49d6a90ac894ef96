"""Recorded hot-plug sessions of QEMU, replayed: every answer, register, event and map again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.hotplug.sides import Message, OurSide, events_of, hmp, settled, tree_of_pluggable
from tests.support.corpus import Corpus

pytestmark = [pytest.mark.corpus, pytest.mark.seabios]

CASES = (
    "pc-basic", "pc-errors", "pc-random1", "pc28-basic", "pc28-errors", "pc28-full",
    "pc28-random2", "q35-basic", "q35-random3",
)  # fmt: skip
"""Sessions with DIMMs alone: the chipset does not matter to them."""

NOT_ABOUT_MEMORY = {"query-version"}


def recording(corpus: Corpus, case: str) -> dict[str, dict[str, bytes]]:
    """Return the files of one case: by folder ("" for the case's own), then by name."""
    found: dict[str, dict[str, bytes]] = {}
    for name, data in corpus.files("", below=f"hotplug/{case}/"):
        folder, _, file = name.removeprefix(f"hotplug/{case}/").rpartition("/")
        found.setdefault(folder, {})[file] = data
    return found


def command_line(recorded: list[str]) -> list[str]:
    """Return the part of the recorded command line that says how much memory there is."""
    return ["-m", recorded[recorded.index("-m") + 1]]


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_session(corpus: Corpus, case: str, tmp_path: Path) -> None:
    files = recording(corpus, case)
    session = json.loads(files[""]["transcript.json"])
    with OurSide(tmp_path, *command_line(session["cmdline"])) as ours:
        events: list[Message] = []
        for step in session["transcript"]:
            if "request" in step:
                if step["request"]["execute"] in NOT_ABOUT_MEMORY:
                    continue
                assert ours.request(step["request"]) == step["response"], step
            elif "qtest" in step:
                play(ours, step)
            elif "event" in step:
                events += events_of(ours) if not events else []
                assert events.pop(0) == {key: step[key] for key in ("event", "data")}
            elif "capture" in step:
                check(ours, files[step["capture"]])
        assert events + events_of(ours) == []


def play(ours: OurSide, step: dict[str, Any]) -> None:
    """Do a qtest command, and compare what it read."""
    command, port, *value = step["qtest"].split()
    size = {"b": 1, "w": 2, "l": 4}[command[-1]]
    if command.startswith("out"):
        ours.out(int(port, 0), int(value[0], 0), size)
    else:
        assert ours.read(int(port, 0), size) == int(step["reply"], 0), step


def check(ours: OurSide, capture: dict[str, bytes]) -> None:
    """Compare the pluggable part of the machine with a capture."""
    meta = json.loads(capture["meta.json"])
    for query in ("query-memory-devices", "query-memory-size-summary"):
        assert ours.request({"execute": query})["return"] == meta[query]
    assert backends(ours.request({"execute": "query-memdev"})["return"]) == backends(
        meta["query-memdev"]
    )
    text = capture["mtree.txt"].decode().replace("\r\n", "\n")
    assert tree_of_pluggable(ours) == pluggable_lines(text)
    if "memory-devices.txt" in capture:
        recorded = capture["memory-devices.txt"].decode().replace("\r\n", "\n")
        assert hmp(ours, "info memory-devices").strip() == recorded.strip()


def backends(memdevs: list[dict[str, Any]]) -> Any:
    """Return the back-ends that were added."""
    return settled([each for each in memdevs if each["id"] != "pc.ram"])


def pluggable_lines(mtree: str) -> list[str]:
    """Return device memory and what is in it, from the first time that it is printed."""
    found = re.search(
        r"^( *)\S+ \(prio 0, i/o\): device-memory\n(?:\1 +.*\n)*", mtree, re.MULTILINE
    )
    return found.group(0).splitlines() if found else []
