"""What kind of map the content of a file is, and the snapshot that it gives."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import IO, Any

from guestmap.base import KIB, MIB, ConfigError, PeerError, format_size
from guestmap.inspect.map.snapshot import FORMAT, Snapshot
from guestmap.inspect.text.from_text import snapshot_of_pasted

LARGEST = 256 * MIB
"""Bytes; a map of a million regions has less."""

_CHUNK = 64 * KIB
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NO_TEXT = re.compile(rb"\0|\xff{64}")
"""What a file of bytes has soon: memory that was never written, of RAM or of flash."""

_LIST = re.compile(rb"\s*\[\s*(?:[\[{\"]|(?:[\d.eE+-]+|true|false|null)\s*,)")
"""How JSON's lists begin, and not a line with the time of a log, ``[ 12.5] text``."""

BOOT_FORMAT = "guestmap.boot"
"""What ``guestmap boot --json`` calls its output."""


def read_bounded(stream: IO[bytes], *, source: str) -> bytes:
    """Return a file's content; stop where it shows that it can be no map.

    A guest's RAM, a disk or a core, given by mistake, is not read to its end.

    Raises:
        PeerError: it is binary, JSON of another kind, or larger than any map.
        OSError: it cannot be read.
    """
    content = bytearray()
    while chunk := stream.read(_CHUNK):
        content += chunk
        if _NO_TEXT.search(chunk) and content[:2] not in _UTF_16:
            raise _is_binary(source)
        if _LIST.match(content, 0, _CHUNK):
            raise PeerError(f"{source} is JSON, but a list: expected an object, {FORMAT!r}")
        if len(content) > LARGEST:
            raise PeerError(
                f"{source} is larger than {format_size(LARGEST)}: no map is, give the text of 'info"
                " mtree' or a snapshot alone"
            )
    return bytes(content)


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
    del content  # of a large map it is much
    if text.lstrip().startswith("{"):
        if moment is None and (snapshot := _plain(text, source)):
            return snapshot
        if not _is_session(text):
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
    encoding = "utf-16" if content[:2] in _UTF_16 else "utf-8-sig"
    text = content.decode(encoding, "replace")  # QEMU's own JSON replaces what is not UTF-8, too
    if "\0" in text:
        raise _is_binary(source)
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


def _plain(text: str, source: str) -> Snapshot | None:
    try:
        return Snapshot.from_text(text)
    except PeerError as error:
        raise PeerError(f"{source}: {error}") from error


def _is_binary(source: str) -> PeerError:
    return PeerError(f"{source} is binary: expected a snapshot in JSON, or 'info mtree' text")


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
