"""The README's examples run."""

import doctest
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
