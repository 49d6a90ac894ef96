"""Credentials in what names a machine: nowhere that is kept or shown."""

from __future__ import annotations

import re

_USER_AND_PASSWORD = re.compile(r"(?P<before>://[^/@:\s]*):[^/@\s]*@")
_IN_A_QUERY = re.compile(
    r"(?P<before>[?&](?:password|passwd|secret|token)=)[^&#:\s]*", re.IGNORECASE
)


def redacted(text: str) -> str:
    """Return text with stars where a URI (RFC 3986) has a password."""
    text = _USER_AND_PASSWORD.sub(r"\g<before>:***@", text)
    return _IN_A_QUERY.sub(r"\g<before>***", text)


def has_secret(source: str) -> bool:
    """Tell whether what names a machine must not be written down."""
    return redacted(source) != source
