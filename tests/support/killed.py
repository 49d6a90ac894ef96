"""Work in a child process that is killed at a point, as if the power had gone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from enum import Enum, auto


class End(Enum):
    """How the child ended."""

    DONE = auto()
    KILLED = auto()
    RAISED = auto()


def killed_at(point: str, work: Callable[[], object]) -> End:
    """Do the work in a child that dies at a point of ``guestmap.base.faults``."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.environ["GUESTMAP_FAULT"] = point
            work()
            status = 0
        finally:
            os._exit(status)
    _, told = os.waitpid(child, 0)
    if os.WIFSIGNALED(told):
        assert os.WTERMSIG(told) == signal.SIGKILL
        return End.KILLED
    return End.DONE if os.WEXITSTATUS(told) == 0 else End.RAISED
