"""Findings in SARIF, the form in which code hosts and CI show them (OASIS SARIF 2.1.0)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import guestmap
from guestmap.inspect.ask.lint import CHECKS
from guestmap.inspect.ask.sentences import finding_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from guestmap.inspect.ask.findings import Finding, Severity
    from guestmap.inspect.map.report import RegionRef

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}


def sarif(
    found: Mapping[str, Sequence[Finding]], unread: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the log of one run: what was found, by source.

    Args:
        found: the findings by what names the map; a name that is no path stands as a logical place
            only, as do the address space and the region of a finding.
        unread: why a map could not be looked at, by its name.
    """
    codes = [check.code for check in CHECKS]
    rules = [
        {
            "id": check.code,
            "defaultConfiguration": {"level": _LEVELS[check.severity]},
            "help": {"text": check.remedy},
        }
        for check in CHECKS
    ]
    results = [
        {
            "ruleId": each.code,
            "ruleIndex": codes.index(each.code),
            "level": _LEVELS[each.severity],
            "message": {"text": f"{finding_place(each)}: {each.message}"},
            "locations": [_location(source, each.regions[:1])],
        }
        for source, findings in found.items()
        for each in findings
    ]
    driver = {"name": "guestmap lint", "version": guestmap.__version__, "rules": rules}
    run: dict[str, Any] = {"tool": {"driver": driver}, "results": results}
    if unread:
        run["invocations"] = [_failed(unread)]
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _failed(unread: Mapping[str, str]) -> dict[str, Any]:
    """Return that the run is not whole, and why."""
    told = [
        {"level": "error", "message": {"text": why}, "locations": [_location(source)]}
        for source, why in unread.items()
    ]
    return {"executionSuccessful": False, "toolExecutionNotifications": told}


def _location(source: str, regions: Sequence[RegionRef] = ()) -> dict[str, Any]:
    logical = [{"name": source, "kind": "resource"}]
    logical += [{"name": each.name, "kind": "resource"} for each in regions]
    location: dict[str, Any] = {"logicalLocations": logical}
    path = Path(source)
    if path.exists():
        uri = path.as_uri() if path.is_absolute() else _relative(path)
        location["physicalLocation"] = {"artifactLocation": {"uri": uri}}
    return location


def _relative(path: Path) -> str:
    from urllib.parse import quote

    return quote(path.as_posix())
