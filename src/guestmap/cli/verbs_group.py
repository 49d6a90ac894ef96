"""A command with verbs of its own: the options of all verbs stand before a verb or behind it."""

from __future__ import annotations

from itertools import islice
from typing import Any

from typer.core import TyperGroup, TyperOption


class VerbsGroup(TyperGroup):
    """Takes its options behind a verb, too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move them to the front."""
        options = [each for each in self.params if isinstance(each, TyperOption)]
        anywhere = {word for each in options for word in each.opts}
        valued = {word for each in options if not each.is_flag for word in each.opts}
        front: list[str] = []
        rest: list[str] = []
        words = iter(args)
        for word in words:
            if word in valued:
                given = list(islice(words, 1))
                if given:
                    front += [word, *given]
                elif not ctx.resilient_parsing:  # else a shell asks, in the middle of a line
                    ctx.fail(f"option {word} needs a value")  # in front it would take the verb
            elif word.split("=", 1)[0] in anywhere:
                front.append(word)
            else:
                rest.append(word)
        return list(super().parse_args(ctx, front + rest))
