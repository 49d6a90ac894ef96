"""Many machines, on Dask: inventory, audit, plan, waves."""
