"""CPU engines: whatever runs guest instructions on a machine's address spaces.

:mod:`guestmap.accel.api` says what an engine is. Importing this package imports no engine, and
none of the libraries that engines need; :func:`open_engine` does that by name.
"""

from guestmap.accel.api import (
    Capabilities,
    Engine,
    EngineStatistics,
    Exit,
    ExitReason,
    InterruptSource,
    NoInterrupts,
    Register,
    Segment,
    SegmentRegister,
    SoftwareInterrupt,
)
from guestmap.accel.factory import ENGINES, open_engine

__all__ = [
    "ENGINES",
    "Capabilities",
    "Engine",
    "EngineStatistics",
    "Exit",
    "ExitReason",
    "InterruptSource",
    "NoInterrupts",
    "Register",
    "Segment",
    "SegmentRegister",
    "SoftwareInterrupt",
    "open_engine",
]
