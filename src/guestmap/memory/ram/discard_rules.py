"""Who needs RAM to be discarded in a machine, and who cannot bear it."""

from __future__ import annotations

import threading

from guestmap.base import StateError


class DiscardHold:
    """One reason why RAM must, or must not, be discarded; until it is released."""

    __slots__ = ("_counter", "_rules")

    def __init__(self, rules: DiscardRules, counter: str) -> None:
        self._rules: DiscardRules | None = rules
        self._counter = counter

    def release(self) -> None:
        """Take the reason back. Releasing again does nothing."""
        rules, self._rules = self._rules, None
        if rules is not None:
            rules.count(self._counter, -1)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        self.release()


class DiscardRules:
    """Whether RAM may be discarded in this machine: some need it, some cannot bear it.

    Discarding is *coordinated* where a :class:`RamDiscardManager` tells listeners of it
    (virtio-mem), and *uncoordinated* where nobody is told (a balloon). A device that pins all of
    the guest's memory forbids both; one that listens forbids the uncoordinated kind only. Neither
    wins: whoever comes second is refused (QEMU's ``ram_block_discard_disable`` and its kin).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(_RIVALS, 0)

    def disable(self) -> DiscardHold:
        """Forbid all discarding.

        Raises:
            StateError: somebody requires it.
        """
        return self._hold("disable")

    def disable_uncoordinated(self) -> DiscardHold:
        """Forbid discarding that nobody is told of.

        Raises:
            StateError: somebody requires that.
        """
        return self._hold("disable_uncoordinated")

    def require(self) -> DiscardHold:
        """Require that all discarding works.

        Raises:
            StateError: somebody forbids it.
        """
        return self._hold("require")

    def require_coordinated(self) -> DiscardHold:
        """Require that discarding works where listeners are told.

        Raises:
            StateError: somebody forbids all discarding.
        """
        return self._hold("require_coordinated")

    @property
    def disabled(self) -> bool:
        """Whether somebody forbids discarding, of any kind."""
        return any(self._counts[each] for each in ("disable", "disable_uncoordinated"))

    @property
    def required(self) -> bool:
        """Whether somebody requires discarding, of any kind."""
        return any(self._counts[each] for each in ("require", "require_coordinated"))

    def count(self, counter: str, step: int) -> None:
        """Count one more reason, or one less (what :class:`DiscardHold` does)."""
        with self._lock:
            self._counts[counter] += step

    def _hold(self, counter: str) -> DiscardHold:
        with self._lock:
            rival = next((each for each in _RIVALS[counter] if self._counts[each]), None)
            if rival is not None:
                raise StateError(
                    f"discarding RAM: {counter!r} contradicts {rival!r}, which holds"
                    f" {self._counts[rival]} times"
                )
            self._counts[counter] += 1
        return DiscardHold(self, counter)


_RIVALS = {
    "disable": ("require", "require_coordinated"),
    "disable_uncoordinated": ("require",),
    "require": ("disable", "disable_uncoordinated"),
    "require_coordinated": ("disable",),
}
"""What each kind of reason cannot stand beside."""
