"""Modules that are found in one look are those that Python would have found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import guestmap

SAID = """
import json, sys
{begin}
import guestmap.base.units, guestmap.base, guestmap.memory.ram.host
from importlib.resources import files
names = ["guestmap.base.units", "guestmap.base", "guestmap.memory.ram.host"]
modules = [sys.modules[name] for name in names]
print(json.dumps([
    [[m.__file__, m.__cached__, m.__package__, m.__spec__.origin, m.__spec__.parent,
      list(m.__spec__.submodule_search_locations or []), m.__spec__.has_location,
      list(getattr(m, "__path__", []))] for m in modules],
    str(files("guestmap.base") / "units.py"),
    __import__("inspect").getsource(modules[0].parse_size),
]))
"""
BEGIN = "from guestmap.start.finder import find_in_one_look; find_in_one_look()"
FOUND = "print([type(each).__module__ for each in sys.meta_path][0] == 'guestmap.start.finder')"
TOLD = "import guestmap.base.told; print(guestmap.base.told.WORD)"


def python(*code: str, path: Path | None = None, **environment: str) -> str:
    """Return what a new Python prints."""
    environment.setdefault("PYTHONDONTWRITEBYTECODE", "")
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(("import sys", *code))],
        check=True, capture_output=True, text=True, env=os.environ | environment,
    )  # fmt: skip
    return done.stdout


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a folder with a copy of the two lowest floors, and a module more."""
    source = Path(guestmap.__file__).parent
    own = tmp_path / "guestmap"
    for floor in ("start", "base"):
        shutil.copytree(source / floor, own / floor, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(source / "__init__.py", own)
    (own / "base" / "told.py").write_text("WORD = 'first'\n")
    return tmp_path


def test_modules_say_of_themselves_what_they_say_otherwise() -> None:
    assert json.loads(python(SAID.format(begin=BEGIN))) == json.loads(python(SAID.format(begin="")))


def test_it_is_asked_first() -> None:
    assert python(BEGIN, FOUND) == "True\n"


def test_nobody_is_asked_where_byte_code_is_kept_elsewhere(tmp_path: Path) -> None:
    assert python(BEGIN, FOUND, PYTHONPYCACHEPREFIX=str(tmp_path)) == "False\n"


def test_byte_code_is_made_where_there_is_none_and_used_where_it_is(package: Path) -> None:
    byte_code = package / "guestmap" / "base" / "__pycache__"

    assert python(BEGIN, TOLD, path=package) == "first\n"
    (made,) = byte_code.glob("told.*.pyc")
    made.write_bytes(made.read_bytes().replace(b"first", b"other"))
    assert python(BEGIN, TOLD, path=package) == "other\n"


def test_byte_code_of_another_source_is_not_used(package: Path) -> None:
    told = package / "guestmap" / "base" / "told.py"
    assert python(BEGIN, TOLD, path=package) == "first\n"

    told.write_text("WORD = 'longer'\n")
    assert python(BEGIN, TOLD, path=package) == "longer\n"
    told.write_text("WORD = 'newest'\n")
    os.utime(told, (1, 1))
    assert python(BEGIN, TOLD, path=package) == "newest\n"


@pytest.mark.parametrize("kept", [0, 4, 15, 16, 20], ids="{} bytes".format)
def test_damaged_byte_code_is_made_anew(package: Path, kept: int) -> None:
    assert python(BEGIN, TOLD, path=package) == "first\n"
    (made,) = (package / "guestmap" / "base" / "__pycache__").glob("told.*.pyc")
    whole = made.read_bytes()
    made.write_bytes(whole[:kept])

    if kept < 16:
        assert python(BEGIN, TOLD, path=package) == "first\n"
    else:  # Python's own import refuses what has a right header and ends too early
        with pytest.raises(subprocess.CalledProcessError):
            python(TOLD, path=package)
        with pytest.raises(subprocess.CalledProcessError):
            python(BEGIN, TOLD, path=package)


def test_a_package_that_was_moved_is_found_where_it_is(package: Path, tmp_path: Path) -> None:
    assert python(BEGIN, TOLD, path=package) == "first\n"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (package / "guestmap").rename(elsewhere / "guestmap")

    code = "import guestmap.base.told; print(guestmap.base.told.__spec__.origin)"
    where = "print(guestmap.base.told.__loader__.get_code('guestmap.base.told').co_filename)"
    expected = str(elsewhere / "guestmap" / "base" / "told.py")
    assert python(BEGIN, code, where, path=elsewhere) == f"{expected}\n{expected}\n"


def test_a_module_that_is_not_there_is_an_import_error() -> None:
    code = "import guestmap.base.nothing_of_this_name"

    with pytest.raises(subprocess.CalledProcessError) as caught:
        python(BEGIN, code)

    assert "No module named 'guestmap.base.nothing_of_this_name'" in caught.value.stderr
