"""The examples in the documents and in docstrings run."""

import doctest
import importlib
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.seabios
def test_the_examples_of_the_readme_give_what_it_says():
    text = README.read_text()
    parser = doctest.DocTestParser()
    code = text.replace("```", "")  # fences are no Python
    test = parser.get_doctest(code, {}, "README.md", str(README), 0)
    outcome = doctest.DocTestRunner().run(test)
    assert outcome.attempted > 10
    assert outcome.failed == 0


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
