"""Machines in a list of Kubernetes' form, as ``kubectl get vmi -A -o json`` prints it.

Names of fields are Kubernetes' (``metadata``, ``items``) and KubeVirt's (``status.nodeName``);
KubeVirt calls a machine's libvirt domain ``NAMESPACE_NAME``.
"""

from __future__ import annotations

from typing import Any

from guestmap.base import ConfigError
from guestmap.fleet.inventory import FleetMachine

SOURCE = "guestmap/source"
"""The annotation that names a machine's source."""

DEFAULT = "libvirt:{namespace}_{name}"
"""What names a machine without one."""


def is_kubernetes_list(form: Any) -> bool:
    """Tell whether a text is a list of Kubernetes' form."""
    return isinstance(form, dict) and isinstance(form.get("items"), list) and "kind" in form


def machines_of_list(form: Any, where: str, source_of: str) -> list[FleetMachine]:
    """Return the machines of a list.

    Args:
        form: what was read.
        where: it is from, for messages.
        source_of: what names a machine that has no annotation; "" for :data:`DEFAULT`.

    Raises:
        ConfigError: an item has no name; ``source_of`` asks for what is not known.
    """
    return [
        _machine(item, f"{where}, item {number}", source_of or DEFAULT)
        for number, item in enumerate(form["items"])
    ]


def _machine(item: Any, where: str, source_of: str) -> FleetMachine:
    metadata, spec, status = (_mapping(item, part) for part in ("metadata", "spec", "status"))
    name, namespace = metadata.get("name"), metadata.get("namespace") or "default"
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{where} has no metadata.name")
    host = str(status.get("nodeName") or spec.get("nodeName") or "")
    source = _mapping(metadata, "annotations").get(SOURCE)
    if source is None:
        try:
            source = source_of.format(name=name, namespace=namespace, host=host)
        except (LookupError, ValueError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"{source_of!r} names no machine: it may have {{name}}, {{namespace}} and {{host}}"
            ) from error
    labels = {str(key): str(value) for key, value in _mapping(metadata, "labels").items()}
    return FleetMachine(f"{namespace}/{name}", str(source), host, labels)


def _mapping(form: Any, part: str) -> dict[Any, Any]:
    """Return a part of a form that is to be a mapping; an empty one where it is none."""
    value = form.get(part) if isinstance(form, dict) else None
    return value if isinstance(value, dict) else {}
