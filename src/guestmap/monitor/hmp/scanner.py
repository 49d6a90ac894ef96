"""Where in a command line the parser is, and the words that it finds there."""

from __future__ import annotations

SPACES = " \t\n\v\f\r"
LONGEST_WORD = 1023
"""Bytes of a word that count."""

_ESCAPES = {"n": "\n", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


class SyntaxProblem(Exception):  # noqa: N818 - it is not an error of this program
    """The line cannot be read; the message is what the user sees.

    ``end`` is what comes behind it: the end of the line, but for some messages of QEMU's.
    """

    def __init__(self, message: str, end: str = "\n") -> None:
        super().__init__(message)
        self.end = end


class Scanner:
    """A line and a place in it.

    Attributes:
        text: the whole line.
        at: index of the next character.
    """

    __slots__ = ("at", "text")

    def __init__(self, text: str, at: int = 0) -> None:
        self.text = text
        self.at = at

    @property
    def next(self) -> str:
        """The next character; "" at the end."""
        return self.text[self.at : self.at + 1]

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.text)

    def take(self) -> str:
        """Go over a character and return it; "" at the end."""
        taken = self.next
        self.at += len(taken)
        return taken

    def skip_spaces(self) -> None:
        """Go to the next character that is not white space."""
        while self.next and self.next in SPACES:
            self.at += 1

    def step(self) -> None:
        """Go over a character and the white space behind it."""
        if not self.at_end:
            self.at += 1
            self.skip_spaces()

    def take_while(self, characters: str) -> str:
        """Go over characters that are among these, and return them."""
        start = self.at
        while self.next and self.next in characters:
            self.at += 1
        return self.text[start : self.at]

    def take_until(self, characters: str) -> str:
        """Go over characters that are not among these, and return them."""
        start = self.at
        while self.next and self.next not in characters:
            self.at += 1
        return self.text[start : self.at]

    def rest(self) -> str:
        """Return what is left, and go to the end."""
        start, self.at = self.at, len(self.text)
        return self.text[start:]

    def word(self) -> str | None:
        """Return the next word, or None where there is none or its quotes are wrong.

        A word ends at white space. One that begins with a quotation mark ends at the next, and may
        have the escapes of C for line ends, backslash and quotes. Of a very long one, QEMU keeps
        the beginning, without a word about it.
        """
        self.skip_spaces()
        word = self._quoted() if self.next == '"' else self.take_until(SPACES) or None
        return None if word is None else _beginning(word)

    def _quoted(self) -> str | None:
        self.at += 1
        parts: list[str] = []
        while True:
            parts.append(self.take_until('\\"'))
            mark = self.take()
            if mark == '"':
                return "".join(parts)
            escape = _ESCAPES.get(self.take())
            if not mark or escape is None:
                return None
            parts.append(escape)


def _beginning(word: str) -> str:
    data = word.encode("utf-8", "surrogatepass")
    return word if len(data) <= LONGEST_WORD else data[:LONGEST_WORD].decode("utf-8", "ignore")
