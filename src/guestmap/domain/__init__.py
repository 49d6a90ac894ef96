"""A running machine's memory devices: look, plan, apply, verify; over QMP, with any QEMU.

::

    with open_peer("unix:/run/vm.sock") as peer:
        plan = plan_plug(survey(peer), PlugRequest(size=1 << 30))
        if not plan.is_blocked:
            result = Applier(peer).plug(plan)
"""

from guestmap.domain.agent import AgentSocket, GuestAgent
from guestmap.domain.apply import TIMEOUT_S, Applier
from guestmap.domain.finding import PlanFinding
from guestmap.domain.host import HostMeminfo
from guestmap.domain.listen import Observer, Pace
from guestmap.domain.outcome import MEANINGS, Outcome, Result
from guestmap.domain.peer import Peer, Route, open_peer
from guestmap.domain.plug_plan import Plan, plan_plug, plan_resize
from guestmap.domain.plugged import MemoryDevice, SlotStatus
from guestmap.domain.request import PlugRequest, ResizeRequest, UnplugRequest
from guestmap.domain.situation import Scene, Situation
from guestmap.domain.survey import survey
from guestmap.domain.unplug_plan import plan_unplug
from guestmap.domain.use import AgentUse

__all__ = [
    "MEANINGS",
    "TIMEOUT_S",
    "AgentSocket",
    "AgentUse",
    "Applier",
    "GuestAgent",
    "HostMeminfo",
    "MemoryDevice",
    "Observer",
    "Outcome",
    "Pace",
    "Peer",
    "Plan",
    "PlanFinding",
    "PlugRequest",
    "ResizeRequest",
    "Result",
    "Route",
    "Scene",
    "Situation",
    "SlotStatus",
    "UnplugRequest",
    "open_peer",
    "plan_plug",
    "plan_resize",
    "plan_unplug",
    "survey",
]
