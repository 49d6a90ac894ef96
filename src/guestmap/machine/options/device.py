"""``-device``: a driver and its properties."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.base.dataclass import dataclass
from guestmap.machine.options.strings import (
    identifier,
    json_object,
    last_values,
    option,
    split_options,
)

if TYPE_CHECKING:
    from guestmap.qmp import JsonValue


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """One ``-device``: the driver and its properties, ``id`` and ``bus`` among them.

    Attributes:
        driver: QEMU's name of the device.
        properties: texts, or JSON values where it was given as JSON.
        is_json: whether it was: then ``"1"`` is no number.
        came_later: whether it came while the machine ran.
        number: which of the devices without an id it is; None for the next one.
        bus_number: N of ``pci.N``, the bus behind it where nobody named it; None for the next one.
        option: ``-device`` and its argument, for messages; "" where it comes from elsewhere.

    >>> DeviceSpec.parse("pci-testdev,membar=64K").properties
    {'membar': '64K'}
    """

    driver: str
    properties: dict[str, JsonValue] = field(default_factory=dict)
    is_json: bool = False
    came_later: bool = False
    number: int | None = field(default=None, compare=False)
    bus_number: int | None = field(default=None, compare=False)
    option: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> DeviceSpec:
        """Read QEMU's ``driver,key=value,...``, or a JSON object with a member ``driver``.

        Raises:
            ConfigError: the driver is missing, or the text is no option and no JSON.
        """
        is_json = text.startswith("{")
        properties: dict[str, JsonValue]
        with option("device", text):
            if is_json:
                properties = json_object(text)
            else:
                pairs = split_options(text, "driver")
                properties = {**last_values(pairs)}
                if "id" in properties:  # of several, QEMU takes the first
                    properties["id"] = identifier(next(text for key, text in pairs if key == "id"))
            driver = properties.pop("driver", None)
            if not isinstance(driver, str) or not driver:
                raise ConfigError("Parameter 'driver' is missing")
        return cls(driver, properties, is_json, option=f"-device {text}")

    @property
    def id(self) -> str | None:
        """The device's name, None without one; QEMU takes only a text for one."""
        value = self.properties.get("id")
        return value if isinstance(value, str) else None

    def text(self) -> dict[str, str]:
        """Return the properties as texts."""
        return {name: _text(value) for name, value in self.properties.items()}


def _text(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
