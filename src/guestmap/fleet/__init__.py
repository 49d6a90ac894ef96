"""Many machines, on Dask: inventory, audit, plan, waves; and functions of one's own.

::

    with opened(ClusterSettings()) as client:
        futures = guestmap.fleet.map(count_regions, read_inventory(["hosts.toml"]))
        print(client.gather(futures, errors="skip"))
"""

from guestmap.fleet.cluster import ClusterSettings, TlsFiles, opened
from guestmap.fleet.inventory import FleetInventory, FleetMachine
from guestmap.fleet.look import Patience
from guestmap.fleet.mapping import map  # noqa: A004
from guestmap.fleet.read_inventory import read_inventory

__all__ = [
    "ClusterSettings",
    "FleetInventory",
    "FleetMachine",
    "Patience",
    "TlsFiles",
    "map",
    "opened",
    "read_inventory",
]
