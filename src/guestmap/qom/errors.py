"""What a lookup may fail with, besides the errors that everything shares."""

from __future__ import annotations

from guestmap.base import ConfigError


class NotFoundError(ConfigError):
    """No object, or no type, of that name: QMP's error class ``DeviceNotFound``."""


class AmbiguousPathError(ConfigError):
    """A partial path fits several objects; the message names it."""
