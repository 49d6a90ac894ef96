"""``--qemu [VERSION]``: in QEMU's own form, as the source's QEMU or another version prints it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from guestmap.inspect.text.mtree.dialects import Dialect

QemuForm = Annotated[
    str | None,
    typer.Option(
        "--qemu",
        metavar="[VERSION]",
        help="Print as QEMU's 'info mtree': as the source's QEMU does, or this version (11.1).",
    ),
]

_VERSION = re.compile(r"v?\d+(\.\d+)*")


class QemuFormCommand(TyperCommand):
    """A command whose ``--qemu`` may stand alone: Typer's options must have a value."""

    def parse_args(self, ctx, args):  # type: ignore[no-untyped-def]
        """Read the arguments, after a lone ``--qemu`` was given the empty version."""
        return super().parse_args(ctx, with_version(args))


def with_version(args: list[str]) -> list[str]:
    """Return arguments in which ``--qemu`` has a value: "" where no version follows it."""
    return [
        f"{word}=" if word == "--qemu" and not _VERSION.fullmatch(following) else word
        for word, following in pairwise([*args, ""])
    ]


def dialect_for(form: str) -> Dialect | None:
    """Return the dialect that the option asks for; None: the source's own.

    Raises:
        ConfigError: the version is not known; lists those that are.
    """
    from guestmap.inspect.text.mtree import dialect_called

    return dialect_called(form) if form else None
