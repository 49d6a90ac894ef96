"""What the verbs of ``guestmap domain`` print with ``--json``: the shapes of their schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from guestmap.cli.forms import Error
from guestmap.domain.manager import Info, Listed
from guestmap.domain.plans.domain_plan import DomainPlan
from guestmap.domain.plans.verification import Verified


@dataclass(frozen=True)
class DefinitionKept:
    """Whether a definition is stored now."""

    domain: str
    defined: bool


@dataclass(frozen=True)
class DefinitionEdited:
    """Whether a definition is another one than before."""

    domain: str
    edited: bool


@dataclass(frozen=True)
class DefinitionText:
    """A definition; ``inactive``: the stored one."""

    domain: str
    inactive: bool
    xml: str


@dataclass(frozen=True)
class DomainList:
    """The domains."""

    domains: list[Listed]


@dataclass(frozen=True)
class MachineStarted:
    """A machine that runs; ``notes``: what of its definition it has not."""

    domain: str
    id: int
    state: str
    pid: int
    qmp: str
    notes: list[str]


@dataclass(frozen=True)
class MachineEnded:
    """A machine that ended."""

    domain: str
    state: str


@dataclass(frozen=True)
class ShutdownAsked:
    """A guest that was asked to shut down."""

    domain: str
    asked: bool


@dataclass(frozen=True)
class ResetDone:
    """A machine that was reset."""

    domain: str
    reset: bool


@dataclass(frozen=True)
class AttachedDevice:
    """A memory device; ``base`` is its guest-physical address, where that is known."""

    model: str
    alias: str | None
    size_kib: int
    node: int | None
    slot: int | None
    base: int | None


@dataclass(frozen=True)
class DeviceAttached:
    """A device that was attached."""

    domain: str
    attached: bool
    device: AttachedDevice


@dataclass(frozen=True)
class DeviceDetached:
    """A device that was detached, or that the guest was asked for and has not given back yet."""

    domain: str
    detached: bool
    alias: str


@dataclass(frozen=True)
class DeviceUpdated:
    """A device that was updated."""

    domain: str
    updated: bool


@dataclass(frozen=True)
class SizeRequested:
    """The KiB that are requested of a device."""

    domain: str
    requested: int


@dataclass(frozen=True)
class SizeForeseen:
    """The device as it would be if so many KiB were requested."""

    domain: str
    requested: int
    xml: str


@dataclass(frozen=True)
class MemoryAsked:
    """The KiB that the guest was asked to have."""

    domain: str
    memory: int


@dataclass(frozen=True)
class EventTold:
    """An event; ``at`` is in seconds since 1970; what else is known depends on the event."""

    event: str
    domain: str
    at: float
    detail: str
    verb: str = ""
    pid: int = 0
    reason: str = ""
    updated: bool = False
    by: str = ""
    said: str = ""
    size: int | None = None


@dataclass(frozen=True)
class EventKinds:
    """The kinds of events that are told."""

    kinds: list[str]


@dataclass(frozen=True)
class PlanApplied:
    """A plan of attaching a device that was carried out."""

    domain: str
    applied: bool
    alias: str | None


@dataclass(frozen=True)
class MemoryVerified:
    """What is so of a domain's memory."""

    domain: str
    exit_status: int
    devices: list[Verified] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LibvirtRefusal:
    """A refusal in libvirt's terms; ``speaker`` is who refuses, ``line`` where in the document."""

    code: int
    domain: int
    message: str
    speaker: str
    remedy: str
    element: str | None
    line: int | None


@dataclass(frozen=True)
class DomainVerbError(Error):
    """Why a verb did nothing; ``refusal`` where a rule, QEMU or the guest refused."""

    refusal: LibvirtRefusal | None = None


VERB_FORMS: Final[Mapping[str, tuple[type[Any], ...]]] = MappingProxyType({
    "define": (DefinitionKept,),
    "undefine": (DefinitionKept,),
    "dumpxml": (DefinitionText,),
    "edit": (DefinitionEdited,),
    "list": (DomainList,),
    "dominfo": (Info,),
    "start": (MachineStarted,),
    "destroy": (MachineEnded,),
    "shutdown": (ShutdownAsked,),
    "reset": (ResetDone,),
    "attach-device": (DeviceAttached,),
    "detach-device": (DeviceDetached,),
    "detach-device-alias": (DeviceDetached,),
    "update-device": (DeviceUpdated,),
    "update-memory-device": (SizeRequested, SizeForeseen),
    "setmem": (MemoryAsked,),
    "event": (EventTold, EventKinds),
    "plan": (DomainPlan,),
    "apply": (PlanApplied, DeviceDetached),
    "verify": (MemoryVerified,),
})  # fmt: skip
"""By verb; each may print an error instead."""
