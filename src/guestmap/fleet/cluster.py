"""Where the work is done: a cluster of Dask's of our own, or one that is there.

Of our own: a scheduler and workers on this host, for this run. They listen on loopback alone, talk
TLS with keys that are made for the run and never written to a disk, and serve no page unless asked.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError, HostError

if TYPE_CHECKING:
    from distributed import Client

THREADS = 4
"""Of a worker: most of what it does is to wait for machines."""

_LOOPBACK = "127.0.0.1"
_NOTHING_SERVED: dict[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.nanny.http.routes": [],
}
"""Dask's HTTP servers always listen; of these nobody can ask anything."""
_LITTLE_WATCHED: dict[str, Any] = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.tick.interval": "500ms",
}
"""What its pages show, Dask measures up to a hundred times a second in each process: that is a
twentieth of two cores, and nobody looks."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files: the authority, our certificate, and its key."""

    ca: str
    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Where the work is done.

    Attributes:
        scheduler: ``tls://HOST:PORT`` of one that is there; "": one of our own.
        tls: what to show it, and whom to believe.
        workers: processes of our own; 0: as many as there are CPUs.
        processes: false: threads of this process, which start in a fifth of the time.
        dashboard: serve Dask's pages, on loopback; whoever has an account here can read them.
        connect_s: seconds to wait for a scheduler.
    """

    scheduler: str = ""
    tls: TlsFiles | None = None
    workers: int = 0
    processes: bool = True
    dashboard: bool = False
    connect_s: float = 10.0


@contextmanager
def opened(settings: ClusterSettings) -> Iterator[Client]:
    """Have a client of a cluster for the length of a ``with``; a cluster of our own ends with it.

    Raises:
        ConfigError: Dask is not installed, the scheduler is not asked for over TLS, or a file of
            its keys cannot be read.
        HostError: the scheduler cannot be reached, or the host lets none of our own start.
    """
    try:
        import cryptography  # noqa: F401 -- Dask's own keys need it, and it says so too late
        import distributed  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"a fleet needs {error.name}, which is not installed: pip install 'guestmap[fleet]'"
        ) from error
    with _quiet():
        if settings.scheduler:
            with _theirs(settings) as client:
                yield client
        else:
            with _own(settings) as client:
                yield client


@contextmanager
def _own(settings: ClusterSettings) -> Iterator[Client]:
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    from guestmap.fleet.hasty_worker import HastyWorker

    unseen = {} if settings.dashboard else _NOTHING_SERVED | _LITTLE_WATCHED
    count = settings.workers or os.cpu_count() or 1
    with dask.config.set(unseen):
        try:
            cluster = LocalCluster(
                n_workers=count if settings.processes else 1,
                threads_per_worker=THREADS if settings.processes else THREADS * count,
                processes=settings.processes,
                host=_LOOPBACK,
                protocol="tls://",
                security=Security.temporary(),
                dashboard_address=f"{_LOOPBACK}:0",
                worker_dashboard_address=None,
                worker_class=None if settings.processes else HastyWorker,
                scheduler_kwargs={"dashboard": settings.dashboard},
                silence_logs=logging.CRITICAL,
            )
        except (OSError, RuntimeError) as error:  # Dask makes a RuntimeError of what it met
            raise HostError(
                f"this host does not let workers start ({error}): they need a folder for what is"
                " temporary (TMPDIR) with room in it, processes and sockets",
                call="LocalCluster",
            ) from error
        with cluster, Client(cluster) as client:
            yield client


@contextmanager
def _theirs(settings: ClusterSettings) -> Iterator[Client]:
    from distributed import Client
    from distributed.security import Security

    if not settings.scheduler.startswith("tls://") or settings.tls is None:
        raise ConfigError(
            f"the scheduler {settings.scheduler!r} is asked over TLS or not at all, since it runs"
            " any code for whoever reaches it: write tls://HOST:PORT, and --tls-ca, --tls-cert and"
            " --tls-key"
        )
    for what, path in zip(
        ("--tls-ca", "--tls-cert", "--tls-key"), astuple(settings.tls), strict=True
    ):
        if not os.access(path, os.R_OK):
            raise ConfigError(f"{what} {path!r} cannot be read: it names a PEM file")
    security = Security(
        tls_ca_file=settings.tls.ca,
        tls_client_cert=settings.tls.cert,
        tls_client_key=settings.tls.key,
        require_encryption=True,
    )
    try:
        client = Client(settings.scheduler, security=security, timeout=settings.connect_s)
    except (OSError, TimeoutError) as error:
        raise HostError(
            f"the scheduler {settings.scheduler} cannot be reached ({error})", call="connect"
        ) from error
    with client:
        yield client


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's words about its own end off the terminal (they are many, and say nothing)."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
