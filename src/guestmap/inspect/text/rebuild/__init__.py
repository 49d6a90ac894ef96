"""Trees rebuilt from text, complete enough to render: :func:`rebuild`."""

from guestmap.inspect.text.rebuild.rebuild import (
    Rebuilt,
    differing_facts,
    rebuild,
    rebuild_beside_views,
)

__all__ = ["Rebuilt", "differing_facts", "rebuild", "rebuild_beside_views"]
