"""A worker in a thread of ours that ends with its cluster, whoever it waits for."""

from __future__ import annotations

from distributed import Worker


class HastyWorker(Worker):  # type: ignore[misc]
    """Does not wait for what its threads do: a machine that is silent would hold up Ctrl-C."""

    async def close(
        self,
        timeout: float = 30,
        executor_wait: bool = True,
        nanny: bool = True,
        reason: str = "worker-close",
    ) -> str | None:
        """Close, as Dask's own does, but for the wait."""
        del executor_wait
        told: str | None = await super().close(
            timeout=timeout, executor_wait=False, nanny=nanny, reason=reason
        )
        return told
