"""Documents that name code are held to it."""

import ast
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
    "SECURITY.md",
    "docs/fleet.md",
    "docs/hotplug.md",
    "docs/libvirt.md",
    "docs/memory.md",
    "docs/notebook.md",
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


def _identifiers() -> set[str]:
    """Every name that the package defines: modules, classes, functions, attributes, constants."""
    names: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        names |= {path.stem, path.parent.name}
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                    names.add(node.name)
                case ast.Name(ctx=ast.Store()):
                    names.add(node.id)
                case ast.Attribute(ctx=ast.Store()):
                    names.add(node.attr)
    return names


NOT_OURS = {
    "out", "eax", "object-add", "device_add", "device-list-properties", "info", "mtree", "OUT",
    "xcf8",
}  # fmt: skip
"""What is written as code and is the guest's, or QEMU's."""


def test_every_name_of_code_in_the_architecture_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    code = [each for each in re.findall(r"`([^`\n]+)`", text) if not re.search(r"[/]|\.toml", each)]
    code += re.findall(r"^    ([\w.]+\(.*?\)) +->", text, re.MULTILINE)
    words = {word for each in code for word in re.findall(r"[A-Za-z_][\w-]*", each.split("(")[0])}
    assert words - NOT_OURS - _identifiers() == set()
    assert {"render", "rerendered", "find", "MemTxResult"} <= words
