"""What the lines of a pasted ``info mtree`` are: QEMU's own, cut or whole, and what is between."""

from __future__ import annotations

import re
from enum import Enum, auto

from guestmap.inspect.text.pasted.characters import ESCAPE

HEX = "[0-9a-f]{16}"
_OVERFLOW = r"(?:\[DETECTED OVERFLOW!\] )*"
_TYPE = r"(?:nv-)?(?:i/o|container|romd|ramd|rom|ram)|[R-][W-]"

CORE = re.compile(rf"{_OVERFLOW}{HEX}-{HEX} \(prio -?\d+(?:, (?:{_TYPE}))?\): ")
"""What each line of a region or a range has, before its name."""

ADDRESSES = re.compile(rf"\b{HEX}-{HEX}\b")
_OLD_TYPE = re.compile(rf"{HEX}-{HEX} \(prio -?\d+(?:, [R-][W-])?\): ")
ALIAS = re.compile(rf"alias .* @.* {HEX}-{HEX}(?= |$)")
TAIL = re.compile(
    rf"(?:@{HEX}|KVM|kvm|HVF|hvf|orphan|\[disabled\]|(?:owner|parent):\{{.*|{HEX}-{HEX})(?: .*)?"
)
"""What stands behind a region's name, and is never a part of it."""

HEADING = re.compile(
    r'address-space(?: \(flat view\))?: .+|memory-region: .+|FlatView #\d+|AS "[^"]*", root: .+'
    r"|Root memory region: .+|No rendered FlatView"
)
_CUT_HEADING = re.compile(
    r"address-(?:space(?: \(flat(?: view\))?)?:?)?|memory-(?:region:?)?"
    r"|AS \"[^\"]*(?:\",?(?: root:?)?)?"
    r"|Root memory region:|Root memory|Root"
)
_DISPATCH = re.compile(
    rf"Dispatch|Physical sections|#\d+ @{HEX}\.\..*|Nodes \(\d+ bits.*|\[\d+\]"
    r"|\d+(?:\.\.\d+)? +skip=.*"
)
_LEFT_OUT = (
    "snip|snipped|cut|skipped|truncated|omitted|trimmed|removed|deleted|elided|stripped|shortened"
)
_HOW_MANY = r"\d+|some|many|more|other|the rest|lines?|regions?|entries|here|output"
_ELLIPSIS = re.compile(
    rf"\W*(?:\.\s*\.\s*\.|…|\b(?:(?:{_HOW_MANY}) )*(?:{_LEFT_OUT})(?: (?:{_HOW_MANY}))*\b)\W*"
    r"(?:\w[^()]*(?:\.\.\.|…)\W*)?"
    r"|[-=~_* ]*(?:(?:8<|>8|%<|>%)(?!\w)|[✂✄])[^()@{}]*"  # scissors
    r"|[:.⋮⋯]+(?: [:.⋮⋯]+)*", re.IGNORECASE,
)  # fmt: skip
"""What people write where they left lines out."""

_FENCE = re.compile(
    r"```.*|~~~.*|\{(?:code|noformat)[^}]*\}|\[/?(?:code|quote|pre)\]", re.IGNORECASE
)
PROMPT = re.compile(
    r"(?:\(qemu\)|\(QEMU\)|virsh #|[\w.@~:/\[\]-]*[\w~\]/][$#]|[$#%](?= )|->|<-"
    r"|[\w.@-]+(?: ~\S*)?>)(?: |$)|[$#%]$"
)
_OTHER_COMMAND = re.compile(r"(?:info|x|xp|p|print) (?!mtree)\S+.*|help.*")


_NOT_IN_A_NAME = re.compile(
    rf"\\[nrt]|\(prio |(?!{ESCAPE})\x1b|&quot;|</(?:pre|code)>|<br|=(?:3D|20)|\d{{4}}-\d\d-\d\dT|"
    r"[\"',;:|│┃\\`=]$|= | \||owner:\{.*owner:\{"
    r"|parent:\{.*(?:owner|parent):\{|  |\t"
    r"|(?:^| )(?:[*#;:+|>=!]+|//+|--+|\.\.+)(?: |(?<=[+>!=:])\w)"
    r"|(?<!owner:)(?<!parent:)\{(?![^{}]*\})|\[disabled\]\{|\\ "
)


SENTENCE = re.compile(r"(?=[^:{}@]*$)[A-Z][\w']*,?(?: [A-Za-z][a-z']*[,;]?){3,}.*|.*[a-z][.?!]")

CONTENT = re.compile(rf"(?<![0-9A-Za-z]){HEX}(?![0-9A-Za-z])|(?:owner|parent):\{{|\[disabled\]")
"""What is a part of a region, wherever it stands."""

HEADING_INSIDE = re.compile(
    r"(?:address-space(?: \(flat view\))?|memory-region|Root memory region): "
    r"|^(?:[a-z]{0,7}-)?(?:space(?: \(flat view\))?|region): |FlatView #\d|AS \"[^\"]*\","
    r"|^\W*AS .*, root: "
)
"""In other text: a heading that something hides which is not understood."""


class Kind(Enum):
    """What a line is, once decoration is off it."""

    BLANK = auto()
    REGION = auto()
    HEADING = auto()
    CUT = auto()
    """Where whoever pasted it left something out."""
    DISPATCH = auto()
    PROMPT = auto()
    OTHER_OUTPUT = auto()
    """A prompt with a command whose output is something else."""
    FENCE = auto()
    PART = auto()
    """The beginning of a region or a heading, and no more of it."""
    NAME = auto()
    """A name alone on a line, as QEMU 1.x heads a tree."""
    OTHER = auto()


OWN = (Kind.REGION, Kind.HEADING, Kind.PART)
"""What QEMU printed."""


def kind_of(line: str) -> Kind:
    """Return what a line without indentation is."""
    if not line:
        return Kind.BLANK
    if CORE.match(line):
        return Kind.PART if is_unfinished(line) else Kind.REGION
    for pattern, kind in (
        (HEADING, Kind.HEADING), (_DISPATCH, Kind.DISPATCH), (_FENCE, Kind.FENCE),
        (_ELLIPSIS, Kind.CUT), (_CUT_HEADING, Kind.PART),
    ):  # fmt: skip
        if pattern.fullmatch(line):
            return kind
    prompt = PROMPT.match(line)
    if prompt:
        is_other = _OTHER_COMMAND.fullmatch(line[prompt.end() :].strip())
        return Kind.OTHER_OUTPUT if is_other else Kind.PROMPT
    return Kind.PART if is_unfinished(line) else Kind.OTHER


def heads_old_tree(line: str, following: str, *, deeper: bool) -> bool:
    """Tell whether a line is a heading of QEMU 1.x: a name alone above a root in that form."""
    if line == "aliases":
        return kind_of(following) == Kind.OTHER
    return not line.endswith(":") and not deeper and _OLD_TYPE.match(following) is not None


def is_garbled(line: str) -> bool:
    """Tell whether a region's name holds what no name does: two lines in one, half an escape."""
    core = CORE.match(line)
    if core is None and ADDRESSES.search(line):
        return True
    return _NOT_IN_A_NAME.search(line[core.end() if core else 0 :]) is not None


def is_unfinished(line: str) -> bool:
    """Tell whether a line that begins as a region does ends before a region can."""
    core = CORE.match(line)
    if core is None:
        return bool(_UNFINISHED_CORE.fullmatch(line))
    rest = line[core.end() :]
    if rest in ("", "alias") or rest.count("{") > rest.count("}") or _HALF_TAIL.search(rest):
        return True
    return rest.startswith("alias ") and ALIAS.match(rest) is None


_UNFINISHED_CORE = re.compile(
    rf"{_OVERFLOW}{HEX}(?:-(?:[0-9a-f]{{0,15}}|{HEX}(?: ?\((?:p|pr|pri|prio(?: -?\d*\)?:?)?"
    rf"|prio -?\d+,(?: ?[a-z/-]{{0,9}}| ?(?:{_TYPE})\):?)?)?)?))?"
)
_HALF_TAIL = re.compile(r" (?:@[0-9a-f]{0,15}|\[[a-z]{0,8}|(?:owner|parent):?)$")
