"""Questions that a machine is asked together, each once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guestmap.qmp.client.allowed import HMP

_COMPLAINTS = ("mtree: ", "info: ", "unknown command", "invalid ")
"""How the human monitor begins where it does not know a command or its flags."""


@dataclass(frozen=True, slots=True)
class Question:
    """A command that only looks, and the shape that QMP promises for its answer.

    Attributes:
        required: an answer that is an error is raised; else it means that it cannot be told.
    """

    command: str
    shape: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)
    required: bool = False


def prop(path: str, name: str, shape: Any) -> Question:
    """Return the question for an object's property."""
    return Question("qom-get", shape, {"path": path, "property": name})


def line(text: str) -> Question:
    """Return the question for the human monitor's answer to a line."""
    return Question(HMP, str, {"command-line": text})


def machine_text(text: str | None) -> str | None:
    """Return the human monitor's text with plain newlines; None where it did not know the line."""
    if text is None or text.startswith(_COMPLAINTS):
        return None
    return text.replace("\r\n", "\n")
