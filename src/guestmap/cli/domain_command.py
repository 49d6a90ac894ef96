"""A verb of ``guestmap domain`` as fingers type it: its arguments by place, or by virsh's names."""

from __future__ import annotations

from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperOption

_CUT = "\0"
"""What no program's argument is: in place of a value that is not there."""


class VerbCommand(TyperCommand):
    """Takes each argument as an option of its name, too: ``--file x.xml --domain vm``.

    A word without a name is the first argument that was not named, as virsh has it.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the arguments in their places, behind the options."""
        if ctx.resilient_parsing:  # a shell asks, in the middle of a line
            return list(super().parse_args(ctx, args))
        places = [_word(each) for each in self.params if isinstance(each, TyperArgument)]
        named, options, plain = self._sorted_out(args, places)
        if options[-1:] == [_CUT]:
            return list(super().parse_args(ctx, options[:-1]))  # and the value is missed
        filled: list[str] = []
        for each in places:
            word = named.get(each) or (plain.pop(0) if plain else None)
            if word is None:
                break  # and the first one that is missing is told
            filled.append(word)
        return list(super().parse_args(ctx, [*options, "--", *filled, *plain]))

    def _sorted_out(
        self, args: list[str], places: list[str]
    ) -> tuple[dict[str, str], list[str], list[str]]:
        """Return the arguments by name, the options with their values, and the plain words."""
        valued = {each for option in self.params if isinstance(option, TyperOption)
                  and not option.is_flag for each in option.opts}  # fmt: skip
        named: dict[str, str] = {}
        options: list[str] = []
        plain: list[str] = []
        words = iter(args)
        for word in words:
            option, is_whole, value = word.partition("=")
            if word == "--":
                plain += words
            elif option in places:
                named[option] = value if is_whole else next(words, "")
            elif not word.startswith("-") or word == "-":
                plain.append(word)
            elif word in valued:
                options += [word, next(words, _CUT)]
            else:
                options.append(word)
        return named, options, plain


def _word(argument: TyperArgument) -> str:
    return f"--{(argument.metavar or argument.name or '').lower()}"
