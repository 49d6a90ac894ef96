"""Names are data: whatever is in one, every command shows it, and none obeys it."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import threading
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest

from guestmap.base import GIB, printable
from guestmap.cli import main
from guestmap.cli.app import COMMANDS
from guestmap.inspect import RamBlockInfo, Snapshot
from tests.domain.machines import BASE, FakeMachine, dimm, holding, texts_of
from tests.inspect.snapshots import Builder
from tests.support.processes import popen
from tests.support.program import Done, run_program
from tests.support.qmp_serving import serving

HOSTILE = {
    "title": "\x1b]0;OWNED\x07",
    "clears": "\x1b[2J\x1b[41;5mred",
    "c1": "\x9b41;5m\x85\x7f",
    "line": "pc.ram\n0x0 in memory: forged\r",
    "bidi": "\u202ekcatta\u2066\u200f",
    "markup": "[red on red]x[/] [link=http://x]y[/link]",
    "script": "<img src=x onerror=\"document.title='a stranger'\"></script><script>f()</script>",
    "mathematics": r"$\frac$ $$\alpha$$",
    "wide": "記憶\u200b\U000e0041",
}
ALL = " ".join(HOSTILE.values())
TEXT = "".join(each for each in ALL if each not in "\n\r\x85")
"""What can be a name in a text of lines."""

READING: dict[str, list[str]] = {
    "explain": ["0x10"],
    "why-not": ["#1"],
    "diff": ["EMPTY"],
    "lint": [],
    "ram": [],
    "dma": [ALL],
    "roms": [],
    "tree": ["--owner"],
    "flat": ["--owner"],
    "snapshot": [],
    "kvm": [],
}
MORE = [
    ("tree", "--qemu", "-o", "-D"),
    ("flat", "--qemu", "-o"),
    ("explain", "0x10", "--as", ALL),
    ("explain", ALL),
    ("explain", "0x10", "--as", "no" + ALL),
    ("dma", "no" + ALL),
    ("why-not", "no" + ALL),
    ("flat", "--as", "no" + ALL),
    ("tree", "--as", "no" + ALL),
    ("ram", "--as", "no" + ALL),
    ("draw", "-o", f"{ALL.replace('/', '')[:100]}.txt"),
    ("draw", "-o", "no/such/\x1b[2J.svg"),
    ("snapshot", "-o", "no/such/\x1b[2J.json"),
    ("watch",),
    ("dimms",),
    ("plug", "\x1b[2J"),
    ("unplug", "\x1b[2J"),
    ("conform",),
    ("serve", "boot"),
    ("\x1b[2J",),
    ("tree", "--\x1b[2J"),
]
"""More that names things in its answer, most of it in an error."""
ELSEWHERE = {
    "boot", "completion", "conform", "dimms", "doctor", "domain", "draw", "fleet", "plug", "read",
    "serve", "unplug", "watch",
}  # fmt: skip


def hostile_map() -> Snapshot:
    """Return a map in which every text is hostile."""
    tree = Builder()
    ram = tree.region(ALL, 0, 4096, type="ram", owner=f"owner:{{dev id={ALL}}}")
    root = tree.container(f"root {ALL}", 0, 1 << 64, owner=ALL)
    tree.alias(f"alias {ALL}", 0, 4096, ram, into=root)
    tree.region(f"under {ALL}", 0, 8192, into=root, priority=-1, owner=ALL)
    tree.region(ALL, 1 << 16, 4096, type="rom", into=root)
    tree.space("memory", root)
    tree.space(ALL, root)
    blocks = (RamBlockInfo(ALL, 0, 4096, 4096),)
    return tree.snapshot(source=ALL, version=ALL, ram_blocks=blocks)


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file with the map, whose own name is hostile too."""
    monkeypatch.chdir(tmp_path)
    name = f"map {TEXT.replace('/', '')}"[:120] + ".json"
    Path(name).write_text(json.dumps(hostile_map().to_json()))
    Path("EMPTY").write_text(json.dumps(Builder().snapshot().to_json()))
    return name


def assert_harmless(data: bytes, *, tabs: bool = False) -> None:
    """Hold bytes to printable characters and line feeds."""
    allowed = {"\n", "\t"} if tabs else {"\n"}
    for each in set(data.decode()) - allowed:
        assert unicodedata.category(each) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}, hex(ord(each))


def assert_harmless_on_a_terminal(data: bytes) -> None:
    """Hold what a terminal got to rich's own colours, line ends, and printable characters."""
    assert b"\x1b[41;5m" not in data
    bar = rb"\x1b\[\?25[lh]|\x1b\[2K|\x1b\[1A|\r"  # rich's, for progress
    assert_harmless(re.sub(rb"\x1b\[[0-9;]*m|" + bar, b"", data))


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *words: str) -> bytes:
    """Run guestmap in this process, both its streams a terminal, and return what that got."""
    ours, theirs = os.openpty()
    got: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(ours, 1 << 16):
                got.append(data)
        except OSError:
            pass  # the other end is closed

    reader = threading.Thread(target=read)
    reader.start()
    with open(theirs, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        patch.setattr(sys, "argv", ["guestmap", *words])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        patch.setattr(sys, "stdout", terminal)
        patch.setattr(sys, "stderr", terminal)
        with pytest.raises(SystemExit):
            main()
    reader.join()
    os.close(ours)
    return b"".join(got)


def _words(words: tuple[str, ...], source: str) -> list[str]:
    """Put the source behind the command."""
    if words[0] not in COMMANDS:
        return list(words)
    return [words[0], source, *words[1:]]


def test_no_command_is_forgotten_here():
    assert set(COMMANDS) <= {*READING, *ELSEWHERE, "resize", "pci"}


@pytest.mark.parametrize("command", READING)
def test_a_reading_command_shows_names_in_a_pipe(command, source):
    done = run_program(command, source, *READING[command])
    assert done.status in {0, 1}, done
    assert_harmless(done.out + done.err)
    if command not in {"lint", "snapshot"}:
        assert printable(HOSTILE["clears"]) in done.stdout
        assert printable(HOSTILE["markup"]) in done.stdout


@pytest.mark.parametrize("command", READING)
def test_a_reading_command_shows_names_on_a_terminal(command, source, monkeypatch):
    assert_harmless_on_a_terminal(on_a_terminal(monkeypatch, command, source, *READING[command]))


@pytest.mark.parametrize("command", READING)
def test_no_name_makes_a_line_of_its_own(command, source):
    done = run_program(command, source, *READING[command])
    assert not any(line.startswith("0x0 in memory: forged") for line in done.stdout.splitlines())


@pytest.mark.parametrize("command", READING)
def test_json_has_the_names_themselves_and_is_plain_ascii(command, source):
    done = run_program(command, source, *READING[command], *(["--json"] * (command != "snapshot")))
    assert_harmless(done.out)
    assert done.stdout.isascii()
    if command != "lint":
        assert ALL in "\n".join(_texts(json.loads(done.stdout)))


def _texts(form: object) -> list[str]:
    if isinstance(form, dict):
        return [text for value in form.values() for text in _texts(value)]
    if isinstance(form, list):
        return [text for value in form for text in _texts(value)]
    return [form] if isinstance(form, str) else []


@pytest.mark.parametrize("words", MORE, ids=lambda words: printable(" ".join(words))[:40])
def test_what_else_is_named_is_shown_too(words, source, monkeypatch):
    done = run_program(*_words(words, source))
    assert_harmless(done.out + done.err)
    assert "Traceback" not in done.stderr
    assert_harmless_on_a_terminal(on_a_terminal(monkeypatch, *_words(words, source)))


@pytest.mark.parametrize("command", READING)
def test_what_the_encoding_cannot_hold_is_shown_too(command, source):
    done = run_program(command, source, *READING[command], encoding="ascii")
    assert done.status in {0, 1}, done
    assert (done.out + done.err).isascii()


@pytest.mark.parametrize("command", [*(each for each in READING if each != "dma"), "draw"])
def test_names_in_pasted_text_are_no_different(command):
    place = "0000000000000000-0000000000000fff"
    text = (
        "address-space: memory\n"
        "  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
        f"    {place} (prio 0, ram): {TEXT}\n"
    )
    more = {"draw": ["-o", "map.svg"], "why-not": ["#1"]}.get(command, READING.get(command, []))
    done = run_program(command, "-", *more, text=text)
    assert done.status in {0, 1}, done
    assert_harmless(done.out + done.err)


@pytest.mark.parametrize(
    "words", [("draw", "SOURCE"), ("draw", "--diff", "SOURCE", "EMPTY"), ("draw", "EMPTY")]
)
def test_a_drawing_is_well_formed_and_has_the_names_as_text(words, source):
    words = [source if word == "SOURCE" else word for word in words]
    done = run_program(*words, "-o", "map.svg")
    assert (done.status, done.err) == (0, b""), done
    drawn = Path("map.svg").read_bytes()
    assert_harmless(drawn)
    shown = "".join(ElementTree.fromstring(drawn).itertext())
    if source in words:
        assert "OWNED" in shown
        assert r"\x1b]0;" in shown
    assert run_program(*words, "-o", "map.png").status == 0


def test_a_page_has_the_names_as_data_and_runs_nothing_of_them(source):
    assert run_program("draw", source, "-o", "map.html").status == 0
    page = Path("map.html").read_text(encoding="utf-8")
    for hostile in HOSTILE.values():
        if printable(hostile) != hostile or "<" in hostile:
            assert hostile not in page
    before, after = page.split("<style>")[0], page.split("</head>")[1]
    assert_harmless((before + after).encode())
    assert page.count("<script>") == 4, "two libraries, one setting, and the picture"
    assert len(page.split('content="')[1].split('"')[0].split("sha256-")[1:]) == 4


def test_a_machine_that_is_attached_to_shows_its_names(tmp_path, monkeypatch):
    name = "dimm\x1b[2J\u202e"
    odd = dimm(0, BASE, GIB, backend=f"mem{name}")
    monkeypatch.setattr("tests.domain.machines.texts_of", texts_of)
    machine = FakeMachine(situation=holding(odd))
    machine.devices[0] = odd
    runs: list[Done] = []
    with serving(machine, tmp_path / "qmp") as served:
        runs = [
            run_program("dimms", served.path),
            run_program("flat", served.path),
            run_program("plug", served.path, "128M", "--id", name, "--timeout", "0"),
            run_program("unplug", served.path, name, "--timeout", "0"),
        ]
    for done in runs:
        assert_harmless(done.out + done.err)
        assert r"\x1b[2J\u202e" in done.stdout + done.stderr


@pytest.mark.unicorn
@pytest.mark.seabios
def test_what_a_guest_writes_to_its_log_is_shown(tmp_path):
    image = bytearray(0x10000)
    # at the reset vector: jmp 0xff00; there each byte of a text goes to port 402h; then hlt
    image[0xFFF0:0xFFF3] = bytes.fromhex("e90dff")
    text = b"\x1b]0;OWNED\x07\x9b2J\n"
    code = bytes.fromhex("ba0204") + b"".join(b"\xb0" + bytes((each,)) + b"\xee" for each in text)
    image[0xFF00 : 0xFF00 + len(code) + 1] = code + b"\xf4"
    bios = tmp_path / "bios.bin"
    bios.write_bytes(image)
    done = run_program("boot", "--bios", str(bios))
    assert_harmless(done.out + done.err)
    assert r"\x1b]0;OWNED\x07\x9b2J" in done.stdout


@pytest.mark.chromium
def test_a_drawn_page_shows_the_name_letter_by_letter(browser, source):
    assert run_program("draw", source, "-o", "map.html").status == 0
    browser.open(Path("map.html").absolute().as_uri())
    assert_shown(browser)


@pytest.mark.chromium
def test_a_served_page_too(browser, source):
    command = [sys.executable, "-m", "guestmap", "serve", "--port", "0", source]
    with popen(command, stdout=-1, stderr=-1, text=True) as server:
        browser.open(server.stdout.readline().split()[0])
        assert_shown(browser)
        server.terminate()
        server.communicate(timeout=30)


def assert_shown(browser) -> None:
    """Hold the page to names that are text: in the search line's answer, and at the pointer."""
    from selenium.webdriver.common.keys import Keys

    title = browser.driver.title
    assert title.startswith("Memory map of ")
    box = browser.element("input[type=text]")
    box.send_keys(Keys.CONTROL, "a", Keys.NULL, "onerror")
    name = printable(ALL)
    browser.until(lambda: any(name in text for text in browser.texts("pre, .bk-clearfix, div")))
    browser.point_at("seen by", name)
    browser.until(lambda: any(name in text for text in browser.texts(".bk-tooltip-content")))
    assert browser.driver.title == title
    assert browser.run("return [...all(document)].filter(e => e.tagName == 'IMG').length") == 0
    assert browser.complaints() == []
