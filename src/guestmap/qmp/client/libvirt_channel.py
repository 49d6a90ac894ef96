"""QMP by way of libvirt, which holds the machine's own monitor.

``virDomainQemuMonitorCommand`` hands a QMP command through and returns the answer. libvirt marks
the domain as tainted (``custom-monitor``) when it is used, because a command could do harm; the
ones sent here cannot. The mark changes nothing and ends with the domain's run.

libvirt itself waits for ever: for a QEMU that is stopped, for a host that ssh does not reach. So
each of its calls has a time of ours.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from guestmap.base import ConfigError, HostError, PeerError, StateError, UnsupportedError
from guestmap.base.in_time import Overdue, within
from guestmap.qmp.client.libvirt_api import (
    MONITOR_COMMAND_DEFAULT,
    NO_DOMAIN,
    NO_SUPPORT,
    OPERATION_INVALID,
    load_libvirt,
    words_of,
)
from guestmap.qmp.client.monitor import Channel, CommandError, GoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guestmap.base import GuestmapError
    from guestmap.qmp.client.address import LibvirtTarget
    from guestmap.qmp.client.libvirt_api import Connection, Domain, Libvirt
    from guestmap.qmp.client.monitor import MonitorEvent

_T = TypeVar("_T")
_LISTED = 8
AGENT_TIMEOUT_S = 3
"""Seconds that a guest agent has to answer; one that is not started never does."""

_CLOSE_S = 1.0


class LibvirtChannel(Channel):
    """The monitor of one libvirt domain.

    Args:
        target: the domain, and the connection it is on.
        modules: libvirt-python; None: import it.
        reply_s: seconds to wait for libvirt: to connect, and for each answer.

    Raises:
        UnsupportedError: libvirt-python is not installed.
        HostError: libvirt does not connect.
        ConfigError: it knows no such domain; the message lists those that it knows.
        PeerError: it is silent.
    """

    def __init__(
        self, target: LibvirtTarget, modules: Libvirt | None = None, *, reply_s: float
    ) -> None:
        self._target = target
        self._reply_s = reply_s
        self._is_lost = False
        self._api = modules or load_libvirt()
        self._api.libvirt.registerErrorHandler(_say_nothing, None)
        try:
            self._connection: Connection | None = self._in_time(
                f"libvirt does not connect to {target.uri or 'its default hypervisor'}",
                lambda: self._api.libvirt.open(target.uri),
            )
        except self._api.libvirt.libvirtError as error:
            raise HostError(
                f"libvirt does not connect to {target.uri or 'its default hypervisor'}:"
                f" {words_of(error)}",
                call="virConnectOpen",
                arguments=target.uri or "",
            ) from error
        try:
            connection = self._connection
            self._domain = self._in_time(
                f"libvirt does not say what {target.name!r} is", lambda: self._find(connection)
            )
        except BaseException:
            self.close()
            raise

    @property
    def source(self) -> str:
        """The domain, as the command line names it."""
        return str(self._target)

    def execute(self, command: str, arguments: Mapping[str, object]) -> object:
        """Hand a command through and return what it returns (see :class:`Channel`)."""
        message: dict[str, object] = {"execute": command}
        if arguments:
            message["arguments"] = dict(arguments)
        self._check_open(command)
        try:
            text = self._in_time(
                f"no answer to {command}",
                lambda: self._api.libvirt_qemu.qemuMonitorCommand(
                    self._domain, json.dumps(message), MONITOR_COMMAND_DEFAULT
                ),
            )
        except self._api.libvirt.libvirtError as error:
            raise self._refused(error) from error
        return self._value(command, text)

    def agent(self, command: str) -> object:
        """Return what the guest's agent returns, which libvirt holds as it holds the monitor.

        Raises:
            PeerError: there is no agent, it does not answer so, or the session has ended.
        """
        self._check_open(command)
        try:
            text = self._in_time(
                f"the guest agent: no answer to {command}",
                lambda: self._api.libvirt_qemu.qemuAgentCommand(
                    self._domain, json.dumps({"execute": command}), AGENT_TIMEOUT_S, 0
                ),
            )
        except self._api.libvirt.libvirtError as error:
            raise PeerError(f"{self._target}: the guest agent: {words_of(error)}") from error
        return self._value(command, text)

    def events(self) -> list[MonitorEvent]:
        """Return none: libvirt keeps QEMU's events to itself."""
        return []

    def close(self) -> None:
        """Let go of the connection; it may be called twice."""
        self._is_lost = True
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Overdue):  # it waits for what is given up
                within(_CLOSE_S, connection.close)

    def _check_open(self, command: str) -> None:
        if self._is_lost:
            raise GoneError(f"{self._target}: the session has ended (asked for {command})")

    def _in_time(self, what: str, call: Callable[[], _T]) -> _T:
        """Return what a call of libvirt returns.

        Raises:
            PeerError: it does not return in time; ``what`` says what it did not do.
        """
        try:
            return within(self._reply_s, call)
        except Overdue as error:
            self._is_lost = True
            raise PeerError(f"{self._target}: {what} within {self._reply_s:g} s") from error

    def _find(self, connection: Connection) -> Domain:
        error_type = self._api.libvirt.libvirtError
        name = self._target.name
        try:
            return connection.lookupByName(name)
        except error_type as error:
            if _code(error) != NO_DOMAIN:
                raise HostError(
                    f"libvirt does not say what {name!r} is: {words_of(error)}",
                    call="virDomainLookupByName",
                ) from error
            known = sorted(domain.name() for domain in connection.listAllDomains())
            more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
            raise ConfigError(
                f"libvirt knows no domain {name!r} on {connection.getURI()}; it knows:"
                f" {', '.join(known[:_LISTED]) or 'none'}{more}"
            ) from error

    def _refused(self, error: Exception) -> GuestmapError:
        code = _code(error)
        if code == OPERATION_INVALID:
            return StateError(f"{self._target}: {words_of(error)}")
        if code == NO_SUPPORT:
            return UnsupportedError(
                f"{self._target}: this hypervisor has no QEMU monitor to ask: {words_of(error)}"
            )
        return HostError(f"{self._target}: {words_of(error)}", call="virDomainQemuMonitorCommand")

    def _value(self, command: str, text: str) -> object:
        try:
            reply: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PeerError(
                f"{self._target}: the answer to {command} is not JSON: {text[:60]!r}"
            ) from error
        if isinstance(reply, dict) and "return" in reply:
            value: object = reply["return"]
            return value
        problem = reply.get("error") if isinstance(reply, dict) else None
        if isinstance(problem, dict):
            desc, kind = problem.get("desc", "an error"), problem.get("class", "")
            raise CommandError(f"{self._target}: {command}: {desc}", str(kind))
        raise PeerError(f"{self._target}: the answer to {command} is not QMP: {text[:60]!r}")


def _code(error: Exception) -> int:
    """Return libvirt's number of an error."""
    get = getattr(error, "get_error_code", None)
    return int(get() or 0) if callable(get) else 0


def _say_nothing(_context: object, _error: object) -> None:
    """Keep libvirt from printing what becomes an exception anyway."""
