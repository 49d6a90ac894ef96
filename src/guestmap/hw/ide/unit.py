"""One of the two places of an IDE channel: its registers, and how data passes through them.

ATA/ATAPI-7 (INCITS 397), sections 5, 6 and 9; where that leaves a choice, QEMU 7.2's. A command is
carried out as soon as it is written, or as soon as its data is there: no guest sees it under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from guestmap.base import ConfigError, HostError, PeerError
from guestmap.hw.counted import DriveCounts
from guestmap.hw.device import DeviceModel
from guestmap.hw.ide import registers as reg
from guestmap.hw.ide.kind import IDE_DEVICE
from guestmap.hw.ide.registers import ABRT, DRDY, DRQ, DSC, ERR, AtaState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guestmap.hw.ide.bus_master import BusMasterChannel
    from guestmap.hw.ide.registers import Going, Waiting
    from guestmap.qom import JsonValue

_DEEP = (reg.ERROR_FEATURES, reg.COUNT, reg.LBA_LOW, reg.LBA_MID, reg.LBA_HIGH)
_FIELDS = ("feature", "count", "low", "mid", "high", "device")


class IdeUnit(DeviceModel[AtaState]):
    """The registers of a place; without a drive they are all that there is.

    Attributes:
        TAKING: what follows data that the guest writes.
        COMMANDS: what is carried out, by the command's code: a method's name, and whether DSC
            follows a command that did not fail.
        is_there: whether a drive sits there.
        number: 0 or 1.
        interrupt: told that the drive wants attention.
        master: the channel's bus master; None where nobody masters the bus for it.
        counts: what has been asked of its medium.
    """

    TYPE = IDE_DEVICE
    COMMANDS: ClassVar[Mapping[int, tuple[str, bool]]] = {}
    TAKING: ClassVar[frozenset[str]] = frozenset()
    SIGNATURE: ClassVar[tuple[int, int]] = (0xFF, 0xFF)
    is_there = False

    def __init__(self, number: int = 0, settings: Mapping[str, JsonValue] | None = None) -> None:
        super().__init__(AtaState(), settings)
        self.number = number
        self.interrupt: Callable[[], None] = lambda: None
        self.master: BusMasterChannel | None = None
        self.counts = DriveCounts()

    def reset(self) -> None:
        """Be as at power-on."""
        super().reset()
        self.sign()

    def load(self, state: AtaState) -> None:
        """Go on from there.

        Raises:
            ConfigError: it is a state of another sort of drive, or one that none comes to.
        """
        super().load(state)
        self.state.check()
        if not self._is_whole() or not self._fits():
            raise ConfigError(f"saved state of {self.title}: no drive comes to it")

    def _is_whole(self) -> bool:
        """Whether what is to be done is known here, and data that it waits for can come."""
        state = self.state
        if not all(hasattr(self, "_" + each) for each in (state.going, state.waiting) if each):
            return False
        halves_a_word = self._takes and bool(state.position % 2)
        return not state.going or (bool(state.status & DRQ) and not halves_a_word)

    def _fits(self) -> bool:
        """Whether the buffer is one that the command that runs would have."""
        return True

    # -- registers -------------------------------------------------------------------------------

    def read(self, register: int, *, before: bool) -> int:
        """Return a register of the command block; ``before``: what was in it before that."""
        state = self.state
        if register == reg.STATUS_COMMAND:
            return state.status
        if register == reg.DEVICE:
            return state.device
        if before:
            return state.before[_DEEP.index(register)]
        if register == reg.ERROR_FEATURES:
            return state.error
        return int(getattr(state, _FIELDS[register - 1]))

    def write(self, register: int, value: int) -> None:
        """Take a write of a register that is not the command."""
        name = _FIELDS[register - 1]
        if register in _DEEP:
            at = _DEEP.index(register)
            old = getattr(self.state, name)
            self.state.before = self.state.before[:at] + bytes((old,)) + self.state.before[at + 1 :]
        setattr(self.state, name, value | reg.DEVICE_FIXED if register == reg.DEVICE else value)

    @property
    def is_busy(self) -> bool:
        """Whether a command runs, so that the registers take no writes."""
        return bool(self.state.status & (reg.BSY | DRQ))

    def sign(self) -> None:
        """Say in the registers what sort of drive this is."""
        state = self.state
        state.device = reg.DEVICE_FIXED
        state.count = state.low = 1
        state.mid, state.high = self.SIGNATURE

    def software_reset(self) -> None:
        """Forget the command that runs, and show the signature."""
        self._stop()
        self.sign()
        self.state.waiting, self.state.feature, self.state.before = "", 0, bytes(5)
        self.state.status, self.state.error = DRDY | DSC, 1

    # -- commands ----------------------------------------------------------------------------------

    def execute(self, code: int) -> None:
        """Take a command; an unknown one is aborted."""
        state = self.state
        if self.is_busy and not self._may_interrupt(code):
            return
        state.status, state.error, state.waiting = DRDY, 0, ""
        found = self.COMMANDS.get(code)
        if found is None:
            self._abort()
            return
        name, is_seek = found
        getattr(self, "_" + name)()
        if is_seek and not state.error:
            state.status |= DSC

    def _may_interrupt(self, code: int) -> bool:
        return False

    def _nothing(self) -> None:
        """Do nothing, and say so."""
        self.interrupt()

    def _abort(self) -> None:
        self._stop()
        self.state.status, self.state.error = DRDY | ERR, ABRT
        self.interrupt()

    def _done(self) -> None:
        self.state.status = DRDY | DSC
        self.interrupt()

    def _stop(self) -> None:
        self.state.buffer, self.state.position, self.state.going = b"", 0, ""
        self.state.status &= ~DRQ

    def _try(self, what: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a medium answers; None, and the command is aborted, where it fails."""
        try:
            return what(*arguments)
        except (HostError, PeerError):
            self._abort()
            return None

    # -- the data register -------------------------------------------------------------------------

    def _offer(self, data: bytes, going: Going) -> None:
        """Let the guest read data, and do what ``going`` names afterwards."""
        self.state.buffer, self.state.position, self.state.going = data, 0, going
        self.state.status |= DRQ

    def _ask(self, length: int, going: Going) -> None:
        """Let the guest write data."""
        self._offer(bytes(length), going)

    @property
    def _takes(self) -> bool:
        return self.state.going in self.TAKING

    def read_data(self, size: int) -> int:
        """Read the data register, 2 or 4 bytes wide."""
        state = self.state
        if not state.status & DRQ or self._takes or not self._has_room(size):
            return 0
        at = state.position
        value = int.from_bytes(state.buffer[at : at + size], "little")
        self._moved(size)
        return value

    def write_data(self, value: int, size: int) -> None:
        """Write the data register."""
        state = self.state
        if not state.status & DRQ or not self._takes or not self._has_room(size):
            return
        at = state.position
        data = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        state.buffer = state.buffer[:at] + data + state.buffer[at + size :]
        self._moved(size)

    def _has_room(self, size: int) -> bool:
        """Whether an access fits into what is left of the buffer; the last byte alone does."""
        left = len(self.state.buffer) - self.state.position
        return size <= left or left == 1

    def _moved(self, size: int) -> None:
        state = self.state
        state.position = min(state.position + size, len(state.buffer))
        if state.position == len(state.buffer):
            going = state.going
            state.status &= ~DRQ
            if going:
                getattr(self, "_" + going)()

    # -- the bus master ----------------------------------------------------------------------------

    def _wait(self, waiting: Waiting, *, busy: int = 0) -> None:
        """Have the bus master move the data, as soon as it is started."""
        self.state.waiting = waiting
        self.state.status = DRDY | DSC | DRQ | busy
        if self.master is not None and self.master.is_active:
            self.run_dma()

    def run_dma(self) -> None:
        """Move what waits for the bus master, which is active."""
        waiting, self.state.waiting = self.state.waiting, ""
        if waiting and self.master is not None:
            getattr(self, "_" + waiting)(self.master)
