"""Ctrl-C, as it may come: with the main thread, and just before that goes to sleep."""

from __future__ import annotations

import os
import signal
import threading


def to_the_process() -> None:
    """As the kernel has it: the main thread hears of it, and wakes."""
    os.kill(os.getpid(), signal.SIGINT)


def without_waking_the_main_thread() -> None:
    """As a signal that comes after Python looked for one, and before the main thread sleeps."""
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


INTERRUPTS = (to_the_process, without_waking_the_main_thread)
"""Each is called in another thread than the main one."""
