"""What comes with the wheel beside the package: the manual page, and what teaches the shells."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from guestmap.cli.app import COMMANDS

ROOT = Path(__file__).parent.parent
SHARE = ROOT / "share"
PAGE = SHARE / "man" / "man1" / "guestmap.1"


def test_the_manual_has_every_command() -> None:
    text = PAGE.read_text().partition(".SH COMMANDS")[2].partition(".SH SOURCES")[0]
    named = {name.replace("\\-", "-") for name in re.findall(r"^\.B (\S+)$", text, re.MULTILINE)}
    assert named == COMMANDS.keys(), "run .venv/bin/python tools/man_page.py"


def test_the_manual_is_what_its_tool_writes() -> None:
    written = runpy.run_path(str(ROOT / "tools" / "man_page.py"))["page"]()
    assert _but_commands(written) == _but_commands(PAGE.read_text())


def _but_commands(text: str) -> str:
    """Return the page without what commands and exit statuses say of themselves."""
    return re.sub(r"\.SH COMMANDS.*?\.SH SOURCES|\.SH EXIT.*?\.SH ENV", "", text, flags=re.DOTALL)


def test_the_manual_is_well_formed() -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("needs groff")
    command = [groff, "-man", "-Tascii", "-ww", str(PAGE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    assert "guestmap plug unix:vm.sock 512M" in re.sub(r"\x1b\[\d*m|.\x08", "", done.stdout)


@pytest.mark.parametrize(
    ("shell", "name"),
    [
        ("bash", "bash-completion/completions/guestmap"),
        ("zsh", "zsh/site-functions/_guestmap"),
        ("fish", "fish/vendor_completions.d/guestmap.fish"),
    ],
)
def test_each_shell_finds_its_script_where_it_looks(shell: str, name: str) -> None:
    assert f"_GUESTMAP_COMPLETE=complete_{shell}" in (SHARE / name).read_text()


def test_the_wheel_takes_them_along() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"share": "share"}
