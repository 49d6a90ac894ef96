"""Which of our modules needs which, as far as import-linter's contracts do not say it."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest


def test_no_module_needs_itself_through_others() -> None:
    """At run time: imports that are put off into a function count, those for types do not."""
    graph = grimp.build_graph("guestmap", exclude_type_checking_imports=True, cache_dir=None)
    needs = {each: graph.find_modules_directly_imported_by(each) for each in graph.modules}
    assert needs["guestmap.machine.config"], "nothing was found"
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(f"what both need belongs below both: {' <- '.join(error.args[1])}")
