"""Who is asked when a device comes or goes while the machine runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from guestmap.qom.device import Device


class HotplugHandler(Protocol):
    """What plugs devices in and out; QEMU's interface ``hotplug-handler``.

    Each of the methods may raise to refuse, except the undoing one.
    """

    def pre_plug(self, device: Device) -> None:
        """Check and reserve everything, before the device is realized."""

    def undo_pre_plug(self, device: Device) -> None:
        """Give back what :meth:`pre_plug` reserved: the device could not be realized."""

    def plug(self, device: Device) -> None:
        """Connect the realized device."""

    def unplug_request(self, device: Device) -> None:
        """Ask the guest to let the device go."""

    def unplug(self, device: Device) -> None:
        """Disconnect the device; it is unrealized next."""
