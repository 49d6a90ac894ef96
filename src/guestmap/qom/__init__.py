"""The object model: types, objects with typed properties, and the tree that they form.

It is QEMU's (docs/devel/qom.rst), as far as a machine with pluggable memory needs it: what
management tools see through ``qom-list``, ``qom-get`` and ``device_add`` has the same names, the
same paths and the same refusals. It knows nothing of memory.
"""

from guestmap.qom.bus import Bus
from guestmap.qom.device import Device, device_link, device_property, refuse_when_realized
from guestmap.qom.errors import AmbiguousPathError, NotFoundError
from guestmap.qom.hotplug import HotplugHandler
from guestmap.qom.names import escape_name
from guestmap.qom.number_types import INT, INT32, INT64, SIZE, UINT8, UINT16, UINT32, UINT64
from guestmap.qom.object import Object
from guestmap.qom.object_type import ObjectType
from guestmap.qom.properties import LinkRule, Property, attribute_property, link_property
from guestmap.qom.property_types import (
    BOOL,
    STR,
    STRING,
    PropertyType,
    child,
    enum,
    link,
    list_of,
    opaque,
)
from guestmap.qom.tree import UNATTACHED, ObjectTree
from guestmap.qom.type_table import TypeTable
from guestmap.qom.values import UNSET, JsonValue, TextValue, Unset, option_text

__all__ = [
    "BOOL",
    "INT",
    "INT32",
    "INT64",
    "SIZE",
    "STR",
    "STRING",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "UNATTACHED",
    "UNSET",
    "AmbiguousPathError",
    "Bus",
    "Device",
    "HotplugHandler",
    "JsonValue",
    "LinkRule",
    "NotFoundError",
    "Object",
    "ObjectTree",
    "ObjectType",
    "Property",
    "PropertyType",
    "TextValue",
    "TypeTable",
    "Unset",
    "attribute_property",
    "child",
    "device_link",
    "device_property",
    "enum",
    "escape_name",
    "link",
    "link_property",
    "list_of",
    "opaque",
    "option_text",
    "refuse_when_realized",
]
