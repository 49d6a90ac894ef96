"""Pictures of memory maps: what each address shows, what is hidden behind it, what changed.

Everything here is a function of a :class:`~guestmap.inspect.Snapshot`. The drawing libraries are
imported where something is drawn, so ``import guestmap.view`` is cheap.
"""

from guestmap.view.compare import compare
from guestmap.view.compose import compose
from guestmap.view.picture import Box, Kind, Label, Lane, Panel, Picture, State

__all__ = ["Box", "Kind", "Label", "Lane", "Panel", "Picture", "State", "compare", "compose"]
