"""``-object``: what the command line says of the objects a machine is to have.

Text and JSON end in the same values, those of QMP's ``object-add``.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.machine.options.strings import option

if TYPE_CHECKING:
    from guestmap.qmp import JsonValue


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """One ``-object``.

    Attributes:
        qom_type: its type.
        id: its name under ``/objects``.
        properties: what else was said, as QMP's ``object-add`` would hold it.
        is_json: whether it was given as JSON.
        option: ``-object`` and its argument, for messages; "" where it comes from elsewhere.
    """

    qom_type: str
    id: str
    properties: dict[str, JsonValue] = field(default_factory=dict)
    is_json: bool = field(default=False, compare=False)
    option: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> ObjectSpec:
        """Read ``type,id=...,key=value,...`` or a JSON object.

        Raises:
            ConfigError: no such type, or members that are missing, unknown or of a wrong type.
            UnsupportedError: a type of QEMU's that is not modelled.
        """
        from guestmap.machine.options.object_reading import from_json, from_text

        with option("object", text):
            members = from_json(text) if text.startswith("{") else from_text(text)
        kind, name = members.pop("qom-type"), members.pop("id")
        return cls(str(kind), str(name), members, text.startswith("{"), f"-object {text}")
