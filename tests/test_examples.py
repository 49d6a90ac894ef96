"""The examples in the documents and in docstrings run."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.seabios
@pytest.mark.unicorn
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_examples_of_a_document_give_what_it_says(document):
    code = document.read_text().replace("```", "")  # fences are no Python
    test = doctest.DocTestParser().get_doctest(code, {}, document.name, str(document), 0)
    assert doctest.DocTestRunner().run(test).failed == 0


EXAMPLES = {
    "unicorn_front": "A5\n42\n",
    "arm_board": "UART: A\nUART: B\nUART: C\npixel 43434343, register f0\n",
    "bus_6502": "1a34 -> 2a\nvideo register 1 <- 2a\n8000 -> b2\n",
}


@pytest.mark.unicorn
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_shows_what_it_promises(name):
    example = ROOT / "examples" / f"{name}.py"
    run = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=True)
    assert run.stdout == EXAMPLES[name]


def test_every_example_is_run():
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


def test_the_bus_of_a_6502_needs_no_engine():
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); assert 'unicorn' not in sys.modules"
    run = [sys.executable, "-c", code, str(ROOT / "examples" / "bus_6502.py")]
    subprocess.run(run, capture_output=True, check=True)


def _modules() -> list[str]:
    import guestmap

    root = Path(guestmap.__file__).parent
    files = [f for f in root.rglob("*.py") if ">>> " in f.read_text()]
    names = [".".join(("guestmap", *f.relative_to(root).with_suffix("").parts)) for f in files]
    return sorted(name.removesuffix(".__init__") for name in names)


@pytest.mark.parametrize("name", _modules())
def test_the_examples_of_docstrings_give_what_they_say(name):
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.attempted
    assert not outcome.failed
