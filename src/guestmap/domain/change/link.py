"""A machine that runs, held by its monitor for the time of one change."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from guestmap.base import KIB, PeerError
from guestmap.domain.process.wire import Wire
from guestmap.domain.replies import MemoryDeviceInfo, Named
from guestmap.domain.rules.errors import DomainError, Speaker, refusal
from guestmap.domain.rules.texts import LibvirtDialect, text_of
from guestmap.domain.xml.edit import with_device, with_devices, without_alias
from guestmap.domain.xml.memory import SLOTTED, DimmAddress
from guestmap.qmp.client import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.domain.store.status import Status
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef

PERIPHERAL = "/machine/peripheral"
GREETING_S = 10.0


class Link:
    """Asks and changes a machine, in libvirt's order and words.

    Args:
        wire: its monitor.
        status: what is known of it; kept up to date by who changes it.
    """

    def __init__(self, wire: Wire, status: Status) -> None:
        self.wire = wire
        self.status = status
        self._known: tuple[Definition, MemoryDef | str, Definition] | None = None

    def do(self, command: str, **arguments: Any) -> object:
        """Execute a command; ``_`` in an argument means ``-``.

        Raises:
            DomainError: QEMU refuses, in libvirt's words.
            PeerError: the machine does not answer.
        """
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        return self.send(command, named)

    def send(
        self,
        command: str,
        arguments: dict[str, Any],
        meanwhile: Callable[[], object] = lambda: None,
    ) -> object:
        """Execute a command, arguments as they go over the wire; raises as :meth:`do`.

        Args:
            command: which.
            arguments: of it.
            meanwhile: worked out while the machine is at it. What cannot be is told by whoever
                asks for it afterwards.
        """

        def work() -> None:
            with suppress(DomainError):
                meanwhile()

        try:
            return self.wire.execute(command, arguments, work)
        except CommandError as error:
            raise qemu_refusal(self.status, command, str(error), error.kind) from error

    def memory_devices(self) -> list[MemoryDeviceInfo]:
        """Return the memory devices that QEMU has."""
        told = self.do("query-memory-devices")
        found: list[MemoryDeviceInfo] = _as(told, list[MemoryDeviceInfo], "query-memory-devices")
        return found

    def aliases(self) -> tuple[str, ...]:
        """Return the names of the devices that QEMU has, in its order."""
        return _names(self.do("qom-list", path=PERIPHERAL))

    def look(self) -> tuple[list[MemoryDeviceInfo], tuple[str, ...]]:
        """Return what :meth:`memory_devices` and :meth:`aliases` do, for one wait."""
        try:
            devices, names = self.wire.execute_all(
                [("query-memory-devices", {}), ("qom-list", {"path": PERIPHERAL})]
            )
        except CommandError as error:
            told = qemu_refusal(self.status, "query-memory-devices", str(error), error.kind)
            raise told from error
        return _as(devices, list[MemoryDeviceInfo], "query-memory-devices"), _names(names)

    def adopt(self, device: MemoryDef) -> None:
        """Take a device that was plugged just now into what is known of the machine."""
        devices, names = self.look()
        said = next((d for d in devices if d.data.id == device.alias), None)
        found = self.status.definition
        now = device if said is None else _placed(device, said, found.dialect)
        self.status = replace(self.status, definition=self.having(now), aliases=names)

    def having(self, device: MemoryDef) -> Definition:
        """Return the machine's definition with a device more; worked out once."""
        return self._changed(device, lambda found: with_device(found, device, live=True))

    def lacking(self, alias: str) -> Definition:
        """Return the machine's definition without the device of a name; worked out once."""
        return self._changed(alias, lambda found: without_alias(found, alias))

    def _changed(
        self, what: MemoryDef | str, change: Callable[[Definition], Definition]
    ) -> Definition:
        found, known = self.status.definition, self._known
        if known is None or known[0] is not found or known[1] != what:
            self._known = known = (found, what, change(found))
        return known[2]

    def refresh(self) -> Status:
        """Take slots, addresses and names from the machine, as it has the last word."""
        devices, names = self.look()
        told = {each.data.id: each for each in devices}
        found = self.status.definition
        changed = {}
        for index, device in enumerate(found.devices):
            said = told.get(device.alias)
            if said is not None and (now := _placed(device, said, found.dialect)) != device:
                changed[index] = now
        self.status = replace(
            self.status,
            definition=with_devices(found, changed, live=True),
            aliases=names,
        )
        return self.status


def _names(told: object) -> tuple[str, ...]:
    found: list[Named] = _as(told, list[Named], "qom-list")
    return tuple(each.name for each in found if each.type.startswith("child<"))


def _placed(device: MemoryDef, told: MemoryDeviceInfo, dialect: LibvirtDialect) -> MemoryDef:
    data = told.data
    if device.model in SLOTTED:
        slot = device.slot if data.slot is None else data.slot
        if slot is None:
            return device
        return replace(device, address=DimmAddress(slot, data.addr))
    current = None if data.max_size == 0 else -(-data.size // KIB)
    base = data.memaddr if dialect is LibvirtDialect.V12 else None
    return replace(device, base=base, current=current)


@contextmanager
def linked(status: Status) -> Iterator[Link]:
    """Hold a machine's monitor for the time of a ``with``; its first command waits for it.

    Raises:
        HostError, PeerError: it does not answer.
    """
    wire = Wire(status.monitor, greeting_s=GREETING_S)
    try:
        yield Link(wire, status)
    finally:
        wire.close()


def held(status: Status | None) -> AbstractContextManager[Link | None]:
    """Hold a machine's monitor as :func:`linked` does; give None where there is no machine."""
    return nullcontext() if status is None else linked(status)


def qemu_refusal(status: Status, command: str, said: str, kind: str) -> DomainError:
    """Return QEMU's refusal of a command as libvirt tells it."""
    dialect = status.definition.dialect
    text = text_of(dialect, "qemu")
    error = refusal(dialect, "qemu", command=command, said=said)
    told = DomainError(
        text.code, error.text.removeprefix("internal error: "), domain=text.domain,
        speaker=Speaker.QEMU,
    )  # fmt: skip
    told.add_note(kind)
    return told


def _as(value: object, shape: Any, what: str) -> Any:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise PeerError(f"what {what} returned is not what QMP promises: {error}") from error
