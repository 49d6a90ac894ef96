"""The human monitor: commands for people, and for programs that read what people read.

Lines and answers are those of QEMU's monitor (QEMU, "QEMU Monitor").
"""

from guestmap.monitor.hmp.human_monitor import HumanMonitor

__all__ = ["HumanMonitor"]
