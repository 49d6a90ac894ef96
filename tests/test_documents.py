"""Documents that name code are held to it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "guestmap"


def _paths_named(document: str) -> set[str]:
    """Paths in backticks, or at the end of an indented line: they have a slash and no blank."""
    text = (ROOT / document).read_text()
    named = set(re.findall(r"`([\w.-]+/[\w./-]*)`", text))
    return named | set(re.findall(r"\s(\w+/\w+\.py)$", text, flags=re.MULTILINE))


DOCUMENTS = (
    "ARCHITECTURE.md",
    "README.md",
    "docs/hotplug.md",
    "docs/memory.md",
    "docs/performance.md",
    "docs/support.md",
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_no_path_that_is_missing(document):
    missing = {
        path
        for path in _paths_named(document)
        if not (ROOT / path).exists() and not (PACKAGE / path).exists()
    }
    assert missing == set()


def test_the_architecture_names_every_package():
    packages = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    named = set(re.findall(r"`src/guestmap/(\w+)`", (ROOT / "ARCHITECTURE.md").read_text()))
    assert named == packages


def test_the_architecture_shows_the_floors_that_the_linter_holds():
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    table = re.findall(
        r"^\| (\d) \| `src/guestmap/(\w+)`", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE
    )
    floors: dict[str, set[str]] = {}
    for floor, package in table:
        floors.setdefault(floor, set()).add(package)
    present = [
        {name for part in layer.split("|") if (name := part.strip(" ()"))} for layer in layers
    ]
    packages = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    expected = [layer & packages for layer in reversed(present)]
    assert [floors[f] for f in sorted(floors)] == [layer for layer in expected if layer]
