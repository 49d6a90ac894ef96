"""Where the domains of a user are, where nothing else is said."""

from __future__ import annotations

import os
from pathlib import Path

from guestmap.base import ConfigError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.store.store import Store


def open_store(root: str | None = None, dialect: LibvirtDialect = LibvirtDialect.V9) -> Store:
    """Return the store in a folder, or the user's own.

    Args:
        root: the folder; None: that of ``GUESTMAP_DOMAINS``, or where the XDG Base Directory
            Specification has configuration and what runs. Files that are guests' memory are there,
            or where it has a program's state, and not what runs: that has little room.
            ``GUESTMAP_MEMORY_BACKING_DIR`` names another folder for them.
        dialect: which libvirt's rules.

    Raises:
        ConfigError: there is no place for one, or one for both.
    """
    root = root or os.environ.get("GUESTMAP_DOMAINS") or None
    told = os.environ.get("GUESTMAP_MEMORY_BACKING_DIR")
    memory = Path(told).absolute() if told else None
    if root is not None:
        folder = Path(root).absolute()
        return Store(folder / "config", folder / "run", dialect, memory or folder / "ram")
    try:
        home = Path.home()
    except RuntimeError as error:
        raise ConfigError("there is no home for domains: name a folder with --root") from error
    config = _folder("XDG_CONFIG_HOME", home / ".config")
    state = _folder("XDG_STATE_HOME", home / ".local" / "state")
    run = _folder("XDG_RUNTIME_DIR", state)
    if config == run:
        raise ConfigError(
            f"definitions and what runs would be in one folder, {config}: set XDG_CONFIG_HOME and"
            " XDG_RUNTIME_DIR to two of them, or name a folder with --root"
        )
    own = Path("guestmap", "domains")
    return Store(config / own, run / own, dialect, memory or state / own / "ram")


def _folder(variable: str, default: Path) -> Path:
    told = os.environ.get(variable, "")
    return Path(told) if os.path.isabs(told) else default
