"""A serial port, and bytes for it as fast as the guest takes them."""

from guestmap.hw.serial.device import Serial16550, Uart

__all__ = ["Serial16550", "Uart"]
