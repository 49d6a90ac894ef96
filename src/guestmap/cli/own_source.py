"""What ``-M`` and ``--at`` say of a source that is a machine of guestmap's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence


def own_sources(source: str, machine: str, moments: Sequence[str] | None) -> list[str]:
    """Return a source at each of the moments that ``--at`` names; as it is without any.

    Raises:
        ConfigError: it is no machine of guestmap's own.
    """
    return [own_source(source, machine, moment) for moment in moments or ("",)]


def refuse_several(moments: Sequence[str] | None) -> None:
    """Refuse more than one moment, where what is printed is one map as QEMU prints it.

    Raises:
        ConfigError: several were named.
    """
    if moments is not None and len(moments) > 1:
        raise ConfigError("--qemu prints one map: name one moment with --at")


def headings(moments: Sequence[str] | None) -> list[str]:
    """Return what stands above the answer to each moment; nothing above a single one."""
    if moments is None or len(moments) < 2:
        return [""]
    return [f"at {moment}:" for moment in moments]


def own_source(source: str, machine: str, moment: str) -> str:
    """Return a source with what ``-M`` and ``--at`` say of it.

    Raises:
        ConfigError: it is no machine of guestmap's own.
    """
    return on_board(at_moment(source, moment), machine)


def on_board(source: str, machine: str) -> str:
    """Return a source that is a machine of guestmap's own with the board that ``-M`` names.

    Raises:
        ConfigError: it is none.
    """
    if not machine:
        return source
    from guestmap.cli.source import is_own

    if not is_own(source):
        raise ConfigError(
            f"-M chooses the board of a machine of guestmap's own, and {source!r} is none: write"
            " 'reset' or 'boot'"
        )
    state, _, rest = source.partition(":")
    return f"{state}:{rest}{',' if rest else ''}machine={machine}"


def at_moment(source: str, moment: str) -> str:
    """Return a source that is a boot of guestmap's own, at the moment that ``--at`` names.

    Raises:
        ConfigError: it is none.
    """
    if not moment:
        return source
    from guestmap.cli.source import BOOT

    if source.partition(":")[0] != BOOT:
        raise ConfigError(
            f"--at is a moment of a boot of guestmap's own, and {source!r} is none: write 'boot'"
        )
    state, _, rest = source.partition(":")
    return f"{state}:{rest}{',' if rest else ''}at={moment}"
