"""What a change is for: the machine that runs, the stored definition, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.domain.rules.errors import DomainError, refusal
from guestmap.domain.rules.texts import OPERATION_INVALID, LibvirtDialect

if TYPE_CHECKING:
    from guestmap.domain.store.status import Status
    from guestmap.domain.xml.definition import Definition


@dataclass(frozen=True, slots=True)
class Targets:
    """virsh's ``--live``, ``--config``, ``--current``, ``--persistent``; none: what is current.

    Attributes:
        live: the machine that runs.
        config: the stored definition: it counts from the next start.
        current: the machine if it runs, or else the definition.
        persistent: the definition, and the machine if it runs.
    """

    live: bool = False
    config: bool = False
    current: bool = False
    persistent: bool = False

    def effective(
        self, stored: Definition | None, running: Status | None, dialect: LibvirtDialect
    ) -> Targets:
        """Return which of both are meant, ``current`` resolved.

        Raises:
            DomainError: they contradict each other, or there is no such thing.
        """
        config = self.config or self.persistent
        if self.current and (self.live or config):
            raise refusal(dialect, "flags" if self.live else "config-and-current")
        live = self.live or (self.persistent and running is not None)
        if not live and not config:
            live, config = running is not None, running is None
        if live and running is None:
            raise refusal(
                dialect, "not-running", remedy="start it, or change the definition (--config)"
            )
        if config and stored is None:
            raise DomainError(
                OPERATION_INVALID, "transient domains do not have any persistent config"
            )
        return Targets(live=live, config=config)
