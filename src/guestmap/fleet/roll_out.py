"""Carrying a plan out over a fleet, wave by wave.

What is known of machines that ended saves asking again; the truth is each machine's own lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from guestmap.base import StateError
from guestmap.fleet.applied import FINAL, AppliedMachine, Ending
from guestmap.fleet.apply_work import ApplyOrder, apply_all, undo_all
from guestmap.fleet.audit import is_local
from guestmap.fleet.fleet_plan import FleetPlan
from guestmap.fleet.inventory import FleetInventory, FleetMachine
from guestmap.fleet.progress import Progress
from guestmap.fleet.stream import Job, Lost, Stream
from guestmap.fleet.waves import WavePolicy

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S = 60.0


class RollOut:
    """A plan on its way over a fleet.

    Args:
        client: of the cluster that does it.
        plan: what is done.
        progress: beside the plan's file.
        told: an inventory with the sources that no plan may have.
        guest_s: seconds that each guest has.
        per_host: machines of one host at a time.
        everywhere: see :class:`guestmap.fleet.stream.Stream`.
    """

    def __init__(
        self,
        client: Client,
        plan: FleetPlan,
        progress: Progress,
        *,
        told: FleetInventory | None = None,
        guest_s: float = 10.0,
        per_host: int = 4,
        everywhere: bool = True,
    ) -> None:
        self._client = client
        self._progress = progress
        self._per_host = per_host
        self._everywhere = everywhere
        self.machines = plan.inventory(told).machines
        self._order = ApplyOrder(
            plan.id,
            plan.device,
            plan.size,
            plan.node,
            {each.machine: each.run for each in plan.fitting()},
            guest_s,
        )
        self.failures = 0
        self.is_paused = False

    def apply(self, policy: WavePolicy, *, resume: bool = False) -> Iterator[AppliedMachine]:
        """Yield what becomes of each machine that is gone to, as it comes.

        First those are told again that a run before left without success, and for good.

        Args:
            policy: in which waves.
            resume: go on with a plan that was begun: machines that have it are left alone, and what
                was open is settled.

        Raises:
            StateError: it was begun before, and is not to be resumed.
            HostError: what becomes of it cannot be noted.
        """
        if self._progress.is_begun and not resume:
            raise StateError(
                f"this plan was begun before ({self._progress.path}): --resume goes on with it, and"
                " guestmap fleet undo takes it back"
            )
        self._progress.begin()
        ended = self._progress.ended
        left = [
            m for m in self.machines if m.name not in ended or ended[m.name].ending not in FINAL
        ]
        for each in self.machines:
            if (one := ended.get(each.name)) and one.ending in FINAL and not one.is_good:
                yield msgspec.structs.replace(one, earlier=True)
        for wave in policy.waves(left):
            yield from self._wave(apply_all, wave, policy.pause_after)
            if self.is_paused:
                return

    def undo(self) -> Iterator[AppliedMachine]:
        """Yield each machine from which what this plan put in was taken out again, or was not."""
        yield from self._wave(undo_all, self.machines, 0)

    def _wave(
        self,
        function: Callable[..., list[bytes]],
        machines: Sequence[FleetMachine],
        pause_after: int,
    ) -> Iterator[AppliedMachine]:
        stream = Stream(
            self._client,
            function,
            self._order,
            per_host=self._per_host,
            everywhere=self._everywhere,
            ahead=1,  # one that waits at a worker would be begun after a pause
        )
        for job, told in stream.run(self._jobs(machines)):
            one = self._ended(job, told)
            self._progress.add(one)
            self.failures += not one.is_good
            if pause_after and self.failures >= pause_after:
                self.is_paused = True
                stream.stop()
            yield one

    def _jobs(self, machines: Sequence[FleetMachine]) -> Iterator[Job]:
        for each in machines:
            limit = 2 * self._order.guest_s + _CONNECT_S
            yield Job((each,), each.host, limit, is_local=is_local(each))

    def _ended(self, job: Job, told: list[bytes] | Lost) -> AppliedMachine:
        if isinstance(told, Lost):
            (machine,) = job.machines
            ending: Ending = "open" if told.was_sent else "failed"
            return AppliedMachine(machine.name, machine.host, ending, error=told.reason)
        return msgspec.json.decode(told[0], type=AppliedMachine)
