"""The JSON Schema of what each command prints with ``--json``, made from the types themselves."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from guestmap.cli import boot_forms, forms, plug_forms
from guestmap.domain.orphans import Cleaning
from guestmap.domain.overview import Overview
from guestmap.inspect.ask.diff import Diff
from guestmap.inspect.ask.dma import DmaReach
from guestmap.inspect.ask.explain_range import RangeExplanation
from guestmap.inspect.ask.explanation import Explanation
from guestmap.inspect.ask.kvm_slots import KvmSlots
from guestmap.inspect.ask.pci.listing import PciListing
from guestmap.inspect.ask.ram_ranges import RamTable
from guestmap.inspect.ask.roms import RomTable
from guestmap.inspect.ask.why_not import WhyNot
from guestmap.inspect.map.schema import DIALECT

_STRINGS = {"type": "array", "items": {"type": "string"}}
_NOTES: Final = MappingProxyType({"notes": _STRINGS})
_UNMAPPED = {"type": "array", "items": {"$ref": "#/$defs/Unmapped"}}


class Form(NamedTuple):
    """An object that a command prints.

    Attributes:
        type: of its fields.
        format: the value of ``format``, which stands in front; "" where the type says it, or where
            there is none.
        more: further fields, and their schemas.
    """

    type: type
    format: str = ""
    more: Mapping[str, Any] = MappingProxyType({})


_ERROR = Form(forms.Error)
_PLUG = (Form(plug_forms.OutcomeForm, "plug"),)
FORMS: Final[Mapping[str, tuple[Form, ...]]] = MappingProxyType({
    "boot": (Form(boot_forms.Boot, "boot"),),
    "diff": (Form(Diff, "diff", _NOTES),),
    "dimms": (Form(Overview, "dimms"), Form(Cleaning, "clean")),
    "dma": (Form(DmaReach, "dma", _NOTES),),
    "doctor": (Form(forms.Checks, "doctor"),),
    "explain": (
        Form(Explanation, "explain", _NOTES), Form(RangeExplanation, "explain", _NOTES),
    ),
    "flat": (Form(forms.Views, "flat", _NOTES),),
    "kvm": (Form(KvmSlots, "kvm", _NOTES),),
    "lint": (Form(forms.Lint, "lint"), Form(forms.LintOfDumps, "lint")),
    "pci": (Form(PciListing, "pci"),),
    "plug": _PLUG,
    "ram": (Form(RamTable, "ram", _NOTES),),
    "read": (Form(forms.Bytes, "read"),),
    "resize": _PLUG,
    "roms": (Form(RomTable, "roms", _NOTES),),
    "tree": (Form(forms.Trees, "tree", _NOTES),),
    "unplug": _PLUG,
    "watch": (Form(forms.WatchBegin), Form(forms.WatchLook), Form(forms.WatchEnd)),
    "why-not": (
        Form(WhyNot, "why-not", _NOTES | {"unmapped": _UNMAPPED}),
        Form(forms.OnlyUnmapped, "why-not", _NOTES),
    ),
})  # fmt: skip
"""By command; each may print an error instead."""

OF_MOMENTS: Final = frozenset({
    "dma", "explain", "flat", "pci", "ram", "read", "roms", "tree", "why-not",
})  # fmt: skip
"""Commands that answer several moments at once."""


def schema_of(command: str) -> dict[str, Any]:
    """Return the schema of what a command prints; of ``watch`` and ``domain event``, of each line.

    Args:
        command: its name; of a verb of ``domain`` with that before it.
    """
    printed = _printed(command)
    _, parts = msgspec.json.schema_components(
        [form.type for form in printed], ref_template="#/$defs/{name}"
    )
    for name, part in parts.items():
        part["description"] = inspect.cleandoc(part.get("description", name))
        if "properties" in part:
            part["additionalProperties"] = False
    wholes = [_whole(parts[form.type.__name__], form) for form in printed]
    if command in OF_MOMENTS:
        wholes.append(_moments(command, wholes[: len(FORMS[command])]))
    schema = {
        "$schema": DIALECT,
        "title": f"guestmap {command} --json",
        "anyOf": wholes,
        "$defs": parts,
    }
    _order(schema)
    plain: dict[str, Any] = json.loads(json.dumps(schema))  # defaults may be tuples
    return plain


def _printed(command: str) -> tuple[Form, ...]:
    if command in FORMS:
        return (*FORMS[command], _ERROR)
    if command.startswith("fleet "):
        from guestmap.cli.fleet_forms import FLEET_FORMS

        return (*(Form(each) for each in FLEET_FORMS[command.split()[1]]), _ERROR)
    from guestmap.cli.domain_forms import VERB_FORMS, DomainVerbError

    return tuple(Form(each) for each in (*VERB_FORMS[command.split()[1]], DomainVerbError))


def _whole(part: Mapping[str, Any], form: Form) -> dict[str, Any]:
    """Return the schema of a result with what stands around it."""
    head = _head(form.format) if form.format else {}
    return {
        **part,
        "properties": {**head, **part["properties"], **form.more},
        "required": [*head, *part.get("required", ())],
    }


def _head(command: str) -> dict[str, Any]:
    return {"format": {"const": f"guestmap.{command}"}, "format_version": {"const": 1}}


def _moments(command: str, answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of the answers to several moments, each of which is one of ``answers``."""
    each = {"at": {"type": "string"}, "answer": {"anyOf": answers}}
    item = {
        "type": "object", "properties": each, "required": [*each], "additionalProperties": False,
    }  # fmt: skip
    fields = {**_head(command), "moments": {"type": "array", "items": item}}
    return {
        "title": "Moments",
        "description": "The answers to several moments (--at), in the order of the command line.",
        "type": "object",
        "properties": fields,
        "required": [*fields],
        "additionalProperties": False,
    }


def _order(schema: Any) -> None:
    """Bring choices into one order, which the types do not have."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            _order(value)
            if key == "anyOf":
                value.sort(key=json.dumps)
    elif isinstance(schema, list):
        for each in schema:
            _order(each)
