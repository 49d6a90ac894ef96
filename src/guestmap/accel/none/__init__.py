"""The accelerator without a CPU: a program drives the machine through its address spaces."""

from guestmap.accel.none.accelerator import NoAccelerator, NoVcpu

__all__ = ["NoAccelerator", "NoVcpu"]
