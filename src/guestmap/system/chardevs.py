"""``-chardev``, and what uses one: monitors, and the ports that ``-device`` names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from guestmap.base import ConfigError, UnsupportedError
from guestmap.base.dataclass import dataclass
from guestmap.hw.parallel import ParallelPort
from guestmap.hw.serial import Serial16550
from guestmap.machine.options.strings import (
    identifier,
    json_object,
    last_values,
    option,
    split_options,
)

_KNOWN: Final = {
    "socket": frozenset({"id", "backend", "fd", "path", "server", "wait"}),
    "pty": frozenset({"id", "backend"}),
    "null": frozenset({"id", "backend"}),
    "file": frozenset({"id", "backend", "path"}),
}
_PRINTERS: Final = ("null", "file")
_MONITOR: Final = "monitor-qmp"
_ON: Final = frozenset({"on", "yes", "true", "y"})


@dataclass(frozen=True, slots=True)
class CharDev:
    """One character device.

    Attributes:
        id: its name.
        kind: ``socket``, ``pty``, ``null`` or ``file``.
        path: of the file or of the socket that is to be made; "" for none.
        descriptor: of a socket that listens already, and is inherited; None for none.
    """

    id: str
    kind: str
    path: str = ""
    descriptor: int | None = None

    @classmethod
    def parse(cls, text: str) -> CharDev:
        """Read ``KIND,id=NAME[,...]``.

        Raises:
            ConfigError: the id is missing, a descriptor is no number, a parameter is unknown.
            UnsupportedError: another kind; a socket that does not listen, or waits.
        """
        with option("chardev", text):
            values = last_values(split_options(text, "backend"))
            kind = values.get("backend", "")
            if kind not in _KNOWN:
                kinds = ", ".join(_KNOWN)
                raise UnsupportedError(f"'{kind}' is not modelled: {kinds} are")
            if "id" not in values:
                raise ConfigError("Parameter 'id' is missing")
            for name in [each for each in values if each not in _KNOWN[kind]]:
                raise UnsupportedError(f"parameter '{name}' is not modelled")
            if kind == "socket":
                _check_socket(values)
            elif kind == "file" and not values.get("path"):
                raise ConfigError("chardev: file: no filename given")
            number = values.get("fd")
            return cls(
                identifier(values["id"]),
                kind,
                values.get("path", ""),
                None if number is None else int(number),
            )


def _check_socket(values: dict[str, str]) -> None:
    if values.get("server") not in _ON:
        raise UnsupportedError("a socket listens here, it does not connect: server=on")
    if values.get("wait", "on") in _ON:
        raise UnsupportedError("the machine waits for no client: wait=off, and -S")
    if ("fd" in values) == ("path" in values):
        raise ConfigError("one of 'fd' and 'path' is needed")
    if "fd" in values and not values["fd"].isdecimal():
        raise ConfigError(f"fd={values['fd']}: is no number of a descriptor")


def read_chardevs(texts: Iterable[str]) -> dict[str, CharDev]:
    """Return all character devices by id.

    Raises:
        ConfigError: one cannot be, or an id is there twice.
        UnsupportedError: it is not modelled.
    """
    found: dict[str, CharDev] = {}
    for text in texts:
        made = CharDev.parse(text)
        if made.id in found:
            raise ConfigError(f"-chardev {text}: Duplicate ID '{made.id}' for chardev")
        found[made.id] = made
    return found


def read_monitor(text: str, chardevs: dict[str, CharDev]) -> CharDev:
    """Return the character device that ``-mon`` names.

    Raises:
        ConfigError: there is none of that name, or it is no socket.
        UnsupportedError: the human monitor, which QMP's human-monitor-command reaches.
    """
    with option("mon", text):
        if text.startswith("{"):
            values = {name: str(value) for name, value in json_object(text).items()}
        else:
            values = last_values(split_options(text, "chardev"))
        if values.get("mode") != "control":
            raise UnsupportedError("only QMP is served: mode=control")
        return _monitor_on(values, chardevs)


def read_monitor_object(text: str, chardevs: dict[str, CharDev]) -> CharDev | None:
    """Return the character device of ``-object monitor-qmp``; None where it is another object.

    QEMU 11.1 takes a monitor so, too.

    Raises:
        ConfigError: there is none of that name, or it is no socket; the object has no id.
        UnsupportedError: a property that is not modelled.
    """
    if _MONITOR not in text:
        return None  # what is wrong with it, whoever reads objects says
    with option("object", text):
        if text.startswith("{"):
            values = {name: str(value) for name, value in json_object(text).items()}
        else:
            values = last_values(split_options(text, "qom-type"))
        if values.get("qom-type") != _MONITOR:
            return None
        for name in [each for each in values if each not in ("qom-type", "id", "chardev")]:
            raise UnsupportedError(
                f"{_MONITOR} {name}={values[name]} is not modelled: leave it out"
            )
        if "id" not in values:
            raise ConfigError("Parameter 'id' is missing")
        identifier(values["id"])
        return _monitor_on(values, chardevs)


def _monitor_on(values: dict[str, str], chardevs: dict[str, CharDev]) -> CharDev:
    found = _named(values.get("chardev", ""), chardevs)
    if found.kind != "socket":
        raise UnsupportedError(f"a monitor on a {found.kind} is not modelled: a socket is")
    return found


def _named(name: str, chardevs: dict[str, CharDev]) -> CharDev:
    if name not in chardevs:
        raise ConfigError(f"chardev '{name}' not found")
    return chardevs[name]


def read_serial(properties: dict[str, str], chardevs: dict[str, CharDev]) -> CharDev:
    """Return the character device of ``-device isa-serial``.

    Raises:
        ConfigError: there is none of that name.
        UnsupportedError: it is not the first port, or at another place.
    """
    return _of_port(Serial16550.TYPE.name, properties, chardevs)


def read_parallel(properties: dict[str, str], chardevs: dict[str, CharDev]) -> CharDev:
    """Return the character device of ``-device isa-parallel``: a file, or null.

    Raises:
        ConfigError: there is none of that name.
        UnsupportedError: it is not the first port, or at another place, or something else's end.
    """
    found = _of_port(ParallelPort.TYPE.name, properties, chardevs)
    if found.kind not in _PRINTERS:
        kinds = " and ".join(_PRINTERS)
        raise UnsupportedError(f"a parallel port on a {found.kind} is not modelled: {kinds} are")
    return found


def _of_port(driver: str, properties: dict[str, str], chardevs: dict[str, CharDev]) -> CharDev:
    for name, value in properties.items():
        if name not in ("id", "chardev", "index") or (name == "index" and value != "0"):
            raise UnsupportedError(
                f"{driver} {name}={value} is not modelled: one port is there, at index 0"
            )
    return _named(properties.get("chardev", ""), chardevs)
