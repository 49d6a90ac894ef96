"""What a reader of pasted text took off, in one note."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Told:
    """Counts of what was taken off and of what is missing."""

    characters: bool = False
    literals: bool = False
    prefixed: bool = False
    framed: bool = False
    dispatch: bool = False
    ends_early: bool = False
    ends_openly: bool = False
    quoted: int = 0
    joined: int = 0
    remarks: int = 0
    others: int = 0
    cuts: int = 0

    def notes(self) -> tuple[str, ...]:
        """Return one note, or none where nothing was taken off that matters."""
        removed = [
            words
            for is_so, words in (
                (self.quoted, f"quoting from {_lines(self.quoted)}"),
                (self.prefixed, "what stood before every line"),
                (self.framed, "what stood behind every line"),
                (self.literals, "the quotes and escapes of string literals"),
                (self.joined, f"{self.joined} line break{'s' * (self.joined > 1)}"),
                (self.remarks, f"remarks behind {_lines(self.remarks)}"),
                (self.dispatch, "dispatch trees"),
                (self.others, f"{_lines(self.others)} that {_are(self.others)} no part of it"),
                (self.characters, "characters that a terminal, a page or an editor added"),
            )
            if is_so
        ]
        said = ["removed " + ", ".join(removed)] if removed else []
        if self.cuts:
            said.append(
                f"at {self.cuts} place{'s' * (self.cuts > 1)} lines were left out by whoever pasted"
                " the text: what was there is not known"
            )
        if self.ends_early:
            said.append("the text ends inside a line, which is left out")
        elif self.ends_openly:
            said.append("the text ends without an end of line: its last line may be cut")
        return ("; ".join(said),) if said else ()


def _lines(count: int) -> str:
    return f"{count} line{'s' * (count > 1)}"


def _are(count: int) -> str:
    return "are" if count > 1 else "is"
