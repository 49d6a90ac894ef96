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
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_examples_of_a_document_give_what_it_says(document):
    code = document.read_text().replace("```", "")  # fences are no Python
    test = doctest.DocTestParser().get_doctest(code, {}, document.name, str(document), 0)
    assert doctest.DocTestRunner().run(test).failed == 0


@pytest.mark.unicorn
def test_the_front_for_unicorn_works_and_is_short():
    example = ROOT / "examples" / "unicorn_front.py"
    run = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=True)
    assert run.stdout == "A5\n42\n"
    assert len(example.read_text().splitlines()) < 20


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
