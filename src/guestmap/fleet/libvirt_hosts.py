"""The running domains of a libvirt, within a time: a server that never answers costs no run."""

from __future__ import annotations

from guestmap.base import HostError
from guestmap.base.in_time import Overdue, within
from guestmap.qmp.client.libvirt_api import load_libvirt, words_of

PATIENCE_S = 10.0
_ACTIVE = 1
"""VIR_CONNECT_LIST_DOMAINS_ACTIVE (libvirt-domain.h)."""


def running_domains(uri: str | None, timeout_s: float = PATIENCE_S) -> list[str]:
    """Return the names of the domains that run, in order.

    Raises:
        HostError: libvirt does not connect, or does not answer in time.
        UnsupportedError: libvirt-python is not installed.
    """
    try:
        return within(timeout_s, lambda: _names(uri))
    except Overdue as error:
        raise HostError(
            f"libvirt did not answer within {timeout_s:g} s", call="virConnectOpen"
        ) from error


def _names(uri: str | None) -> list[str]:
    api = load_libvirt()
    api.libvirt.registerErrorHandler(lambda _context, _error: None, None)
    try:
        connection = api.libvirt.open(uri)
        try:
            return sorted(each.name() for each in connection.listAllDomains(_ACTIVE))
        finally:
            connection.close()
    except api.libvirt.libvirtError as error:
        raise HostError(
            f"libvirt does not list its domains: {words_of(error)}", call="virConnectOpen"
        ) from error
