"""Whether a command line only asks what there is: an empty machine, and one monitor."""

from __future__ import annotations

_FLAGS = {"-S", "-no-user-config", "-nodefaults", "-nographic", "-daemonize"}
_NONE = ("none", "none,accel=")
_UNIX = "unix:"
_SERVER = ",server=on,wait=off"


class ProbeLine:
    """What such a line says.

    Attributes:
        socket: where to listen.
        pid_file: gets the number of the process.
        wants_kvm: whether KVM is asked for first.
    """

    def __init__(self, socket: str, pid_file: str, *, wants_kvm: bool) -> None:
        self.socket = socket
        self.pid_file = pid_file
        self.wants_kvm = wants_kvm


def probe_line(words: list[str]) -> ProbeLine | None:
    """Return what a probe's command line says; None where it is any other.

    Args:
        words: without the program's name.
    """
    found = {}
    flags = set()
    rest = iter(words)
    for word in rest:
        if word in _FLAGS:
            flags.add(word)
        elif word in ("-machine", "-qmp", "-pidfile") and word not in found:
            found[word] = next(rest, "")
        else:
            return None
    machine, monitor = found.get("-machine", ""), found.get("-qmp", "")
    path = monitor[len(_UNIX) : -len(_SERVER)]
    if (
        flags != _FLAGS
        or not (machine == _NONE[0] or (machine.startswith(_NONE[1]) and "tcg" in machine))
        or not (monitor.startswith(_UNIX) and monitor.endswith(_SERVER))
        or not path
        or "," in path
        or not found.get("-pidfile")
    ):
        return None
    wants_kvm = machine.removeprefix(_NONE[1]).partition(":")[0] == "kvm"
    return ProbeLine(path, found["-pidfile"], wants_kvm=wants_kvm)
