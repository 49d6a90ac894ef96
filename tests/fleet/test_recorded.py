"""Audits of every machine type of two QEMUs, and what changed from one to the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guestmap.cli.fleet_diff import change_sentences
from guestmap.fleet.audit_files import read_records
from guestmap.fleet.comparing import compare_audits
from guestmap.inspect.ask.diff import Diff, diff
from guestmap.inspect.ask.lint import lint
from guestmap.inspect.sources.open import load_snapshot
from tests.support.corpus import SHARES, in_share, least
from tests.support.program import run_program

pytestmark = [pytest.mark.corpus, pytest.mark.slow]

FEW = 24
"""Of so many machines one is held to what the commands for one machine say."""


def audited(folders: dict[str, Path], kept: Path) -> Path:
    """Audit machines by name, as a user does; none may fail."""
    inventory = kept.with_suffix(".toml")
    inventory.write_text(
        "".join(
            f'[[machine]]\nname = "{name}"\nsource = "{path}"\nhost = "{name.partition("/")[0]}"\n'
            for name, path in folders.items()
        )
    )
    done = run_program("fleet", "audit", inventory, "-o", kept)
    assert done.status in {0, 1}, done
    assert done.stdout.startswith(f"{len(folders)} machines, {len(folders)} looked at"), done.stdout
    return kept


def machines(recordings: Path, every: int) -> dict[str, Path]:
    """Return the folders of machine types at reset, a share of them, by architecture and name."""
    found = sorted((recordings / "machines").glob("*/*"))
    names = {f"{each.parent.name}/{each.name}": each for each in found}
    return {name: each for name, each in names.items() if in_share(name, every)}


def cases(recordings: Path, moment: str, every: int) -> dict[str, Path]:
    """Return the folders of PCs at one moment, ``cold`` or ``boot``, a share of them."""
    found = sorted((recordings / "x86").glob(f"*-{moment}"))
    names = {each.name.removesuffix(f"-{moment}"): each for each in found}
    return {name: each for name, each in names.items() if in_share(name, every)}


def in_any_order(told: Diff) -> dict[str, list[str]]:
    return {
        key: sorted(json.dumps(each, sort_keys=True) for each in part)
        for key, part in told.to_json().items()
    }


@pytest.mark.parametrize("every", SHARES)
def test_every_machine_type_of_two_versions(corpus, corpus_11_1, tmp_path, every):
    before, after = machines(corpus.path, every), machines(corpus_11_1.path, every)
    assert len(before) > least(200, every)
    assert len(after) > least(200, every)
    few = FEW // every
    old, new = audited(before, tmp_path / "old"), audited(after, tmp_path / "new")
    for number, record in enumerate(read_records(old)):
        told = json.loads((before[record.machine] / "meta.json").read_bytes())
        numbers = told["qemu_version"]["qemu"]
        assert record.version == "{major}.{minor}.{micro}".format(**numbers), record.machine
        if number % few == 0:
            alone = lint(load_snapshot(str(before[record.machine])))
            assert sorted(map(repr, record.findings)) == sorted(map(repr, alone)), record.machine

    changes = {each.machine: each for each in compare_audits(old, new)}
    assert changes.keys() == before.keys() | after.keys()
    both = sorted(before.keys() & after.keys())
    assert len(both) > least(50, every)
    for name in both:
        assert "Nothing changed." not in list(change_sentences(changes[name]))  # the version did
        assert changes[name].versions[0].startswith("7.2")
        assert changes[name].versions[1].startswith("11.1")
    for name in both[::few]:
        step = changes[name].map_change
        alone_too = diff(load_snapshot(str(before[name])), load_snapshot(str(after[name])))
        if step is None:
            assert alone_too.is_empty, name
        else:  # of two that tell one map in two orders, one is compared for both
            assert in_any_order(step) == in_any_order(alone_too), name
    assert {name for name, each in changes.items() if each.now is None} == before.keys() - set(both)


@pytest.mark.parametrize("every", SHARES)
def test_what_a_firmware_did_is_told_with_its_causes_first(corpus_11_1, tmp_path, every):
    cold = cases(corpus_11_1.path, "cold", every)
    boot = cases(corpus_11_1.path, "boot", every)
    both = cold.keys() & boot.keys()
    assert len(both) > least(40, every)
    old = audited({name: cold[name] for name in both}, tmp_path / "old")
    new = audited({name: boot[name] for name in both}, tmp_path / "new")
    explained = 0
    for each in compare_audits(old, new):
        lines = list(change_sentences(each))
        causes = [number for number, line in enumerate(lines) if line.startswith("Probably: ")]
        assert causes == list(range(len(causes))), (each.machine, lines)
        explained += bool(causes)
    assert explained > len(both) / 2
