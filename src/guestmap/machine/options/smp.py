"""``-smp``: how many CPUs there are, may be, and how they are spread over sockets and cores.

Missing numbers are worked out as QEMU 7.2 does (hw/core/machine-smp.c), cores before sockets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from guestmap.base import ConfigError, UnsupportedError
from guestmap.base.named_tuple import NamedTuple
from guestmap.base.pattern import pattern
from guestmap.machine.options.numa import NumaNode

MAX_CPUS = 255

_MEMBERS = ("cpus", "sockets", "dies", "clusters", "cores", "threads", "maxcpus")
_INTEGER = pattern(r"\s*[+-]?(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,19})", re.ASCII)


class CpuTopology(NamedTuple):
    """The CPUs of a machine.

    Attributes:
        cpus: there are from the start.
        max_cpus: there may be.
        sockets: ``max_cpus`` are spread over.
        threads: of a core; what remains are cores of a socket.
    """

    cpus: int = 1
    max_cpus: int = 1
    sockets: int = 1
    threads: int = 1

    @property
    def cores(self) -> int:
        """Cores of a socket."""
        return self.max_cpus // (self.sockets * self.threads)

    def place(self, cpu: int) -> tuple[int, int, int]:
        """Return a CPU's socket, core in the socket, and thread in the core."""
        core, thread = divmod(cpu, self.threads)
        return (*divmod(core, self.cores), thread)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> CpuTopology:
        """Read ``[cpus=]N[,maxcpus=N][,sockets=N][,cores=N][,threads=N]``.

        Args:
            texts: the arguments of all ``-smp``; a later one adds to, and corrects, the others.

        Raises:
            ConfigError: QEMU's refusal, in its words.
            UnsupportedError: several dies in a socket.
        """
        numbers: dict[str, int] = {}
        for text in texts:
            numbers |= _numbers(text)
        return _complete(numbers)


def _numbers(text: str) -> dict[str, int]:
    given: dict[str, str] = {}
    for index, item in enumerate(text.split(",") if text else ()):
        key, equals, value = item.partition("=")
        if not equals and index:
            raise ConfigError(f"-smp {text}: Expected '=' after parameter '{key}'")
        given[key if equals else "cpus"] = value if equals else item
    numbers = {name: _integer(name, given[name]) for name in _MEMBERS if name in given}
    for name in given:
        if name not in _MEMBERS:
            raise ConfigError(f"Parameter 'smp.{name}' is unexpected")
    return numbers


def _integer(name: str, text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise ConfigError(f"Parameter 'smp.{name}' expects integer")
    digits = text.strip()
    octal = re.fullmatch(r"[+-]?0[0-7]+", digits)
    try:
        return int(digits, 8 if octal else 0)
    except ValueError:
        raise ConfigError(f"Parameter 'smp.{name}' expects integer") from None


def _complete(given: dict[str, int]) -> CpuTopology:
    """Return the whole topology: 0 counts as not given."""
    cpus, maximum = given.get("cpus", 0), given.get("maxcpus", 0)
    sockets, cores, threads = (given.get(name, 0) for name in ("sockets", "cores", "threads"))
    if given.get("clusters", 0) > 1:
        raise ConfigError("clusters not supported by this machine's CPU topology")
    if given.get("dies", 0) > 1:
        raise UnsupportedError(f"-smp dies={given['dies']} is not modelled")
    if not cpus and not maximum:
        sockets, cores, threads = (max(each, 1) for each in (sockets, cores, threads))
    else:
        maximum = maximum or cpus
        if not cores:
            sockets, threads = max(sockets, 1), max(threads, 1)
            cores = maximum // (sockets * threads)
        elif not sockets:
            threads = max(threads, 1)
            sockets = maximum // (cores * threads)
        threads = threads or maximum // (sockets * cores)
    product = sockets * cores * threads
    maximum = maximum or product
    cpus = cpus or maximum
    spread = f"sockets ({sockets}) * dies (1) * cores ({cores}) * threads ({threads})"
    if product != maximum:
        raise ConfigError(
            "Invalid CPU topology: product of the hierarchy must match maxcpus:"
            f" {spread} != maxcpus ({maximum})"
        )
    if maximum < cpus:
        raise ConfigError(
            "Invalid CPU topology: maxcpus must be equal to or greater than smp:"
            f" {spread} == maxcpus ({maximum}) < smp_cpus ({cpus})"
        )
    if maximum > MAX_CPUS or cpus < 1:
        raise ConfigError(
            f"Invalid SMP CPUs {maximum}. The max CPUs supported by machine 'pc-i440fx-7.2'"
            f" is {MAX_CPUS}"
        )
    return CpuTopology(cpus, maximum, sockets, threads)


def with_homes(nodes: Sequence[NumaNode], topology: CpuTopology) -> tuple[NumaNode, ...]:
    """Return NUMA nodes with all CPUs in them.

    Where no node was given any, sockets are dealt out one by one; where some were, the rest are in
    the first node.
    """
    if not nodes:
        return ()
    given = any(node.cpus for node in nodes)
    homes = {cpu: number for number, node in enumerate(nodes) for cpu in node.cpus}
    per_socket = topology.cores * topology.threads
    for cpu in range(topology.max_cpus):
        homes.setdefault(cpu, 0 if given else cpu // per_socket % len(nodes))
    return tuple(
        replace(node, cpus=frozenset(cpu for cpu, home in homes.items() if home == number))
        for number, node in enumerate(nodes)
    )
