"""Making the table: the monitor is asked each question once."""

from __future__ import annotations

from typing import Final

from guestmap.system.probe.questions import questions
from guestmap.system.probe.real import RealMonitor

_NUMBER: Final = b"?"


def table(claim: str, *, is_kvm: bool = False) -> bytes:
    """Return the table: the greeting's line, then a line for each question and one for its answer.

    Questions and answers stand without the id and what ends them.

    Args:
        claim: the QEMU that is claimed.
        is_kvm: whether a machine would run on KVM.
    """
    with RealMonitor(claim, is_kvm) as monitor:
        talk = monitor.conversation()
        lines = [talk.greeting.removesuffix(b"\r\n")]
        for question in questions():
            (reply,) = talk.replies(question + b',"id":"' + _NUMBER + b'"}\r\n')
            lines += [question, _bare(reply)]
    return b"\n".join(lines) + b"\n"


def kvm_table(claim: str) -> bytes:
    """Return what is answered otherwise where there is KVM, in the same form."""
    lines = table(claim).split(b"\n")
    others = table(claim, is_kvm=True).split(b"\n")
    found = lines[:1]
    for number in range(1, len(lines) - 1, 2):
        question, reply = others[number : number + 2]
        found += [question, reply] if reply != lines[number + 1] else []
    return b"\n".join(found) + b"\n"


def _bare(reply: bytes) -> bytes:
    """Return an answer without its id and its end."""
    failed = b'{"id": "' + _NUMBER + b'", '
    if reply.startswith(failed):
        return b"{" + reply.removeprefix(failed).removesuffix(b"}\r\n")
    return reply.removesuffix(b', "id": "' + _NUMBER + b'"}\r\n')
