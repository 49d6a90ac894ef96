"""``secret``: an object that holds a password or a key for others (QEMU 7.2, crypto/secret.c).

Nothing of this machine asks for one; whoever manages it (libvirt, at each start) may make one.
Secrets that are encrypted with another, QEMU's ``keyid`` and ``iv``, are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from guestmap.base import ConfigError, HostError, UnsupportedError
from guestmap.qom import BOOL, STRING, Object, ObjectType, attribute_property, enum

FORMATS: Final = ("raw", "base64")


class Secret(Object):
    """The object.

    Attributes:
        content: the secret itself, from :meth:`complete` on.
        region: None: it is no memory.
    """

    content = b""
    region = None

    def complete(self) -> None:
        """Read the secret.

        Raises:
            ConfigError: neither or both of ``file`` and ``data`` are given, or it is no base64.
            HostError: the file cannot be read.
            UnsupportedError: it is encrypted.
        """
        read: Any = self.get
        for name in ("keyid", "iv"):
            if read(name):
                raise UnsupportedError(f"secret '{self.name}': {name} is not modelled")
        if read("file") and read("data"):
            raise ConfigError("'file' and 'data' are mutually exclusive")
        if read("file"):
            content = _content(read("file"))
        elif read("data"):
            content = read("data").encode("utf-8", "surrogateescape")
        else:
            raise ConfigError("Either 'file' or 'data' must be provided")
        if read("format") == "base64":
            import base64

            try:
                content = base64.b64decode(content)
            except ValueError as error:
                raise ConfigError(f"secret '{self.name}' is no base64: {error}") from error
        self.content = content


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        raise HostError(
            f"Unable to read {path}", errno=number, call="open", arguments=path
        ) from error


def secret_types() -> tuple[ObjectType, ...]:
    """Return the type, and what it inherits from."""
    return (
        ObjectType("secret_common", abstract=True, properties=(
            attribute_property("loaded", BOOL, default=False),
            attribute_property("format", enum("QCryptoSecretFormat", FORMATS), "form",
                               default="raw"),
            attribute_property("keyid", STRING, default=""),
            attribute_property("iv", STRING, default=""),
        )),
        ObjectType("secret", "secret_common", interfaces=("user-creatable",), make=Secret,
                   properties=(
            attribute_property("file", STRING, default=""),
            attribute_property("data", STRING, default=""),
        )),
    )  # fmt: skip
