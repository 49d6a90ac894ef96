"""The power management function of the PIIX4."""

from guestmap.hw.piix4_pm.device import Piix4Pm

__all__ = ["Piix4Pm"]
