"""What a test may need from the host, and what happens where it is missing.

A test marked ``qemu``, ``seabios``, ``corpus``, ``unicorn``, ``nasm``, ``chromium``, ``gdb``,
``spin`` or ``kvm`` is skipped, with a reason, where that is missing. ``GUESTMAP_REQUIRE`` (a
comma-separated list of those words, or ``all``) makes it fail instead, so that a machine that
should have everything cannot pass by skipping. KVM alone is never taken without being asked for by
``GUESTMAP_KVM``: it is the host's.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.support.corpus import Corpus, find_corpus, unpacked
from tests.support.needs import is_required
from tests.support.overtime import Overtime
from tests.support.processes import end_with_us
from tests.support.qemu_program import MODELLED, find_qemu, missing_qemu

if TYPE_CHECKING:
    from tests.view.browser import Browser

# How long an example takes is the host's business: a busy one must not fail a test. And what passed
# yesterday passes today: examples are the same ones each time, but for who explores.
settings.register_profile("guestmap", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("explore", deadline=None)
settings.load_profile("guestmap")

_CORPUS_TIMEOUT_S = 600
_PEERS = "tests/peers/"
_STOOD = pytest.StashKey[set[str]]()
_OVERTIME = pytest.StashKey[Overtime]()
SEABIOS_FOLDERS = ("/usr/share/seabios", "/usr/share/qemu", "/usr/share/qemu-kvm")


def _missing(need: str) -> str:
    """Return why a test that has this need cannot run here; "" where it can."""
    if need == "qemu":
        return missing_qemu()
    if need == "seabios":
        found = any((Path(folder) / "bios-256k.bin").is_file() for folder in SEABIOS_FOLDERS)
        return "" if found else "needs bios-256k.bin (package seabios)"
    if need == "unicorn":
        return "" if importlib.util.find_spec("unicorn") else "needs the Python package unicorn"
    if need == "nasm":
        return "" if shutil.which("nasm") else "needs the assembler nasm (package nasm)"
    if need == "spin":
        lacking = [name for name in ("spin", "gcc") if not shutil.which(name)]
        return f"needs {' and '.join(lacking)} (package spin)" if lacking else ""
    if need == "gdb":
        return "" if shutil.which("gdb") else "needs the debugger gdb (package gdb)"
    if need == "kvm":
        return "" if os.environ.get("GUESTMAP_KVM") else "runs in a guest of make test-kvm"
    if need == "chromium":
        lacking = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
        lacking += [] if importlib.util.find_spec("selenium") else ["the Python package selenium"]
        return f"needs {' and '.join(lacking)}" if lacking else ""
    return "" if find_corpus() else "needs the corpus: set GUESTMAP_CORPUS to its folder or archive"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "unicorn: needs the Unicorn CPU engine")
    config.addinivalue_line(
        "markers", "qemu_7_2(what): what it holds is of QEMU 7.2, and not so in other versions"
    )
    config.addinivalue_line(
        "markers", "not_on_kvm(why): what it holds is of Unicorn, or of QEMU's own emulation"
    )
    config.addinivalue_line("markers", "nasm: needs the assembler nasm")
    config.addinivalue_line("markers", "gdb: needs the debugger gdb")
    config.addinivalue_line("markers", "spin: needs the model checker spin and a C compiler")
    config.addinivalue_line("markers", "chromium: needs Chromium and its driver; one of the peers")
    # A shell's background job ignores Ctrl-C, and what nohup starts the end of its terminal; and
    # so would every program that a test starts.
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
    end_with_us()
    config.stash[_OVERTIME] = Overtime(os.dup(2))  # before anything is captured


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Have somebody beside a test's own limit, where that cannot end it."""
    result = yield
    item.config.stash[_OVERTIME].idle()
    return result


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: Any, sched: Any) -> None:
    """Try a test that stood still with a peer once more: where it stands again, that is a failure.

    Libvirt's daemon and QEMU's emulation of a nested guest have each been seen to stand still, for
    hours, once in many runs.
    """
    stood = sched.config.stash.setdefault(_STOOD, set())
    if crashitem.startswith(_PEERS) and crashitem not in stood:
        stood.add(crashitem)
        report.outcome = "rerun"
        sched.mark_test_pending(crashitem)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.write_line(f"TRIED ONCE MORE {report.nodeid}: {report.longrepr}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    session.config.stash[_OVERTIME].close()


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> None:
    item.config.stash[_OVERTIME].watch(item.nodeid, settings.timeout)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the whole corpus the time that a slow machine needs; have a browser among the peers."""
    for item in items:
        if item.get_closest_marker("corpus"):
            item.add_marker(pytest.mark.timeout(_CORPUS_TIMEOUT_S), append=False)
        if item.get_closest_marker("chromium"):
            item.add_marker(pytest.mark.peers)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage meanwhile: what is made stays, and each look goes through all of it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Keep what was collected out of every later look for garbage: it stays to the end."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for need in ("qemu", "seabios", "corpus", "unicorn", "nasm", "chromium", "gdb", "spin", "kvm"):
        if item.get_closest_marker(need) and (reason := _missing(need)):
            if is_required(need) and need != "kvm":
                pytest.fail(f"GUESTMAP_REQUIRE asks for {need}: {reason}")
            pytest.skip(reason)
    _skip_unless_modelled(item)


def _skip_unless_modelled(item: pytest.Item) -> None:
    """Skip a test that holds us to facts of the version that our machine is like, on another."""
    mark = item.get_closest_marker("qemu_7_2")
    program = find_qemu() if mark is not None else None
    if mark is not None and program is not None and program.version != MODELLED:
        version = ".".join(map(str, program.version))
        pytest.skip(f"this is QEMU {version}; of 7.2 it holds: {mark.args[0]}")


@pytest.fixture(scope="session", autouse=True)
def _state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep journals out of the folder of whoever runs the tests."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def _chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    from tests.view.browser import chromium

    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def browser(_chromium: Browser) -> Iterator[Browser]:
    """A Chromium with one empty window of the usual size (mark the test ``chromium``)."""
    yield _chromium
    _chromium.tidy()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """Recorded output of QEMU 7.2, as a folder (mark the test ``corpus``)."""
    yield from _unpacked("7.2", tmp_path_factory)


@pytest.fixture(scope="session")
def corpus_11_1(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """Recorded output of QEMU 11.1, as a folder (mark the test ``corpus``)."""
    yield from _unpacked("11.1", tmp_path_factory)


def _unpacked(version: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    found = find_corpus(version)
    if found is None:
        pytest.skip(f"needs the corpus of QEMU {version}: see tests/support/corpus.py")
    if found.path.is_dir():
        yield found
        return
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # of all workers
    with unpacked(found.path, place / f"corpus-{version}") as recorded:
        yield recorded


@pytest.fixture(scope="session")
def golden() -> Corpus:
    """A small set of the same kind that is part of the project; see tools/make_golden.py."""
    return Corpus(Path(__file__).parent / "golden")


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Send no keywords from a worker to its master: by these, tests were chosen long before."""
    data = yield
    if data is not None and "keywords" in data:
        data["keywords"] = {}
    return data
