"""A refusal, with libvirt's code and text, and who of the three spoke."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from guestmap.base import GuestmapError
from guestmap.domain.rules.texts import PREFIXES, LibvirtDialect, text_of

if TYPE_CHECKING:
    from guestmap.domain.xml.tree import Element


class Speaker(StrEnum):
    """Who says no."""

    RULE = "libvirt's rule"
    OURS = "guestmap's check"
    QEMU = "QEMU"
    GUEST = "the guest"
    HOST = "the host"


class DomainError(GuestmapError):
    """Something about a domain that is refused, or that failed.

    Attributes:
        code: libvirt's number (virErrorNumber). domain: libvirt's number of the part that speaks
            (virErrorDomain).
        text: what libvirt's message would be, prefix included.
        speaker: who says so.
        element, line: where in the document; None where that is no question.
        remedy: what to do; "" where the text says it.
    """

    def __init__(
        self,
        code: int,
        text: str,
        *,
        domain: int = 20,
        speaker: Speaker = Speaker.RULE,
        remedy: str = "",
        at: Element | None = None,
    ) -> None:
        self.code = code
        self.domain = domain
        self.text = PREFIXES.get(code, "") + text
        self.speaker = speaker
        self.remedy = remedy
        self.element = None if at is None else at.name
        self.line = None if at is None else at.line
        where = "" if at is None else f", <{at.name}> on line {at.line}"
        advice = f"; {remedy}" if remedy else ""
        super().__init__(f"{self.text} [{speaker}, {code}/{domain}{where}]{advice}")

    def advising(self, remedy: str) -> DomainError:
        """Return the same refusal with a remedy."""
        text = self.text.removeprefix(PREFIXES.get(self.code, ""))
        return DomainError(self.code, text, domain=self.domain, speaker=self.speaker, remedy=remedy)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "code": self.code,
            "domain": self.domain,
            "message": self.text,
            "speaker": str(self.speaker),
            "remedy": self.remedy,
            "element": self.element,
            "line": self.line,
        }


def refusal(
    dialect: LibvirtDialect,
    what: str,
    remedy: str = "",
    at: Element | None = None,
    **particulars: object,
) -> DomainError:
    """Return a refusal out of the table of texts.

    Args:
        dialect: whose words.
        what: which; see :data:`guestmap.domain.rules.texts.BOTH`.
        remedy: what to do about it.
        at: the element that is wrong.
        particulars: what the words have places for.
    """
    text = text_of(dialect, what)
    return DomainError(
        text.code, text.words.format(**particulars), domain=text.domain, remedy=remedy, at=at
    )
