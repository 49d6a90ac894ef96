"""The root ports of q35: as many as its PCI functions want, where and as libvirt makes them.

On q35 a function goes behind a port of its own. libvirt makes the ports that are lacking, one more
for what is plugged later where the definition names none, and gathers them in the functions of as
few slots as they need.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from guestmap.domain.rules.assign import is_express, root_ports
from guestmap.domain.rules.errors import DomainError, Speaker
from guestmap.domain.rules.texts import CONFIG_UNSUPPORTED, LibvirtDialect
from guestmap.domain.xml.edit import with_content
from guestmap.domain.xml.memory import PciAddress
from guestmap.domain.xml.numbers import whole
from guestmap.domain.xml.write import address_xml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.tree import Element

_MOST_BUSES = 256
_FUNCTIONS = 8
_ROOT_COMPLEX = frozenset({0, 31})
"""Slots of bus 0 that are the chipset's own (hw/pci-host/q35.c, hw/isa/lpc_ich9.c)."""


class RootPort(NamedTuple):
    """A root port as QEMU takes it; ``bus`` is the number of that behind it."""

    bus: int
    port: int
    chassis: int
    address: PciAddress
    is_multifunction: bool


def ports_of(found: Definition) -> Iterator[RootPort]:
    """Yield the root ports of a definition in which each has its place."""
    for index, element in root_ports(found):
        place, target = own_address(element), element.find("target")
        assert place is not None
        port, chassis = _number(place), index
        if target is not None:
            port = whole(target.get("port"), port)
            chassis = whole(target.get("chassis"), chassis)
        address = _pci_address(element)
        shared = address is not None and address.get("multifunction") == "on"
        yield RootPort(index, port, chassis, place, shared)


def with_ports(found: Definition, wanting: int) -> Definition:
    """Return a definition with a root port, and its place, for each PCI function of a q35.

    Args:
        found: the definition.
        wanting: how many functions have no place.

    Raises:
        DomainError: there is no room for so many, or one is where none can be.
    """
    given = _given(found)
    if not is_express(found):
        return found
    lacking = _lacking(found, given, wanting)
    order = [*sorted(given), *lacking]
    if found.dialect is LibvirtDialect.V12:
        order.sort()
    places = _places(found, given, order)
    together = [each.slot for each in places.values()]
    content, instead = [], []
    for index, place in places.items():
        shared = place.function == 0 and together.count(place.slot) > 1
        lines = [
            "<model name='pcie-root-port'/>",
            f"<target chassis='{index}' port='{_number(place):#x}'/>",
            address_xml(place, shared=shared),
        ]
        element = given.get(index)
        if element is None:
            body = "".join(f"  {line}\n" for line in lines)
            whole_one = f"<controller type='pci' index='{index}' model='pcie-root-port'>\n{body}"
            content.append((_devices(found), f"{whole_one}</controller>\n"))
            continue
        address = _pci_address(element)
        known = {each.name for each in element.children} - {"address"}
        if address is not None:
            known.add("address")
            if shared and address.get("multifunction") is None:
                instead.append((address, lines[-1]))
        missing = [each for each in lines if each[1 : each.index(" ")] not in known]
        if missing:
            content.append((element, "\n".join(missing) + "\n"))
    return with_content(found, content, instead)


def own_address(device: Element) -> PciAddress | None:
    """Return where a device says that it is on PCI; None where it does not."""
    address = _pci_address(device)
    if address is None:
        return None
    bus, slot, function = (whole(address.get(name)) for name in ("bus", "slot", "function"))
    return PciAddress(bus, slot, function)


def _pci_address(device: Element) -> Element | None:
    return next((each for each in device.every("address") if each.get("type") == "pci"), None)


def _given(found: Definition) -> dict[int, Element]:
    """Return the root ports that a definition names, by the bus behind each."""
    given: dict[int, Element] = {}
    for index, element in root_ports(found):
        if not index or index in given:
            what = "is the machine's own" if not index else "is there twice"
            raise _refused(found, f"the PCI controller with index='{index}' {what}", element)
        if not is_express(found):
            raise _refused(found, f"{found.machine or 'this machine'} takes no root port", element)
        given[index] = element
    return given


def _lacking(found: Definition, given: Collection[int], wanting: int) -> list[int]:
    """Return the numbers of the buses that are to be made: none below the last is left out."""
    known = [each for each in found.root.every("devices/controller") if each.get("type") == "pci"]
    others = {whole(each.get("index")) for each in known} - set(given)
    used = {
        whole(each.get("bus"))
        for each in found.root.every("devices/*/address")
        if each.get("type") == "pci"
    } - {0}
    top = max([0, *given, *others, *used])
    if top >= _MOST_BUSES:
        raise _refused(found, f"there is no PCI bus {top}")
    buses = set(range(1, top + 1)) - others
    spare = 0 if given or others - {0} or not (used or wanting) else 1
    for number in count(top + 1):
        if len(buses - used) >= wanting + spare:
            break
        buses.add(number)
    return sorted(buses - set(given))


def _places(
    found: Definition, given: dict[int, Element], order: list[int]
) -> dict[int, PciAddress]:
    """Return where each port is, or goes: the lowest function of a slot that only ports share."""
    places = {index: place for index, element in given.items()
              if (place := own_address(element)) is not None}  # fmt: skip
    ports = set(map(id, given.values()))
    closed = _ROOT_COMPLEX | {
        place.slot
        for each in found.root.every("devices/*")
        if id(each) not in ports and (place := own_address(each)) is not None and place.bus == 0
    }
    taken = {(each.slot, each.function) for each in places.values() if each.bus == 0}
    free = (
        (slot, function)
        for slot in range(1, 32)
        if slot not in closed
        for function in range(_FUNCTIONS)
        if (slot, function) not in taken
    )
    for index in order:
        if index not in places:
            spot = next(free, None)
            if spot is None:
                raise _refused(found, "no place on PCI bus 0 is left for a root port")
            places[index] = PciAddress(0, *spot)
    return {index: places[index] for index in order}


def _number(place: PciAddress) -> int:
    """Return the number of a port, as libvirt gives it."""
    return place.slot << 3 | place.function


def _devices(found: Definition) -> Element:
    devices = found.root.find("devices")
    assert devices is not None  # a domain without is none
    return devices


def _refused(found: Definition, text: str, at: Element | None = None) -> DomainError:
    remedy = "leave some device out" if at is None else "leave it out: q35 gets the ports it needs"
    return DomainError(CONFIG_UNSUPPORTED, text, domain=10, speaker=Speaker.OURS, remedy=remedy,
                       at=at or _devices(found))  # fmt: skip
