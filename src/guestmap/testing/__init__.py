"""For tests of programs that use guestmap: a listener that remembers, random region trees.

:mod:`guestmap.testing.strategies` needs hypothesis and is imported by its name.
"""

from guestmap.testing.recording import ListenerEvent, NopRecordingListener, RecordingListener

__all__ = ["ListenerEvent", "NopRecordingListener", "RecordingListener"]
