"""``object_add``, ``device_add`` and their opposites: parts that come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError
from guestmap.machine.options.keyval import HelpWanted, parse_keyval
from guestmap.machine.options.object_schema import OBJECT_OPTIONS
from guestmap.machine.options.strings import identifier, last_values, split_options
from guestmap.monitor.hmp.json_text import read_json
from guestmap.monitor.hmp.keyval_values import values_of
from guestmap.monitor.hmp.option_help import device_help, devices_help, object_help
from guestmap.monitor.hmp.scanner import SyntaxProblem
from guestmap.qmp import QmpError, validate
from guestmap.qmp.order import wire_order

if TYPE_CHECKING:
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext

_NO_IDENTIFIER = (
    "Parameter 'id' expects an identifier\n"
    "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter."
)
_HELP = ("help", "?")


def object_add(context: HmpContext, values: Values) -> str:
    """Make an object from ``type,id=...,key=value...`` or from JSON."""
    text = str(values["object"])
    try:
        options = _from_json(text) if text.startswith("{") else _from_keys(text)
    except HelpWanted as wanted:
        return object_help(context.board.types, wanted.options.get("qom-type"))
    kind, name = options.pop("qom-type"), options.pop("id")
    _check_identifier(name)
    context.board.manage.object_add(kind, name, options)
    return ""


def _from_keys(text: str) -> dict[str, Any]:
    return values_of(OBJECT_OPTIONS, parse_keyval(text, "qom-type"))


def _from_json(text: str) -> dict[str, Any]:
    try:
        return validate(OBJECT_OPTIONS, read_json(text))
    except QmpError as error:
        raise ConfigError(str(error)) from error


def _check_identifier(name: str) -> None:
    try:
        identifier(name)
    except ConfigError as error:
        raise ConfigError(_NO_IDENTIFIER) from error


def object_del(context: HmpContext, values: Values) -> str:
    """Remove an object."""
    context.board.manage.object_del(str(values["id"]))
    return ""


def device_add(context: HmpContext, values: Values) -> str:
    """Plug in a device from ``driver,key=value...``."""
    name, options = _device_options(str(values["device"]))
    driver = options.pop("driver", None)
    if driver in _HELP:
        return devices_help(context.board.types)
    if driver is not None and any(each in options for each in _HELP):
        return device_help(context.board.types, driver)
    if driver is None:
        raise ConfigError("Parameter 'driver' is missing")
    in_order = {key: options[key] for key in wire_order(options)}
    context.board.manage.device_add(driver, name, in_order)
    return ""


def check_device_options(text: str) -> None:
    """Refuse an id that is none, as soon as the line is read: QEMU says no more than that.

    Raises:
        SyntaxProblem: without a text.
    """
    name, _options = _device_options(text)
    try:
        if name is not None:
            identifier(name)
    except ConfigError as error:
        raise SyntaxProblem("", "") from error


def _device_options(text: str) -> tuple[str | None, dict[str, str]]:
    """Return the id and the other options: of several ids the first counts, of others the last."""
    pairs = split_options(text, "driver")
    names = [value for key, value in split_options(text) if key == "id"]
    return next(iter(names), None), last_values(pair for pair in pairs if pair[0] != "id")


def device_del(context: HmpContext, values: Values) -> str:
    """Ask for a device to be unplugged."""
    context.board.manage.device_del(str(values["id"]))
    return ""
