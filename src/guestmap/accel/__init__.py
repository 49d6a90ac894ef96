"""CPU engines: whatever runs guest instructions on a machine's address spaces.

:mod:`guestmap.accel.api` says what an engine is. Importing this package imports no engine, and
none of the libraries that engines need; :func:`open_engine` does that by name.
"""

from guestmap.accel.api import Engine, InterruptSource, NoInterrupts
from guestmap.accel.factory import ENGINES, open_engine
from guestmap.accel.turn import Alone, Turn
from guestmap.accel.types import (
    Capabilities,
    EngineStatistics,
    Exit,
    ExitReason,
    Register,
    Segment,
    SegmentRegister,
    SoftwareInterrupt,
)

__all__ = [
    "ENGINES",
    "Alone",
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
    "Turn",
    "open_engine",
]
