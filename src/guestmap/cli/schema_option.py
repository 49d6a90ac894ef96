"""``--schema``, beside every ``--json``: the JSON Schema of what that prints."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer


def _print(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        from guestmap.cli.output import say_json
        from guestmap.cli.schemas import schema_of

        group = ctx.parent.info_name if ctx.parent is not None and ctx.parent.parent else None
        say_json(schema_of(" ".join(each for each in (group, ctx.info_name) if each)))
        raise typer.Exit


Schema = Annotated[
    bool,
    typer.Option(
        "--schema", callback=_print, is_eager=True, help="Print the JSON Schema of --json, and end."
    ),
]


def with_schema(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes ``--schema``, where it takes ``--json``."""
    signature = inspect.signature(command, eval_str=True)
    names = signature.parameters.keys()
    if "as_json" not in names or "schema" in names:
        return command

    @wraps(command)
    def with_option(*args: Any, schema: bool = False, **kwargs: Any) -> None:
        del schema  # it has been answered
        command(*args, **kwargs)

    option = inspect.Parameter(
        "schema", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Schema
    )
    with_option.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), option]
    )
    with_option.__annotations__ = {**command.__annotations__, "schema": Schema}
    return with_option
