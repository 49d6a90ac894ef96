"""Recorded qtest sequences on our PC with no CPU: every reply and every view is QEMU's."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING

import pytest

from guestmap.conform import Differs, Equal, Unsupported, conform
from guestmap.firmware.images import find_bios, load_bios, seabios_version
from guestmap.machine import stopped_machine
from tests.support.corpus import SHARES, in_share, least

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.corpus import Corpus

pytestmark = pytest.mark.seabios

RECORDED = "1.16.2"
"""The firmware of the QEMU that was recorded, whose bytes some sequences read."""


def test_golden_sequences_are_equal(golden: Corpus) -> None:
    installed = seabios_version(load_bios(find_bios()))
    results = list(
        conform([golden.path / "qemu-7.2.22" / "qtest"], stopped_machine, seabios=installed)
    )
    assert len(results) >= 4
    fair = (Equal,) if installed == RECORDED else (Equal, Unsupported)
    assert [str(each) for each in results if not isinstance(each, fair)] == []
    assert any(isinstance(each, Equal) for each in results)


def test_a_difference_under_another_firmware_is_named_and_not_held_against_us(
    golden: Corpus, tmp_path: Path
) -> None:
    """Bytes of the firmware may be among what was read."""
    form = json.loads(
        gzip.decompress((golden.path / "qemu-7.2.22" / "qtest" / "100.json.gz").read_bytes())
    )
    place = tmp_path / "qtest" / "100.json"
    place.parent.mkdir()
    place.write_text(json.dumps(form))
    if seabios_version(load_bios(find_bios())) == RECORDED:
        for installed in ("", "1.16.2", "1.17.0"):  # nothing differs: nothing to excuse
            (result,) = conform([place], stopped_machine, seabios=installed)
            assert isinstance(result, Equal)
    step = next(step for step in form["steps"] if step["ops"])
    step["ops"].append(["readl 0xfffffff0", "0x0000000012345678"])
    place.write_text(json.dumps(form))
    for installed in ("", "1.16.2"):
        (result,) = conform([place], stopped_machine, seabios=installed)
        assert isinstance(result, Differs)
    (result,) = conform([place], stopped_machine, seabios="1.17.0")
    assert isinstance(result, Unsupported)
    assert "made with SeaBIOS 1.16.2, installed is 1.17.0: not compared" in str(result)
    place.write_text(json.dumps({**form, "seabios": "1.17.0"}))
    (result,) = conform([place], stopped_machine, seabios="1.17.0")
    assert isinstance(result, Differs)


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.parametrize("every", SHARES)
def test_every_sequence_on_the_plain_pc_is_equal_and_others_are_named(
    corpus: Corpus, every: int
) -> None:
    files = sorted((corpus.path / "qtest").glob("*.json*"))
    results = {
        int(match[1]): each
        for each in conform([each for each in files if in_share(each.name, every)], stopped_machine)
        if (match := re.search(r"qtest/(\d+)\.json", each.path))
    }
    plain = [each for number, each in results.items() if 100 <= number < 200]
    assert len(plain) >= least(50, every)
    assert [str(each) for each in plain if not isinstance(each, Equal)] == []
    others = [each for number, each in results.items() if number < 100]
    assert [str(each) for each in others if not isinstance(each, (Unsupported, Equal))] == []
