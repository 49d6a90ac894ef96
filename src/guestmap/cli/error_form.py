"""Errors as JSON, for whoever asked for JSON."""

from __future__ import annotations

from typing import Any

from guestmap.base import HostError

ERROR_FORMAT = "guestmap.error"


def error_form(kind: str, message: str, status: int, error: Exception | None = None) -> Any:
    """Return an error as JSON-able values.

    Args:
        kind: whose fault it is: the name of a class of :mod:`guestmap.base.errors`, or
            ``UsageError`` for a command line that is none.
        message: what is said on stderr.
        status: the exit status.
        error: it, where it is an exception of ours.
    """
    form = {
        "format": ERROR_FORMAT, "format_version": 1, "error": kind, "message": message,
        "exit_status": status,
    }  # fmt: skip
    if isinstance(error, HostError):
        form |= {"errno": error.errno, "call": error.call}
    details = getattr(error, "to_json", None)
    if details is not None:  # a refusal of the domain manager: libvirt's codes, and who says so
        form["refusal"] = details()
    return form
