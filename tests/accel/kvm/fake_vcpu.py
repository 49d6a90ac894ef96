"""A kernel whose vCPU does what a script says, exit by exit."""

from __future__ import annotations

from functools import partial
from struct import pack_into, unpack_from
from threading import Event

from guestmap.accel.kvm import abi
from guestmap.accel.kvm.abi import ExitCode
from tests.accel.kvm.fake_kernel import PAGE, VCPU, FakeKernel

_DATA = PAGE  # where port data lies in the page
_RING = 2 * PAGE  # and the ring of writes that are held back
RING_ENTRIES = (PAGE - 8) // 24


class Mmio:
    """An access of a device; a write has data. ``answer`` is what a read got."""

    def __init__(
        self, address: int, length: int, data: bytes | None = None, *, in_smm: bool = False
    ) -> None:
        self.address, self.length, self.data = address, length, data
        self.in_smm = in_smm
        self.answer = b""

    def show(self, page: bytearray) -> None:
        pack_into("<I", page, 8, ExitCode.MMIO)
        page[14] = self.in_smm
        data = (self.data or b"").ljust(8, b"\xee")
        pack_into("<Q8sIB", page, 32, self.address, data, self.length, self.data is not None)

    def take(self, page: bytearray) -> None:
        self.answer = bytes(page[40 : 40 + self.length])


class Ports:
    """Accesses of a port."""

    def __init__(self, port: int, size: int, times: int, data: bytes | None = None) -> None:
        self.port, self.size, self.times, self.data = port, size, times, data
        self.answer = b""

    def show(self, page: bytearray) -> None:
        pack_into("<I", page, 8, ExitCode.IO)
        out = self.data is not None
        pack_into("<BBHIQ", page, 32, out, self.size, self.port, self.times, _DATA)
        page[_DATA : _DATA + self.size * self.times] = self.data or bytes(self.size * self.times)

    def take(self, page: bytearray) -> None:
        self.answer = bytes(page[_DATA : _DATA + self.size * self.times])


class Other:
    """An exit that waits for nothing."""

    def __init__(self, reason: int) -> None:
        self.reason = reason

    def show(self, page: bytearray) -> None:
        pack_into("<I", page, 8, self.reason)

    def take(self, page: bytearray) -> None:
        pass


class Internal(Other):
    """The kernel cannot go on."""

    def __init__(self, suberror: int, data: tuple[int, ...]) -> None:
        super().__init__(ExitCode.INTERNAL_ERROR)
        self.suberror, self.data = suberror, data

    def show(self, page: bytearray) -> None:
        super().show(page)
        pack_into(f"<II{len(self.data)}Q", page, 32, self.suberror, len(self.data), *self.data)


class Held:
    """A write that the kernel holds back, in no exit."""

    def __init__(self, address: int, data: bytes, *, is_port: bool = False) -> None:
        self.address, self.data, self.is_port = address, data, is_port

    def put(self, page: bytearray) -> None:
        first, last = unpack_from("<II", page, _RING)
        assert (last + 1) % RING_ENTRIES != first, "the ring is full"
        entry = self.address, len(self.data), self.is_port, self.data
        pack_into("<QII8s", page, _RING + 8 + 24 * last, *entry)
        pack_into("<I", page, _RING + 4, (last + 1) % RING_ENTRIES)


class Eintr:
    """A signal came; the page stays as it is."""


class CpuKernel(FakeKernel):
    """One vCPU beside the memory.

    Attributes:
        script: the exits that come.
        ready: whether the page says that the guest takes an interrupt, after each exit.
        injected: the vectors that were given.
        windows: whether an exit was asked for when it does, at each entry.
        events: what was asked of the vCPU.
        inside, go_on: if set, told at each entry, and waited for there.
        leave_when_kicked: whether an entry waits for the flag of the kick, too.
        changed_while_inside: slot requests that came meanwhile.
        reads_within: whether registers may be read in the middle of an access.
    """

    def __init__(self, **lacks: int) -> None:
        super().__init__(**lacks)
        self.page = bytearray(3 * PAGE)
        self.script: list[object] = []
        self.ready = False
        self.injected: list[int] = []
        self.windows: list[bool] = []
        self.events: list[str] = []
        self.cpuid: dict[int, tuple[int, ...]] = {}
        self.inside: Event | None = None
        self.go_on = Event()
        self.leave_when_kicked = False
        self.changed_while_inside = 0
        self.reads_within = False
        self._waiting: object = None
        self._within = False
        self._state: dict[str, bytearray] = {}
        self._msrs: dict[int, int] = {}

    def map(self, fd: int, size: int, offset: int = 0) -> bytearray:
        assert (fd, size) == (VCPU, len(self.page))
        return self.page

    def set_flags(self, value: int) -> None:
        pack_into("<Q", self._state["regs"], 136, value)

    def _requests(self):
        pairs = (
            (abi.GET_REGS, abi.SET_REGS, "regs"),
            (abi.GET_SREGS, abi.SET_SREGS, "sregs"),
            (abi.GET_FPU, abi.SET_FPU, "fpu"),
            (abi.GET_VCPU_EVENTS, abi.SET_VCPU_EVENTS, "events"),
            (abi.GET_DEBUGREGS, abi.SET_DEBUGREGS, "debug"),
        )
        found = super()._requests()
        for get, set_, name in pairs:
            found[get.code] = partial(self._get, name)
            found[set_.code] = partial(self._set, name)
        return found | {
            abi.CREATE_VCPU.code: lambda _: self._new(VCPU),
            abi.SET_CPUID2.code: self._set_cpuid,
            abi.GET_MSRS.code: self._get_msr,
            abi.SET_MSRS.code: self._set_msr,
            abi.INTERRUPT.code: self._interrupt,
            abi.RUN.code: self._run,
            abi.SMI.code: self._smi,
            abi.SET_GUEST_DEBUG.code: lambda _: 0,
        }

    def _supported_cpuid(self, table: bytearray) -> int:
        ones = 0xFFFFFFFF
        entries = ((1, ones), (0x40000001, ones), (0x80000008, self.address_bits))
        for index, (leaf, value) in enumerate(entries):
            pack_into("<7I", table, 8 + 40 * index, leaf, 0, 0, value, value, value, value)
        pack_into("<I", table, 0, len(entries))
        return 0

    def _set_cpuid(self, table: bytearray) -> int:
        for index in range(unpack_from("<I", table)[0]):
            leaf, _, _, *answer = unpack_from("<7I", table, 8 + 40 * index)
            self.cpuid[leaf] = tuple(answer)
        return 0

    def _set_region(self, request: bytearray) -> int:
        self.changed_while_inside += self._within
        return super()._set_region(request)

    # -- registers -------------------------------------------------------------------------------

    def _get(self, name: str, to: bytearray) -> int:
        self.events.append(f"get {name}")
        assert self._waiting is None or self.reads_within, "in the middle of an access"
        to[:] = self._state.setdefault(name, bytearray(len(to)))
        return 0

    def _set(self, name: str, of: bytearray) -> int:
        self.events.append(f"set {name}")
        assert self._waiting is None, "in the middle of an access"
        self._state[name] = bytearray(of)
        return 0

    def _get_msr(self, request: bytearray) -> int:
        number = unpack_from("<I", request, 8)[0]
        pack_into("<Q", request, 16, self._msrs.get(number, 0))
        return 0 if number == 0xC0000103 else 1  # a CPU without TSC_AUX

    def _set_msr(self, request: bytearray) -> int:
        number, _, value = unpack_from("<IIQ", request, 8)
        self._msrs[number] = value
        return 1

    def _interrupt(self, request: bytearray) -> int:
        vector = unpack_from("<I", request)[0]
        self.injected.append(vector)
        self._state["events"][8:10] = bytes((1, vector))
        return 0

    def _smi(self, _argument: int) -> int:
        self.events.append("smi")
        self._state.setdefault("events", bytearray(64))[25] = 1
        return 0

    # -- running ---------------------------------------------------------------------------------

    def _run(self, argument: int) -> int:
        try:
            return self._enter(argument)
        finally:
            if self.page[288]:  # kvm_valid_regs
                self.page[304:760] = self._state["regs"] + self._state["sregs"]

    def _enter(self, _argument: int) -> int:
        self.events.append("run")
        self.windows.append(bool(self.page[0]))
        if self._waiting is not None:
            self._waiting.take(self.page)
            self._waiting = None
            if self.page[1] and self.script and isinstance(self.script[0], Mmio):
                return self._show()  # the other half of the same instruction
        if self.page[1]:
            raise InterruptedError
        self._state["events"][8] = 0  # what waited there is taken
        if self.inside is not None:
            self._within = True
            self.inside.set()
            while self.leave_when_kicked and not self.page[1]:
                pass
            self._within = False
            if not self.leave_when_kicked:
                assert self.go_on.wait(30)
        return self._show()

    def _show(self) -> int:
        while isinstance(exit_ := self.script.pop(0), Held):
            exit_.put(self.page)
        if isinstance(exit_, Eintr):
            raise InterruptedError
        if isinstance(exit_, OSError):
            raise exit_
        exit_.show(self.page)
        if isinstance(exit_, Mmio | Ports):
            self._waiting = exit_
        self.page[12] = self.page[13] = self.ready
        return 0
