"""A function of one's own over every map of a fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from guestmap.base import StateError
from guestmap.fleet.inventory import FleetMachine
from guestmap.fleet.look import Failure, Patience, tried
from guestmap.fleet.secrets import redacted
from guestmap.inspect import Snapshot
from guestmap.inspect.sources.open import load_snapshot

if TYPE_CHECKING:
    from distributed import Client, Future


def map(  # noqa: A001 -- what Dask and Python call it
    function: Callable[[Snapshot], Any],
    inventory: Iterable[FleetMachine],
    *,
    client: Client | None = None,
    patience: Patience | None = None,
) -> list[Future]:
    """Return a future of ``function(snapshot)`` for each machine, in the inventory's order.

    Each is Dask's own: gather them, or go on with them (``client.submit``, ``as_completed``). A
    machine that cannot be looked at is a future that raises :class:`guestmap.base.StateError`,
    which says how; so does one whose function raises. What the function returns is pickled, and
    so is the function (cloudpickle): it may hold no socket.

    Args:
        function: of a :class:`guestmap.inspect.Snapshot`.
        inventory: machines, as ``read_inventory`` returns them.
        client: Dask's; None: the one that is open.
        patience: how long a machine is tried.

    Raises:
        StateError: no client is open.
    """
    from distributed import default_client

    try:
        running = client or default_client()
    except ValueError as error:
        message = "no client of Dask is open: with guestmap.fleet.opened(ClusterSettings()):"
        raise StateError(message) from error
    work = partial(_work, function, patience or Patience())
    machines = list(inventory)
    keys = [f"fleet-{uuid4().hex}" for _ in machines]
    futures: list[Future] = running.map(work, machines, key=keys, retries=0)
    return futures


def _work(function: Callable[[Snapshot], Any], patience: Patience, machine: FleetMachine) -> Any:
    """Do it, in a worker; no error leaves with a password in it."""
    told = tried(machine, patience, lambda: load_snapshot(machine.source))
    if isinstance(told, Failure):
        raise StateError(f"{machine.name}: {told.state}: {told.error}")
    try:
        return function(told[0])
    except Exception as error:  # noqa: BLE001 -- it may be of any kind, and is told
        what = redacted(f"{machine.name}: {type(error).__name__}: {error}")
        raise StateError(what) from None
