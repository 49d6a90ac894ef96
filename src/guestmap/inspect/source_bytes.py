"""What kind of map the content of a file is, and the snapshot that it gives."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from guestmap.base import ConfigError, PeerError
from guestmap.inspect.from_text import snapshot_of_pasted
from guestmap.inspect.snapshot import FORMAT, Snapshot

BOOT_FORMAT = "guestmap.boot"
"""What ``guestmap boot --json`` calls its output."""


def snapshot_of_bytes(content: bytes, *, source: str, moment: str | None = None) -> Snapshot:
    """Return the snapshot that a file's content gives.

    Args:
        content: a snapshot in JSON, a boot report in JSON, or the text of ``info mtree``.
        source: where it is from, for messages and for the snapshot.
        moment: ``before`` or ``after`` in a boot report; None: after.

    Raises:
        PeerError: it is none of these, or malformed; says where.
        ConfigError: a moment is named, but it is no boot report.
    """
    text = _decode(content, source)
    if text.lstrip().startswith("{") and not _is_session(text):
        return _of_json(text, source, moment)
    if moment is not None:
        raise _no_moments(source, moment)
    if not text.strip():
        raise PeerError(f"{source} is empty: expected a snapshot in JSON, or 'info mtree' text")
    try:
        return snapshot_of_pasted(text, source=source)
    except PeerError as error:
        raise PeerError(f"{source}: {error}") from error


def _decode(content: bytes, source: str) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = content.decode(encoding, "replace")  # QEMU's own JSON replaces what is not UTF-8, too
    if "\0" in text:
        raise PeerError(f"{source} is binary: expected a snapshot in JSON, or 'info mtree' text")
    return text


def _is_session(text: str) -> bool:
    """Tell whether a text that begins as JSON is several answers of a monitor, or no JSON."""
    if "(prio " not in text:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False


def _of_json(text: str, source: str, moment: str | None) -> Snapshot:
    try:
        form: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PeerError(f"{source} is not JSON: {error}") from error
    kind = form.get("format")
    try:
        if kind == BOOT_FORMAT:
            return replace(Snapshot.from_json(form.get(moment or "after")), source=source)
        if moment is not None:
            raise _no_moments(source, moment)
        if kind == FORMAT:
            return Snapshot.from_json(form)
        if isinstance(form.get("return"), str):  # a monitor's answer, as it came over the wire
            return snapshot_of_pasted(form["return"], source=source)
    except PeerError as error:
        raise PeerError(f"{source}: {error}") from error
    raise PeerError(
        f"{source} is JSON, but of another kind (format {kind!r}): expected {FORMAT!r} or"
        f" {BOOT_FORMAT!r}"
    )


def _no_moments(source: str, moment: str) -> ConfigError:
    return ConfigError(f"{source} has no #{moment}: it is not the output of guestmap boot --json")
