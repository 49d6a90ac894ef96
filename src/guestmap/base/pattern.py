"""Regular expressions that are compiled when they are first used.

Compiling one takes 50 to 300 us, and a run of the program uses few of those that its modules have.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from re import compile as pattern

    __all__ = ["pattern"]
else:

    class pattern:  # noqa: N801  # used as the function that it stands for
        """Stand for :func:`re.compile`: what is asked of the result compiles it."""

        def __init__(self, text: str, flags: int = 0) -> None:
            self._said = text, flags

        def __getattr__(self, name: str) -> Any:
            found = getattr(re.compile(*self._said), name)
            setattr(self, name, found)  # asked for again, it is here
            return found
