"""Puts a bill of materials into the wheel (PEP 770): what guestmap needs, as tools/locked has it.

hatchling calls it. The form is CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)", re.MULTILINE)
_LOCKED = "tools/locked/all.txt"


class BillOfMaterials(BuildHookInterface[Any]):
    """Hands hatchling a file for ``.dist-info/sboms``."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file before the wheel is built; an editable one has none."""
        if version == "editable":
            return
        root = Path(self.root)
        made = materials(root, self.metadata.version)
        self._place = tempfile.TemporaryDirectory()
        file = Path(self._place.name, "guestmap.cdx.json")
        file.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        build_data["sbom_files"].append(str(file))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was written."""
        del build_data, artifact_path
        if version != "editable":
            self._place.cleanup()


def materials(root: Path, version: str) -> dict[str, Any]:
    """Return the bill: guestmap, and each release that it is tested with, extras included."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = _PIN.findall((root / _LOCKED).read_text(encoding="utf-8"))
    needed = [_component(name, number) for name, number in pins]
    own = _component("guestmap", version)
    own["licenses"] = [{"license": {"id": project["license"]}}]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": own},
        "components": needed,
        "dependencies": [
            {"ref": own["bom-ref"], "dependsOn": [each["bom-ref"] for each in needed]}
        ],
    }


def _component(name: str, version: str) -> dict[str, Any]:
    package = f"pkg:pypi/{_named(name)}@{version}"
    return {
        "type": "library", "bom-ref": package, "name": name, "version": version, "purl": package
    }  # fmt: skip


def _named(name: str) -> str:
    """Return a project's name in its one spelling (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
