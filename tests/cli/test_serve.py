"""``guestmap serve`` as a user runs it, looked at with a real Chromium."""

from __future__ import annotations

import json
import re
import socket
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest

from guestmap.cli import films
from guestmap.cli.films import BootWishes
from guestmap.machine import MachineConfig, Phase, VirtualMachine
from guestmap.machine.saved import save
from guestmap.view.film import FLOW, Film
from tests.cli.serving import served
from tests.support.program import assert_one_clear_line, run_program
from tests.view.maps import pc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

    from tests.view.browser import Browser


@pytest.fixture
def moments(tmp_path):
    """Files with the map at two moments."""
    files = tmp_path / "before.json", tmp_path / "after.json"
    for file, shadowed in zip(files, (False, True), strict=True):
        file.write_text(json.dumps(pc(shadowed=shadowed).to_json()))
    return files


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
    with served(*moments) as url:
        browser.open(url)
        browser.until(lambda: "2 of 2" in _told(browser))
        assert "pc.ram" in _marked(browser), "what the last step changed"
        browser.press("◀ back")
        browser.until(lambda: "1 of 2" in _told(browser))
        browser.until(lambda: not _marked(browser))
        assert str(moments[0]) in _told(browser)
        browser.press("next ▶▏")
        browser.until(lambda: "2 of 2" in _told(browser) and _marked(browser))
        fetched = browser.run("return performance.getEntriesByType('resource').map(e => e.name)")
        assert fetched
        assert all(each.startswith((url, url.replace("http", "ws"))) for each in fetched)
        assert browser.complaints() == []


@pytest.mark.chromium
@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_boot_is_shown_change_by_change_with_its_causes(browser):
    with served("boot", "-m", "64M") as url:
        browser.open(url)
        browser.until(lambda: "the machine is" in _told(browser))
        assert "at reset" in _told(browser), "a class wants to see it from the start"
        count = int(_told(browser).split(" of ")[1].split("<")[0])
        assert count > 3
        assert "PAM" in _click(browser, ">> PAM")
        assert f"{count} of {count}" in _click(browser, "No bootable device.")
        browser.until(lambda: _marked_line(browser) > 20)
        for _ in range(count - 1):
            before = _told(browser)
            browser.press("◀ back")
            browser.until(lambda before=before: _told(browser) != before)
        assert "at reset" in _told(browser)
        browser.run("""
            const marks = models.find(m => m.type == "ColumnDataSource" && m.data.said)
            marks.selected.indices = [marks.data.said.indexOf("== setup")]
        """)
        browser.until(lambda: "at reset" not in _told(browser))
        browser.run("""
            models.find(m => m.type == "Select" && m.name == "speed").value = "real time"
        """)
        browser.press("▶ play")
        browser.until(lambda: f"{count} of {count}" in _told(browser))


def _marked_line(browser: Browser) -> int:
    """Return which line of what happened is marked; -1 where it is not in view."""
    return browser.run("""
        const list = [...all(document)].find(each => each.tagName == "SELECT" && each.multiple)
        const tall = list.scrollHeight / list.options.length, at = list.selectedIndex
        const top = at * tall - list.scrollTop
        return top >= -1 && top + tall <= list.clientHeight + 1 ? at : -1
    """)


def _click(browser: Browser, words: str) -> str:
    """Click on the first line of what happened that has these words; return what is told then."""
    before = _told(browser)
    browser.run("""
        const list = models.find(m => m.type == "MultiSelect" && m.name == "happened")
        list.value = [list.options.find(each => each[1].includes(arguments[0]))[0]]
    """, words)  # fmt: skip
    browser.until(lambda: _told(browser) != before)
    return _told(browser)


@pytest.mark.chromium
@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_boot_is_opened_at_a_moment_and_any_other_can_be_typed_in(browser):
    with served("boot", "-m", "64M", "--at", "setup") as url:
        browser.open(url)
        browser.until(lambda: "the machine is" in _told(browser))
        browser.until(lambda: "PAM" in _told(browser))
        count = int(_told(browser).split(" of ")[1].split("<")[0])
        assert f"{count} of {count}" not in _told(browser)
        for moment, words in (("0ms", "at reset"), ("halt", f"{count} of {count}")):
            browser.run(f"""
                models.find(m => m.type == "TextInput" && m.name == "moment").value = "{moment}"
            """)
            browser.until(lambda words=words: words in _told(browser))


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """The address of a server that is asked many things."""
    file = tmp_path_factory.mktemp("maps") / "map.json"
    file.write_text(json.dumps(pc().to_json()))
    with served(file) as address:
        yield address


@pytest.fixture(scope="module")
def link(tmp_path_factory) -> Iterator[str]:
    """The link to a server that others can reach."""
    file = tmp_path_factory.mktemp("maps") / "map.json"
    file.write_text(json.dumps(pc().to_json()))
    with served(file, "--host", "0.0.0.0") as address:
        yield address


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: Message
    body: str


def _get(url: str, path: str, **headers: str) -> Answer:
    """Ask for a path, under any Host."""
    place = urlsplit(url)
    assert place.port is not None
    with closing(HTTPConnection("127.0.0.1", place.port, timeout=20)) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers=named)
        answer = connection.getresponse()
        body = "" if answer.status == 101 else answer.read().decode()
        return Answer(answer.status, answer.headers, body)


def _websocket(url: str, page: str, **headers: str) -> int:
    """Ask for the page's WebSocket as a browser does, and return the answer's status."""
    found = re.search(r'"token":("[^"]+")', page)
    assert found is not None
    return _get(
        url, "/ws", Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==",
        Sec_WebSocket_Protocol=f"bokeh, {json.loads(found[1])}", **headers,
    ).status  # fmt: skip


def test_only_this_machine_can_look(url):
    port = urlsplit(url).port
    assert url == f"http://127.0.0.1:{port}/"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [line[1] for line in lines if line[3] == "0A" and line[1].endswith(f":{port:04X}")]
    assert listening == [f"0100007F:{port:04X}"], "127.0.0.1 as the kernel prints it (proc(5))"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_its_own_names_are_answered(url, name):
    here = f"{name}:{urlsplit(url).port}"
    page = _get(url, "/", Host=here)
    assert page.status == 200
    assert _websocket(url, page.body, Host=here, Origin=f"http://{here}") == 101


def test_a_page_whose_name_was_made_to_point_here_gets_nothing(url):
    page = _get(url, "/").body
    there = f"a-page.example:{urlsplit(url).port}"
    refused = _get(url, "/", Host=there)
    assert refused.status == 403
    assert "token" not in refused.body
    assert _websocket(url, page, Host=there, Origin=f"http://{there}") == 403
    here = f"127.0.0.1:{urlsplit(url).port}"
    assert _websocket(url, page, Host=here, Origin=f"http://{there}") == 403


@pytest.mark.parametrize(
    "path",
    ["/autoload.js?bokeh-autoload-element=1", "/metadata", "/x", "/static/%00", "/static/%2e%2e/x"],
)
def test_there_is_nothing_beside_the_page(url, path):
    answer = _get(url, path)
    assert answer.status == 404
    assert answer.headers["Access-Control-Allow-Origin"] is None


def test_the_page_may_run_and_fetch_only_what_comes_from_here(url):
    answer = _get(url, "/")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.chromium
def test_the_page_runs_no_script_that_it_did_not_come_with(browser, url):
    browser.open(url)
    assert browser.runs_strange_scripts() == []
    assert "1 of 1" in _told(browser), "its own still run"


def test_where_others_can_reach_it_the_link_has_a_token(link):
    place = urlsplit(link)
    here = f"{socket.gethostname()}:{place.port}"
    assert _get(link, "/", Host=here).status == 403
    assert _get(link, "/?token=guess", Host=here).status == 403
    page = _get(link, f"/?{place.query}", Host=here)
    assert page.status == 200
    cookie, *limits = page.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict"} <= set(limits)
    origin = f"http://{here}"
    assert _websocket(link, page.body, Host=here, Origin=origin) == 403
    assert _websocket(link, page.body, Host=here, Origin=origin, Cookie=cookie) == 101
    there = f"a-page.example:{place.port}"
    assert _get(link, f"/?{place.query}", Host=there).status == 403


@pytest.mark.chromium
def test_the_link_with_its_token_shows_the_page(browser, link):
    browser.driver.get("about:blank")
    browser.complaints()  # of the page before, whose server has ended
    browser.open(link.replace("0.0.0.0", "127.0.0.1"))
    browser.until(lambda: "1 of 1" in _told(browser))
    assert browser.complaints() == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["boot", "other.json"], ["one running machine", "files"]),
        (["no-such-file.json"], ["no-such-file.json"]),
        (["boot", "--interval", "3"], ["--interval"]),
        (["boot", "--bios", "no-such-bios"], ["no-such-bios"]),
        (["MAP", "-m", "64M"], ["-m"]),
        (["MAP", "--host", "no-such-host.invalid"], ["no-such-host.invalid"]),
    ],
)
def test_what_cannot_be_shown_is_one_clear_line(args, words, moments):
    args = [str(moments[0]) if word == "MAP" else word for word in args]
    assert_one_clear_line(run_program("serve", "--port", "0", *args), *words)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_port_in_use_is_told(moments):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        # tornado leaves the socket that it could not bind to the garbage collector
        done = run_program("serve", "--port", port, moments[0])
    assert_one_clear_line(done, f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--until", "setup"), ("--bios", "x"), ("--option-rom", "x"), ("--restore", "x"),
        ("--trace", "0"), ("--stop-at", "0"), ("--flow", "--until=setup"),
    ],
)  # fmt: skip
def test_what_is_for_a_boot_is_refused_elsewhere(option, value):
    done = run_program("serve", "reset", "--port", "0", option, value)
    assert_one_clear_line(done, "for 'boot'", option)


@pytest.mark.parametrize("words", [("boot:64M",), ("boot", "-m", "64M"), ("boot", "--bios", "x")])
def test_a_saved_machine_is_what_it_was(words):
    done = run_program("serve", "--port", "0", "--restore", "saved", *words)
    assert_one_clear_line(done, "--restore", "leave out")


CONFIG = MachineConfig(ram_size=64 << 20, debugcon=True)


@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_boot_ends_where_it_is_asked_to():
    film = Film("a boot")
    films.of_boot(film, CONFIG, BootWishes(until=Phase.SETUP))()
    assert "setup" in film.marks
    assert "boot" not in film.marks
    assert any("SeaBIOS" in text for _, text in film.notes)


@pytest.mark.unicorn
@pytest.mark.seabios
def test_the_flow_is_listed():
    film = Film("a boot")
    films.of_boot(film, CONFIG, BootWishes(until=Phase.INIT, flow=True))()
    told = [text for _, text in film.notes if text.startswith(FLOW)]
    assert told[0] == "~~ entered by the reset vector: power on"
    assert "~~ mode 16-bit -> 32-bit" in told


@pytest.mark.unicorn
@pytest.mark.seabios
def test_accesses_are_listed_and_a_machine_stops_at_one_with_its_registers():
    film = Film("a boot")
    wishes = BootWishes(trace=("413-414,w",), stop_at=("410-411,r",))
    films.of_boot(film, CONFIG, wishes)()
    told = [text for _, text in film.notes]
    lowered, at = (
        told.index(next(text for text in told if text.startswith(words)))
        for words in ("write   2 B at 0000000000000413", "read    2 B at 0000000000000410")
    )
    assert lowered < at
    assert all("pc.ram @41" in told[index] for index in (lowered, at))
    assert any("EIP=" in text for text in told[at:])
    assert film.ended == "the machine was stopped at an access"
    assert film.notes == sorted(film.notes, key=lambda note: note[0])


@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_saved_machine_goes_on(tmp_path):
    path = tmp_path / "saved"
    with VirtualMachine(CONFIG) as vm:
        vm.run(until=Phase.SETUP)
        save(vm, path)
        saved_at_s = vm.board.clock.now_ns() / 1e9
    film = Film("a boot")
    films.of_boot(film, MachineConfig(), BootWishes(restore=path))()
    assert (film[0].time_s, film[0].cause) == (saved_at_s, "as it was saved")
    assert len(film) > 1
    assert min(film.marks.values()) >= saved_at_s
    assert "boot" in film.marks
