"""Sending the commands of a plan: all of them, or as if none had been sent."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import PeerError
from guestmap.base.faults import point
from guestmap.qmp.client import CommandError, GoneError

if TYPE_CHECKING:
    from guestmap.base.interrupt import Deferral
    from guestmap.domain.listen import Observer
    from guestmap.domain.peer import Peer
    from guestmap.domain.steps import Step


class Refusal(NamedTuple):
    """QEMU's refusal of a command, and the ids of what the commands before it had made."""

    error: CommandError
    made: tuple[str, ...] = ()


def send(
    peer: Peer, steps: tuple[Step, ...], observer: Observer, interrupt: Deferral
) -> Refusal | None:
    """Send commands; where one is refused, take back those before it, last first.

    Raises:
        PeerError: the machine does not answer: the message says what may have been done.
        KeyboardInterrupt: it was broken off between two commands, and the first taken back.
    """
    done: list[Step] = []
    try:
        for step in steps:
            if done:
                interrupt.obey()
            observer.step(step)
            # Noted before the answer: a change whose answer is lost may have been made.
            done.append(step)
            point(f"send.before-{step.command}")
            peer.change(step.command, step.arguments)
            point(f"send.after-{step.command}")
    except CommandError as error:
        _take_back(peer, done[:-1], observer)
        return Refusal(error, tuple(str(step.arguments["id"]) for step in done[:-1]))
    except PeerError as error:
        what = "; ".join(f"{step} may have been done" for step in done)
        raise same_kind(error, f"{error}; {what}: look with guestmap dimms") from error
    except KeyboardInterrupt:
        _take_back(peer, done, observer)
        raise
    return None


def _take_back(peer: Peer, done: list[Step], observer: Observer) -> None:
    for step in reversed(done):
        if step.undo is not None:
            observer.step(step.undo)
            point(f"undo.before-{step.undo.command}")
            with suppress(CommandError):  # the check afterwards tells what is left
                peer.change(step.undo.command, step.undo.arguments)
            point(f"undo.after-{step.undo.command}")


def same_kind(error: PeerError, message: str) -> PeerError:
    """Return an error with more to say, that still tells whether the machine has gone."""
    return (GoneError if isinstance(error, GoneError) else PeerError)(message)
