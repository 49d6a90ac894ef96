"""Typing into a machine that somebody else runs, where its user asked for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.qmp.client.allowed import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.qmp.client.monitor import Channel

_HOLD_MS = 40
"""How long keys are held: at QEMU's 100 ms each, those of a fast typist would pile up."""


class Keyboard:
    """Presses keys and releases them: none stays down, whatever becomes of who presses them.

    Args:
        channel: what carries commands to the machine; it stays its owner's.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def stroke(self, names: Sequence[str]) -> None:
        """Press keys one after another, and release them all.

        Args:
            names: QEMU's of the keys (``QKeyCode``).

        Raises:
            CommandError: the machine has no such key, or takes none.
            PeerError: the machine does not answer as QMP promises.
        """
        keys = [{"type": "qcode", "data": name} for name in names]
        arguments = {"keys": keys, "hold-time": _HOLD_MS}
        check("send-key", arguments, may_type=True)
        self._channel.execute("send-key", arguments)
