"""Trees rebuilt from text, complete enough to render: :func:`rebuild`."""

from guestmap.inspect.rebuild.rebuild import differing_facts, rebuild

__all__ = ["differing_facts", "rebuild"]
