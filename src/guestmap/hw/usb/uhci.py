"""The USB function of the PIIX3, 8086:7020: a UHCI with two ports and nothing on them.

Universal Host Controller Interface 1.1, section 2. Frames are counted while it runs; nobody would
answer what its schedule asks for, so that is not read. It interrupts only for a port that wakes it.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any

from guestmap.base import HostClock
from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import declare, setting
from guestmap.hw.device import U8, U16, U32, IoRegion, Ns
from guestmap.hw.pci.device import PciFunction
from guestmap.hw.pci.identity import PciIdentity
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE, PciState
from guestmap.hw.pci.registers import BAR_IO, INTERRUPT_PIN
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps
from guestmap.qom import UINT32

if TYPE_CHECKING:
    from guestmap.base import Clock
    from guestmap.hw.pci.bus import PciBus

_IDENTITY = PciIdentity(0x8086, 0x7020, 0x0C03, revision=1)
_BAR, _SIZE, _PIN_D = 4, 32, 4
_RELEASE, _RELEASE_1_0, _CLOCK, _CLOCK_48_MHZ = 0x60, 0x10, 0x6A, 0x01
_COMMAND, _STATUS, _INTERRUPTS, _FRAME, _LIST_LOW, _LIST_HIGH, _SOF = 0, 2, 4, 6, 8, 10, 12
_PORTS = 16
_RUN, _HOST_RESET, _GLOBAL_RESET = 0x01, 0x02, 0x04
_SLEEP, _RESUME = 0x08, 0x10
_HALTED, _RESUME_DETECTED, _ON_RESUME = 0x20, 0x04, 0x02
_FRAMES, _FRAME_NS = 0x7FF, 1_000_000
_NO_PORT = 0xFF7F
_PORT_EMPTY, _PORT_CONNECTED, _PORT_ENABLED, _PORT_RESUME = 0x0080, 0x0001, 0x0004, 0x0040
_PORT_READ_ONLY, _PORT_CLEARED = 0x01BB, 0x000A
_WORDS = AccessSizes(min=2, max=2)


@dataclass(slots=True)
class UhciState(PciState):
    """The registers.

    Attributes:
        command, status, interrupts, frames, sof: as their names in the specification.
        frame: the number of the frame at ``since``; of the one that is on, while it stands.
        since: when that frame began, on the machine's clock, ns; None while it stands.
        halts: when the frame ends after which it stands, ns; None where none does.
        ports: status and control of the two ports.
    """

    command: U16 = 0
    status: U16 = _HALTED
    interrupts: U16 = 0
    frames: U32 = 0
    sof: U8 = 64
    frame: U16 = 0
    since: Ns | None = None
    halts: Ns | None = None
    ports: Annotated[list[U16], Meta(min_length=2, max_length=2)] = field(
        default_factory=lambda: [_PORT_EMPTY] * 2
    )


PCI_UHCI = declare("pci-uhci-usb", PCI_DEVICE, abstract=True, interfaces=IS_PCI)


class Piix3Uhci(PciFunction[UhciState]):
    """The USB function.

    Args:
        bus: the bus that it sits on.
        devfn: slot << 3 | function; QEMU's is 10.
        clock: what frames are counted by; the host's until :meth:`wind`.
        multifunction: whether its slot has further functions.
    """

    TYPE = declare(
        "piix3-usb-uhci",
        PCI_UHCI,
        setting("bandwidth", UINT32, 1280),
        setting("maxframes", UINT32, 128),
        buses=(("usb-bus", "usb-bus.0"),),
        user_creatable=True,
    )
    OUTLIVES_RESET = (*PciFunction.OUTLIVES_RESET, "frame")
    CHOICES = ("multifunction",)

    def __init__(
        self, bus: PciBus, devfn: int, clock: Clock | None = None, *, multifunction: bool = False
    ) -> None:
        super().__init__(UhciState(), bus, devfn, _IDENTITY, multifunction=multifunction)
        self._clock = HostClock() if clock is None else clock
        self.config.set(INTERRUPT_PIN, _PIN_D)
        self.config.set(_RELEASE, _RELEASE_1_0)
        self.config.set(_CLOCK, _CLOCK_48_MHZ)
        ops = MemoryRegionOps(
            read=lambda offset, _size: self._read(offset),
            write=lambda offset, value, _size: self._write(offset, value),
            endianness=Endianness.LITTLE,
            valid=AccessSizes(min=1, max=4),
            impl=_WORDS,
        )
        self.add_bar(_BAR, self.make(IoRegion("uhci", _SIZE, ops)), BAR_IO)

    @classmethod
    def plugged(cls, bus: PciBus, devfn: int, choices: dict[str, Any]) -> Piix3Uhci:
        """Make one as the user wants it."""
        return cls(bus, devfn, **choices)

    def wind(self, clock: Clock) -> None:
        """Count frames by the machine's time, before anything runs."""
        self._clock = clock

    def _catch_up(self) -> None:
        """Count the frames that have gone by, and stand where the last of them ended."""
        state = self.state
        now = self._clock.now_ns()
        if state.since is not None:
            gone = (now - state.since) // _FRAME_NS
            state.frame = state.frame + gone & _FRAMES
            state.since += gone * _FRAME_NS
        if state.halts is not None and now >= state.halts:
            state.halts = None
            state.status |= _HALTED

    def _read(self, offset: int) -> int:
        self._catch_up()
        state = self.state
        if offset >= _PORTS:
            port = offset >> 1 & 7
            return state.ports[port] if port < len(state.ports) else _NO_PORT
        registers = {
            _COMMAND: state.command, _STATUS: state.status, _INTERRUPTS: state.interrupts,
            _FRAME: state.frame, _LIST_LOW: state.frames & 0xFFFF, _LIST_HIGH: state.frames >> 16,
            _SOF: state.sof,
        }  # fmt: skip
        return registers.get(offset, _NO_PORT)

    def _write(self, offset: int, value: int) -> None:
        self._catch_up()
        state = self.state
        if offset == _COMMAND:
            self._command(state, value)
        elif offset == _STATUS:
            state.status &= ~value
        elif offset == _INTERRUPTS:
            state.interrupts = value
        elif offset == _FRAME and state.status & _HALTED:
            state.frame = value & _FRAMES
        elif offset == _LIST_LOW:
            state.frames = state.frames & 0xFFFF_0000 | value & 0xF000
        elif offset == _LIST_HIGH:
            state.frames = state.frames & 0xFFFF | value << 16
        elif offset == _SOF:
            state.sof = value & 0xFF
        elif offset >= _PORTS and (offset >> 1 & 7) < len(state.ports):
            self._control(state, offset >> 1 & 7, value)
        wakes = self.state.status & _RESUME_DETECTED and self.state.interrupts & _ON_RESUME
        self.set_interrupt(bool(wakes))

    def _command(self, state: UhciState, value: int) -> None:
        now = self._clock.now_ns()
        if value & ~state.command & _RUN:
            state.since, state.halts = now, None
            state.status &= ~_HALTED
        elif not value & _RUN:
            if state.since is not None:
                state.halts = state.since + _FRAME_NS
            state.since = None
            state.status |= _HALTED
        if value & (_GLOBAL_RESET | _HOST_RESET):
            self._reset_registers()
        else:
            state.command = value
            if value & _SLEEP and any(port & _PORT_RESUME for port in state.ports):
                state.command |= _RESUME
                state.status |= _RESUME_DETECTED

    @staticmethod
    def _control(state: UhciState, port: int, value: int) -> None:
        held = state.ports[port] & _PORT_READ_ONLY
        if not held & _PORT_CONNECTED:
            value &= ~_PORT_ENABLED
        state.ports[port] = (held | value & ~_PORT_READ_ONLY) & ~(value & _PORT_CLEARED)

    def _reset_registers(self) -> None:
        self._catch_up()
        fresh = UhciState()
        for name in ("command", "status", "interrupts", "frames", "sof", "since", "halts", "ports"):
            setattr(self.state, name, getattr(fresh, name))
        self.config.set(_CLOCK, _CLOCK_48_MHZ)
        self.config.set(_CLOCK + 1, 0)

    def reset(self) -> None:
        """Reset it; the number of the frame stays."""
        self._reset_registers()
        super().reset()
