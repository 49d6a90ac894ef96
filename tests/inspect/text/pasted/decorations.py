"""What mail, terminals and programs do to a text, each as a function of it and a random number."""

from __future__ import annotations

import html
import json
import quopri
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


def _each(text: str, change: Callable[[str], str]) -> str:
    return "\n".join(change(line) for line in text.split("\n"))


def quoted(text: str, random: Random) -> str:
    mark = random.choice(["> ", ">", ">> ", "> > ", "| ", ">>>> "])
    return _each(text, lambda line: mark + line)


def quoted_and_trimmed(text: str, random: Random) -> str:
    return _each(quoted(text, random), str.rstrip)


def indented(text: str, random: Random) -> str:
    blanks = " " * random.choice([1, 2, 3, 4, 8])
    return _each(text, lambda line: blanks + line if line else line)


def space_stuffed(text: str, random: Random) -> str:
    return _each(text, lambda line: " " + line if line.startswith(" ") else line)


def broken_by_mail(text: str, random: Random) -> str:
    width = random.randint(40, 110)
    return _each(text, lambda line: "\n".join(textwrap.wrap(line, width) or [""]))


def broken_between_words(text: str, random: Random) -> str:
    width = random.randint(66, 80)
    options = {"break_on_hyphens": False, "break_long_words": False}
    return _each(text, lambda line: "\n".join(textwrap.wrap(line, width, **options) or [""]))


def broken_by_terminal(text: str, random: Random) -> str:
    width = random.randint(40, 110)
    return _each(text, lambda s: "\n".join(s[i : i + width] for i in range(0, len(s) or 1, width)))


def with_crlf(text: str, random: Random) -> str:
    return text.replace("\n", "\r\n")


def in_a_session(text: str, random: Random) -> str:
    prompt = random.choice(["(qemu) ", "virsh # ", "root@host:~# ", "$ "])
    banner = "QEMU 7.2.22 monitor - type 'help' for more information\n"
    body = text.rstrip("\n")
    return f"{banner}{prompt}info mtree\n{body}\n{prompt}quit\n"


def with_prose(text: str, random: Random) -> str:
    return f"Hello,\n\nhere is what I see:\n\n```\n{text}```\n\nWhy is that so?\n-- \nme\n"


def numbered(text: str, random: Random) -> str:
    form = random.choice(["{:6}\t{}", "{}:{}", "{:4} | {}"])
    return "\n".join(form.format(n, line) for n, line in enumerate(text.split("\n"), 1))


def logged(text: str, random: Random) -> str:
    return "\n".join(
        f"2026-01-02T03:04:{n % 60:02}.{n % 1000:03}Z host qemu[{n}]: {line}"
        for n, line in enumerate(text.split("\n"), 1)
    )


def as_reply(text: str, random: Random) -> str:
    greeting = json.dumps({"QMP": {"version": {}}}) + "\n"
    reply = json.dumps({"return": text.replace("\n", "\r\n")})
    return random.choice(["", greeting]) + reply


def as_python(text: str, random: Random) -> str:
    return f"out = {text!r}"


def as_c(text: str, random: Random) -> str:
    return _each(text, lambda line: f'    {json.dumps(line)[:-1]}\\n"')


def in_html(text: str, random: Random) -> str:
    return f"<pre>\n{html.escape(text)}</pre>\n"


def coloured(text: str, random: Random) -> str:
    return _each(text, lambda line: f"\x1b[0;32m{line}\x1b[0m")


def with_hard_blanks(text: str, random: Random) -> str:
    return text.replace("  ", "\xa0 ")


def with_blanks_behind(text: str, random: Random) -> str:
    return _each(text, lambda line: line + "  ")


def double_spaced(text: str, random: Random) -> str:
    return text.replace("\n", "\n\n")


def with_bom(text: str, random: Random) -> str:
    return "\ufeff" + text


def commented(text: str, random: Random) -> str:
    return _each(text, lambda line: f" * {line}")


def flowed(text: str, random: Random) -> str:
    return broken_between_words_at(text, random.choice([66, 72, 78]), trail=" ")


def broken_by_an_editor(text: str, random: Random) -> str:
    width = random.randint(36, 120)
    return broken_between_words_at(text, width, indent=random.choice([0, 0, 1, 2, 4, 8]))


def broken_in_an_answer(text: str, random: Random) -> str:
    return broken_between_words_at(quoted(text, random), random.randint(60, 100))


def broken_between_words_at(text: str, width: int, *, indent: int = 0, trail: str = "") -> str:
    """Break before the word that does not fit, as editors do: longer words stay whole."""
    lines: list[str] = []
    for line in text.split("\n"):
        whole = len(line) - len(line.lstrip())
        begun = ""
        for word in line[whole:].split(" "):
            more = f"{begun} {word}" if begun else " " * whole + word
            if begun and len(more) > width:
                lines.append(begun + trail)
                more = " " * indent + word
            begun = more
        lines.append(begun)
    return "\n".join(lines)


def quoted_printable(text: str, random: Random) -> str:
    return quopri.encodestring(text.encode()).decode()


def in_brackets(text: str, random: Random) -> str:
    first, last = random.choice([("[code]", "[/code]"), ("{noformat}\n", "{noformat}")])
    return f"{first}{text}{last}\n"


def as_a_difference(text: str, random: Random) -> str:
    return _each(text, lambda line: "+" + line)


def before_a_prompt(text: str, random: Random) -> str:
    return f"{text}(qemu) "


def without_last_end(text: str, random: Random) -> str:
    return text.rstrip("\n")


def in_python(text: str, random: Random) -> str:
    return f'TEXT = """\\\n{text}"""\n'


def in_yaml(text: str, random: Random) -> str:
    return "output: |\n" + _each(text, lambda line: f"  {line}".rstrip())


def chatted(text: str, random: Random) -> str:
    return "\n".join(f"03:{n % 60:02} < bob> {line}" for n, line in enumerate(text.split("\n")))


def with_tabs(text: str, random: Random) -> str:
    return _each(text, lambda line: line.replace(" " * 8, "\t", 1) if line[:8].isspace() else line)


def marked(text: str, random: Random) -> str:
    mark = random.choice(["# ", "// ", "; ", "-- ", "#: ", "! ", "* | ", "    # "])
    return _each(text, lambda line: f"{mark}{line}".rstrip())


def as_lines_of_python(text: str, random: Random) -> str:
    return "TEXT = (\n" + "".join(f"    {line + chr(10)!r}\n" for line in text.split("\n")) + ")\n"


def fenced(text: str, random: Random) -> str:
    first, last = random.choice(
        [("```text\n", "```\n"), ("~~~\n", "~~~"), ("[quote=x]\n", "[/quote]")]
    )
    return f"{first}{text}{last}"


NEVER_REFUSED = [
    quoted, quoted_and_trimmed, indented, space_stuffed, with_crlf, in_a_session, with_prose,
    numbered, logged, as_reply, as_python, as_c, in_html, coloured, with_hard_blanks,
    with_blanks_behind, double_spaced, with_bom, commented, quoted_printable, in_brackets,
    as_a_difference, before_a_prompt, without_last_end, in_python, in_yaml, chatted, with_tabs,
    marked, as_lines_of_python, fenced,
]  # fmt: skip
BREAKING = [
    broken_by_mail, broken_between_words, broken_by_terminal, flowed, broken_by_an_editor,
    broken_in_an_answer,
]  # fmt: skip
