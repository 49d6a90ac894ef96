"""Which QEMU the program says that it is: the one that its own name ends with, or the newest.

Whoever starts it to ask what there is gives it no word of ours: only what it is called is theirs.
"""

from __future__ import annotations

from pathlib import Path

_ANSWERS = Path(__file__).with_name("answers")
_MARK = "x86_64-"
NEWEST = "11.1"
"""What is claimed where the name says nothing."""


class UnknownClaimError(ValueError):
    """The name ends with a version that cannot be claimed; says which can be."""


def table_path(claim: str) -> Path:
    """Return the file that holds the answers of a version."""
    return _ANSWERS / f"{claim}.txt"


def kvm_path(claim: str) -> Path:
    """Return the file that holds those of its answers that are others where there is KVM."""
    return _ANSWERS / f"{claim}-kvm.txt"


def claimed_by(program: str) -> str:
    """Return the version that a program's name ends with (``guestmap-system-x86_64-7.2``).

    Args:
        program: its path, as it was started.

    Raises:
        UnknownClaimError: the version is none of those that there are answers for.
    """
    _, mark, version = program.rpartition("/")[2].rpartition(_MARK)
    if not mark or version.strip("0123456789."):
        return NEWEST
    if not table_path(version).is_file():
        known = ", ".join(sorted((each.stem for each in _ANSWERS.glob("*[0-9].txt")), key=float))
        raise UnknownClaimError(
            f"{program}: QEMU {version} cannot be claimed: a name may end with -VERSION of {known}"
        )
    return version
