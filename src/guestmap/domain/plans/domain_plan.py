"""What attaching or detaching a device will do: to both definitions, in QMP, and to the map.

A plan is a document of its own. It remembers what it was made on; whether that is still so is asked
by :mod:`guestmap.domain.plans.fitting`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from guestmap.base import KIB, ConfigError
from guestmap.domain.change.attach_plan import obstacles, plan_attach, read_device, rooms_for
from guestmap.domain.change.detach import plan_detach
from guestmap.domain.peer import Peer, Route
from guestmap.domain.plans.parts import (
    attach_commands,
    changes,
    detach_commands,
    devices_in,
    made_on,
)
from guestmap.domain.plug_plan import plan_plug
from guestmap.domain.predict import predicted, with_dimm, without_dimm
from guestmap.domain.process.wire import Wire
from guestmap.domain.rules.assign import backend_name
from guestmap.domain.rules.errors import DomainError, Speaker
from guestmap.domain.rules.room import remedy_of, request_of
from guestmap.domain.survey import survey
from guestmap.domain.xml.edit import with_device, without_alias
from guestmap.domain.xml.memory import SLOTTED, VIRTIO_MEM

if TYPE_CHECKING:
    from guestmap.domain.change.targets import Targets
    from guestmap.domain.manager import Manager
    from guestmap.domain.situation import Scene
    from guestmap.domain.store.status import Status
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef
    from guestmap.inspect import Snapshot

FORMAT = "guestmap.domain-plan"
_MOST = 16 << 20
Verb = Literal["attach", "detach"]


class DomainPlan(msgspec.Struct, frozen=True):
    """What will happen.

    Attributes:
        domain: whose.
        verb: ``attach`` or ``detach``.
        document: the device, as it was given.
        live, config: which definitions change. force: even where the guest gets nothing of it.
        blockers: all that is in the way, as refusals in JSON form.
        cautions: what will spoil it, in sentences.
        changes: lines that come and go, of the definition in force and of the stored one.
        commands: what will be sent.
        made_on: what it was made on: digests of both definitions, and which process.
        devices: the memory devices of both definitions then, in words.
        map_change: what changes in the map, in sentences.
    """

    domain: str
    verb: Verb
    document: str
    live: bool
    config: bool
    force: bool = False
    blockers: tuple[dict[str, Any], ...] = ()
    cautions: tuple[str, ...] = ()
    changes: dict[str, tuple[str, ...]] = {}
    commands: tuple[dict[str, Any], ...] = ()
    made_on: dict[str, str] = {}
    devices: dict[str, tuple[str, ...]] = {}
    map_change: tuple[str, ...] = ()
    format: str = FORMAT
    format_version: int = 1

    @property
    def is_blocked(self) -> bool:
        """Whether it would be refused."""
        return bool(self.blockers)


@dataclass(frozen=True)
class Pictured:
    """A plan, with the machine's map before and after for a picture; None without a machine."""

    plan: DomainPlan
    before: Snapshot | None = None
    after: Snapshot | None = None


def plan_of(
    manager: Manager,
    name: str,
    document: bytes,
    targets: Targets,
    *,
    verb: Verb = "attach",
    force: bool = False,
) -> Pictured:
    """Return what will happen; nothing is changed, and no job is waited for.

    Raises:
        DomainError: there is no such domain, or the document is no device.
        HostError, PeerError: the machine does not answer.
    """
    store = manager.store
    stored, running = store.known(name)
    to = targets.effective(stored, running, store.dialect)
    machine, definition = running if to.live else None, stored if to.config else None
    wanted = read_device(document, store.dialect, is_new=verb == "attach")
    draft = DomainPlan(
        name, verb, document.decode(), to.live, to.config, force,
        made_on=made_on(stored, running), devices=devices_in(stored, running),
    )  # fmt: skip
    if verb == "detach":
        return _detaching(draft, definition, machine, wanted)
    return _attaching(draft, definition, machine, wanted)


def read_plan(data: bytes) -> DomainPlan:
    """Return a plan that was saved.

    Raises:
        ConfigError: it is none.
    """
    try:
        found = msgspec.json.decode(data[:_MOST], type=DomainPlan)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"this is no plan (guestmap domain plan --json): {error}") from error
    if (found.format, found.format_version) != (FORMAT, 1):
        raise ConfigError(f"this is no plan of this version, but {found.format!r}")
    return found


def _attaching(
    draft: DomainPlan,
    stored: Definition | None,
    running: Status | None,
    wanted: MemoryDef,
) -> Pictured:
    found = obstacles(*rooms_for(stored, running, wanted), force=draft.force)
    scene = None if running is None else look(running)
    if found:
        cautions = () if scene is None else _said_of(scene, wanted)[1]
        refused = tuple(each.to_json() for each in found)
        return Pictured(_with(draft, blockers=refused, cautions=cautions))
    todo = plan_attach(stored, running, wanted, force=draft.force)
    cautions = ()
    if scene is not None and todo.live is not None:
        refused, cautions = _said_of(scene, todo.live)
        if refused:
            return Pictured(_with(draft, blockers=refused, cautions=cautions))
    live = None
    if running is not None and todo.live is not None:
        live = with_device(running.definition, todo.live, live=True)
    plan = _with(
        draft,
        cautions=cautions,
        changes=changes(stored, todo.config, running, live),
        commands=attach_commands(todo),
    )
    if scene is None or todo.live is None:
        return Pictured(plan)
    return _pictured(plan, scene, _plugged(scene, todo.live))


def _said_of(scene: Scene, device: MemoryDef) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """Return what QEMU, as it is now, would refuse of a device, and what would spoil it."""
    if device.model not in {*SLOTTED, VIRTIO_MEM}:
        return (), ()
    asked = plan_plug(scene, replace(request_of(device), id=device.alias))
    refused: tuple[dict[str, Any], ...] = tuple(
        {"speaker": str(Speaker.QEMU), "message": each.text, "remedy": remedy_of(each), "code": 1}
        for each in asked.blockers
    )
    return refused, tuple(f"{each.text}; {remedy_of(each)}" for each in asked.cautions)


def _detaching(
    draft: DomainPlan, stored: Definition | None, running: Status | None, wanted: MemoryDef
) -> Pictured:
    try:
        todo = plan_detach(stored, running, wanted)
    except DomainError as error:
        return Pictured(_with(draft, blockers=(error.to_json(),)))
    live = None
    if running is not None and todo.live is not None:
        live = without_alias(running.definition, todo.live.alias or "")
    plan = _with(
        draft,
        changes=changes(stored, todo.config, running, live),
        commands=detach_commands(todo),
    )
    if running is None or todo.live is None:
        return Pictured(plan)
    scene = look(running)
    device = scene.situation.device(todo.live.alias or "")
    after = scene.map if device is None else without_dimm(scene.map, device)
    return _pictured(plan, scene, after)


def look(running: Status) -> Scene:
    """Ask a machine what it has, at its monitor for questions.

    Raises:
        HostError, PeerError: it does not answer.
    """
    with Peer(Wire(running.look, greeting_s=10.0), Route()) as peer:
        return survey(peer)


def _plugged(scene: Scene, device: MemoryDef) -> Snapshot:
    place = device.place
    if place is None:
        request = request_of(device)
        asked = plan_plug(scene, request).device
        place = None if asked is None else asked.addr
    if place is None:
        return scene.map
    return with_dimm(scene.map, backend_name(device), place, device.size * KIB)


def _pictured(plan: DomainPlan, scene: Scene, after: Snapshot) -> Pictured:
    from guestmap.inspect.ask.diff_sentences import diff_sentences

    change = predicted(scene.map, after)
    lines = () if change.is_empty else tuple(diff_sentences(change))
    return Pictured(_with(plan, map_change=lines), scene.map, after)


def _with(plan: DomainPlan, **changes: Any) -> DomainPlan:
    return msgspec.structs.replace(plan, **changes)
