"""``guestmap serve`` as a user runs it, looked at with a real Chromium."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.processes import popen
from tests.view.maps import pc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.view.browser import Browser

FAILURE = 2


@contextmanager
def _served(*args: object) -> Iterator[str]:
    """Run the server; yield its address; end it as a user does."""
    command = [sys.executable, "-m", "guestmap", "serve", "--port", "0", *map(str, args)]
    with popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[0]
        finally:
            server.send_signal(signal.SIGINT)
            _, errors = server.communicate(timeout=30)
    assert "Traceback" not in errors, errors


@pytest.fixture
def moments(tmp_path):
    """Files with the map at two moments."""
    files = tmp_path / "before.json", tmp_path / "after.json"
    for file, shadowed in zip(files, (False, True), strict=True):
        file.write_text(json.dumps(pc(shadowed=shadowed).to_json()))
    return files


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    from tests.view.browser import chromium

    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


def _told(browser: Browser) -> str:
    return browser.run(
        "return models.find(m => m.type == 'Div' && m.name == 'told').text.toString()"
    )


def _marked(browser: Browser) -> list[str]:
    return browser.run("""
        const data = models.find(m => m.type == "ColumnDataSource" && m.data.title).data
        return data.title.filter((_, i) => data.line[i] == "#d1005b")
    """)


@pytest.mark.chromium
def test_the_history_can_be_stepped_through(browser, moments):
    with _served(*moments) as url:
        browser.open(url)
        browser.until(lambda: "2 of 2" in _told(browser))
        assert "pc.ram" in _marked(browser), "what the last step changed"
        browser.press("◀")
        browser.until(lambda: "1 of 2" in _told(browser))
        browser.until(lambda: not _marked(browser))
        assert str(moments[0]) in _told(browser)
        browser.press("▶▏")
        browser.until(lambda: "2 of 2" in _told(browser) and _marked(browser))
        fetched = browser.run("return performance.getEntriesByType('resource').map(e => e.name)")
        assert fetched
        assert all(each.startswith((url, url.replace("http", "ws"))) for each in fetched)
        assert browser.complaints() == []


@pytest.mark.chromium
@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_boot_is_shown_change_by_change_with_its_causes(browser):
    with _served("boot", "-m", "64M") as url:
        browser.open(url)
        browser.until(lambda: "the machine is" in _told(browser))
        assert "PAM" in _told(browser)
        count = int(_told(browser).split(" of ")[1].split("<")[0])
        assert count > 3
        for _ in range(count - 1):
            before = _told(browser)
            browser.press("◀")
            browser.until(lambda before=before: _told(browser) != before)
        assert "at reset" in _told(browser)


def test_only_this_machine_can_look(moments):
    with _served(*moments) as url:
        assert url.startswith("http://127.0.0.1:")
        port = int(url.rstrip("/").rsplit(":", 1)[1])
        others = {each[4][0] for each in socket.getaddrinfo(socket.gethostname(), None)}
        for address in others - {"127.0.0.1", "127.0.1.1", "::1"}:
            with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
                socket.create_connection((address, port), timeout=2).close()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["boot", "other.json"], ["one running machine", "files"]),
        (["no-such-file.json"], ["no-such-file.json"]),
    ],
)
def test_what_cannot_be_shown_is_one_clear_line(args, words):
    command = [sys.executable, "-m", "guestmap", "serve", "--port", "0", *args]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == FAILURE
    assert run.stderr.startswith("guestmap: ")
    assert run.stderr.count("\n") == 1
    for word in words:
        assert word in run.stderr


def test_a_port_in_use_is_told(moments):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "guestmap", "serve", "--port", port, str(moments[0])]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == FAILURE
    assert f"127.0.0.1:{port}" in run.stderr
    assert run.stderr.count("\n") == 1
