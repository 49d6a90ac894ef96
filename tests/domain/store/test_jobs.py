"""One job at a time on a domain; who waits too long is told who holds it."""

import os
import threading

import pytest

from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.store.jobs import WAIT_S, job
from guestmap.domain.store.journal import Note, Notes
from guestmap.domain.store.store import Store
from tests.domain.machines import FakePace
from tests.support.killed import End, killed_at


def test_a_second_job_waits_30_seconds_and_names_who_holds_it(tmp_path):
    pace = FakePace()
    with (
        job(tmp_path / "vm.lock", "attach-device", LibvirtDialect.V9),
        pytest.raises(DomainError) as refused,
        job(tmp_path / "vm.lock", "detach-device", LibvirtDialect.V9, pace=pace),
    ):
        pass
    assert WAIT_S == 30.0
    assert 30.0 <= pace.time - 100.0 < 30.1
    assert refused.value.code == 68
    assert refused.value.text == (
        "Timed out during operation: cannot acquire state change lock (held by attach-device,"
        f" process {os.getpid()})"
    )


def test_who_has_to_wait_is_told_once_of_whom_and_how_long(tmp_path):
    told = []
    with (
        job(tmp_path / "vm.lock", "attach-device", LibvirtDialect.V9),
        pytest.raises(DomainError),
        job(
            tmp_path / "vm.lock", "reset", LibvirtDialect.V9, pace=FakePace(), wait_s=7.0,
            on_wait=lambda who, most: told.append((str(who), most)),
        ),
    ):  # fmt: skip
        pass
    assert told == [(f"attach-device, process {os.getpid()}", 7.0)]


def test_jobs_of_one_domain_never_interleave(tmp_path):
    inside: list[int] = []
    seen: list[int] = []

    def change(number: int) -> None:
        with job(tmp_path / "vm.lock", "attach-device", LibvirtDialect.V9):
            inside.append(number)
            seen.append(len(inside))
            inside.remove(number)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert seen == [1] * 8


def test_a_job_ends_with_who_holds_it(tmp_path):
    def killed() -> None:
        from guestmap.base.faults import point

        with job(tmp_path / "vm.lock", "attach-device", LibvirtDialect.V9):
            point("journal.after")

    assert killed_at("journal.after", killed) is End.KILLED
    with job(tmp_path / "vm.lock", "detach-device", LibvirtDialect.V9, wait_s=0.0):
        pass


def test_other_domains_do_not_wait(tmp_path):
    with (
        job(tmp_path / "a.lock", "attach-device", LibvirtDialect.V9),
        job(tmp_path / "b.lock", "attach-device", LibvirtDialect.V9, wait_s=0.0),
    ):
        pass


def test_what_a_killed_one_wrote_aside_goes_with_the_next_job_and_no_other_file(tmp_path):
    store = Store(tmp_path / "config", tmp_path / "run")
    aside = tmp_path / "run" / ".vm.journal.new"

    def killed() -> None:
        with store.job("vm", "attach-device"):
            Notes(tmp_path / "run" / "vm.journal").write(Note("attach"))

    assert killed_at("journal.before-rename", killed) is End.KILLED
    assert aside.exists()
    with store.job("vm", "detach-device"):
        assert [each.name for each in aside.parent.iterdir()] == ["vm.lock"]


def test_who_comes_after_a_job_that_was_broken_off_learns_of_it_once(tmp_path):
    def killed() -> None:
        from guestmap.base.faults import point

        with job(tmp_path / "vm.lock", "attach-device", LibvirtDialect.V9):
            point("journal.after")

    told = []
    killed_at("journal.after", killed)
    for verb in ("a", "b"):
        with job(tmp_path / "vm.lock", verb, LibvirtDialect.V9) as was_broken_off:
            told.append(was_broken_off)
    assert told == [True, False]
