"""``guestmap completion``: what teaches a shell to complete guestmap's words."""

from __future__ import annotations

from enum import Enum
from importlib import import_module
from typing import Annotated

import typer

from guestmap.cli.app import COMPLETE
from guestmap.cli.output import write

_COLON_IS_NO_BREAK = "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n"
"""To bash a colon ends a word, and ``unix:SOCKET`` is one."""


_DEFINED = "compdef _guestmap_completion guestmap"
_ALSO_LOADED = f"""\
if [[ $funcstack[1] == _guestmap ]]; then
  _guestmap_completion "$@"
else
  {_DEFINED}
fi"""
"""zsh loads a file of ``fpath`` when there is first something to complete: then it has to."""


class Shell(Enum):
    """Shells that can be taught."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="Whose script to print.")],
) -> None:
    """Print what teaches a shell to complete commands, options, sources and names of regions.

    bash: source <(guestmap completion bash), in ~/.bashrc. zsh: guestmap completion zsh >
    "${fpath[1]}/_guestmap". fish: guestmap completion fish >
    ~/.config/fish/completions/guestmap.fish.
    """
    make = import_module("typer.completion").get_completion_script
    script = make(prog_name="guestmap", complete_var=COMPLETE, shell=shell.value)
    if shell is Shell.ZSH:
        script = script.replace(_DEFINED, _ALSO_LOADED)
    write((_COLON_IS_NO_BREAK if shell is Shell.BASH else "") + f"{script}\n")
