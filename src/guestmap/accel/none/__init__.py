"""The engine without a CPU: a program drives the machine through its address spaces."""

from guestmap.accel.none.engine import NoCpuEngine

__all__ = ["NoCpuEngine"]
