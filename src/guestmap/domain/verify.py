"""Holding a machine to its plan after a change, or to what it was where the change was refused.

Each check returns what is wrong, in sentences; nothing wrong is an empty tuple. The map is compared
where the change is: what a running guest does elsewhere meanwhile is its own business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import AddrRange
from guestmap.domain.finding import device_place
from guestmap.inspect.ask.diff import diff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from guestmap.domain.plug_plan import Plan
    from guestmap.domain.plugged import MemoryDevice
    from guestmap.domain.situation import Scene
    from guestmap.inspect.ask.diff import Diff
    from guestmap.inspect.ask.view_diff import RangeChange

Ranges = dict[str, list[tuple[int, int, str, str]]]


def verify_plugged(plan: Plan, after: Scene) -> tuple[str, ...]:
    """Say what is not as the plan to plug said, and is not another's doing."""
    planned = plan.device
    if planned is None or planned.id is None:
        return ("the plan has no device",)
    found = after.situation.device(planned.id)
    if found is None:
        return (f"{planned.id} is not among the memory devices",)
    strangers = _strangers(plan, after)
    taken = {
        "slot": any(each.slot == planned.slot for each in strangers),
        "addr": any(planned.addr < each.end and each.addr < planned.end for each in strangers),
    }
    wrong = [
        f"{name} of {planned.id} is {_plain(actual)}, planned was {_plain(wanted)}"
        for name, actual, wanted in (
            ("addr", found.addr, planned.addr),
            ("size", found.size, planned.size),
            ("slot", found.slot, planned.slot),
            ("node", found.node, planned.node),
            ("backend", found.backend, planned.backend),
        )
        if actual != wanted and not taken.get(name)
    ]
    return tuple(wrong) if taken["addr"] else (*wrong, *_map_as_planned(plan, after))


def others_changes(plan: Plan, after: Scene) -> tuple[str, ...]:
    """Say what others changed meanwhile: it is theirs, and no fault of this plan."""
    own = plan.device.name if plan.device else ""
    there = {_key(each) for each in after.situation.devices}
    gone = [each for each in plan.situation.devices if _key(each) not in there and each.name != own]
    return (
        *(f"somebody else plugged {device_place(each)} meanwhile"
          for each in _strangers(plan, after)),
        *(f"somebody else unplugged {device_place(each)} meanwhile" for each in gone),
    )  # fmt: skip


def _strangers(plan: Plan, after: Scene) -> list[MemoryDevice]:
    """Return the devices that are new and not the plan's."""
    own = plan.device.name if plan.device else ""
    known = {_key(each) for each in plan.situation.devices}
    return [e for e in after.situation.devices if _key(e) not in known and e.name != own]


def _key(device: MemoryDevice) -> tuple[object, ...]:
    """Return what makes a device the same: what a guest has of it moves by itself."""
    return device.name, device.kind, device.addr, device.size, device.slot, device.backend


def verify_removed(plan: Plan, after: Scene) -> tuple[str, ...]:
    """Say what is not as the plan to unplug said."""
    device = plan.device
    if device is None or not device.name:
        return ("the plan has no device",)
    wrong = []
    if (found := after.situation.device(device.name)) is not None:
        wrong.append(f"{device_place(found)} is still there")
    if plan.backend is not None and plan.backend in after.situation.object_names:
        wrong.append(f"the backend {plan.backend!r} is still there: its memory is still taken")
    return (*wrong, *_map_as_planned(plan, after))


def verify_unchanged(
    before: Scene, after: Scene, made: Iterable[str] = (), own: str | None = None
) -> tuple[str, ...]:
    """Say what is not as it was before a change that was refused or taken back.

    Args:
        before: the machine as it was.
        after: the machine as it is.
        made: ids of what was made and taken back; what others made meanwhile is theirs.
        own: the device that the change was about; others that are gone, somebody else unplugged
            (:func:`others_changes`). None: nobody else is known of.
    """
    was, now = before.situation, after.situation
    there = {_key(each) for each in now.devices}
    gone = [e for e in was.devices if _key(e) not in there and (own is None or e.name == own)]
    wrong = [f"{device_place(each)} is gone" for each in gone]
    for name in made:
        if name in now.device_names - was.device_names:
            wrong.append(f"the device {name!r} is left behind")
        if name in now.object_names - was.object_names:
            wrong.append(f"the backend {name!r} is left behind: its memory is still taken")
    window = was.window
    if window is not None and {_key(each) for each in was.devices} == there:
        told = diff(before.map, after.map)
        changed = _ranges(told, lambda change: window.intersects(_place(change)))
        wrong += [f"the device memory as {space} sees it changed" for space in changed]
    return tuple(wrong)


def _map_as_planned(plan: Plan, after: Scene) -> tuple[str, ...]:
    if plan.map_change is None or plan.device is None:
        return ()
    name = plan.device.backend
    told = diff(plan.scene.map, after.map)

    def concerns(change: RangeChange) -> bool:
        return any(shows is not None and shows.name == name for shows in
                   (change.before, change.after))  # fmt: skip

    wanted, actual = _ranges(plan.map_change, concerns), _ranges(told, concerns)
    return tuple(
        f"the map of {space} changed at {_spans(actual.get(space))}, planned was"
        f" {_spans(wanted.get(space))}"
        for space in sorted(wanted)
        if wanted.get(space) != actual.get(space)
    )


def _ranges(told: Diff, concerns: Callable[[RangeChange], bool]) -> Ranges:
    found: Ranges = {}
    for view in told.views:
        ranges = [
            (r.start, r.end, r.before.name if r.before else "", r.after.name if r.after else "")
            for r in view.ranges
            if concerns(r)
        ]
        for space in view.spaces if ranges else ():
            found.setdefault(space, []).extend(ranges)
    return found


def _place(change: RangeChange) -> AddrRange:
    return AddrRange(change.start, change.end - change.start)


def _spans(ranges: list[tuple[int, int, str, str]] | None) -> str:
    return ", ".join(f"{start:x}-{end - 1:x}" for start, end, *_ in ranges or ()) or "no place"


def _plain(value: object) -> str:
    return f"{value:#x}" if isinstance(value, int) else str(value)
