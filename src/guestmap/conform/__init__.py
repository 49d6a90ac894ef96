"""Hold guestmap to recorded answers of a real QEMU.

Three kinds of recordings: *vectors* (a region tree with every fact its flat views depend on, and
QEMU's views of it), *qtest* sequences (port and memory accesses with QEMU's replies, and the views
after each step) and *captures* (folders with the texts of ``info mtree``). :func:`conform` runs
whatever it finds below the paths it is given.
"""

from guestmap.conform.build import Built, build
from guestmap.conform.captures import CaptureCase, check_capture, read_capture
from guestmap.conform.cases import QtestCase, VectorCase, read_case
from guestmap.conform.engine import MachineFactory, conform
from guestmap.conform.replay import ReplayMachine, replay
from guestmap.conform.results import Difference, Differs, Equal, Result, Unreadable, Unsupported
from guestmap.conform.sources import count_files
from guestmap.conform.vectors import check_vector

__all__ = [
    "Built",
    "CaptureCase",
    "Difference",
    "Differs",
    "Equal",
    "MachineFactory",
    "QtestCase",
    "ReplayMachine",
    "Result",
    "Unreadable",
    "Unsupported",
    "VectorCase",
    "build",
    "check_capture",
    "check_vector",
    "conform",
    "count_files",
    "read_capture",
    "read_case",
    "replay",
]
