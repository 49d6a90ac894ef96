"""What can be added, and with which options: ``object_add help``, ``device_add DRIVER,help``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.qmp import encode
from guestmap.qom import UNSET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.qom import Property, TypeTable

_NO_OPTIONS = frozenset({"type", "realized", "hotpluggable", "hotplugged", "parent_bus"})
_WIDTH = 24


def object_help(types: TypeTable, name: str | None) -> str:
    """Return the options of a type of objects; of no such type, all the types."""
    known = sorted(each.name for each in types.all("user-creatable", abstract=False))
    if name not in known:
        return "".join(["List of user creatable objects:\n", *(f"  {each}\n" for each in known)])
    writable = [prop for prop in types.properties(name) if prop.set is not None]
    return f"{name} options:\n{_options(writable, defaults=False)}"


def devices_help(types: TypeTable) -> str:
    """Return the drivers that can be plugged in."""
    drivers = sorted(each.name for each in types.all("memory-device", abstract=False))
    return "".join(f'name "{driver}"\n' for driver in drivers)


def device_help(types: TypeTable, driver: str) -> str:
    """Return the options of a driver."""
    if driver not in types or not types.is_a(driver, "device"):
        return f"Device '{driver}' not found\n"
    return f"{driver} options:\n{_options(types.properties(driver), defaults=True)}"


def _options(properties: Iterable[Property], *, defaults: bool) -> str:
    lines = [
        _option(prop, defaults=defaults)
        for prop in sorted(properties, key=lambda each: each.name)
        if prop.name not in _NO_OPTIONS and not prop.name.startswith("legacy-")
    ]
    return "".join(f"{line}\n" for line in sorted(lines))


def _option(prop: Property, *, defaults: bool) -> str:
    default = ""
    if defaults and prop.default is not UNSET:
        default = f" (default: {encode(prop.default).decode()})"
    text = f"  {prop.name}=<{prop.type.name}>"
    if not prop.description and not default:
        return text
    return f"{text:<{_WIDTH}} - {prop.description}{default}"
