"""Reading an inventory: files, folders of dumps, libvirt's domains, a Kubernetes list.

=======================  ==========================================================================
``FILE.toml``            ``[[machine]]`` tables with ``name``, ``source``, ``host``, ``labels``;
                         ``[[libvirt]]`` tables with ``uri``, ``host``, ``labels``: all domains that
                         run there
``FILE.yaml``            the same: lists ``machine`` and ``libvirt``; or a Kubernetes list
``libvirt:``             all running domains of libvirt's default; ``libvirt+URI:`` of that URI
FOLDER                   of dumps: each file or folder in it is a machine
``-``                    standard input: a list as ``kubectl get vmi -A -o json`` prints it
any other SOURCE         one machine
=======================  ==========================================================================
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from guestmap.base import ConfigError, HostError
from guestmap.fleet.inventory import FleetInventory, FleetMachine
from guestmap.fleet.kubernetes import is_kubernetes_list, machines_of_list
from guestmap.fleet.libvirt_hosts import running_domains
from guestmap.fleet.secrets import redacted
from guestmap.fleet.side_by_side import side_by_side

LARGEST = 64 << 20
"""Bytes of an inventory."""
LISTED_AT_A_TIME = 16
"""Libvirts: each may be a host that is down, and cost its whole patience."""

_SUFFIXES = {".toml", ".yaml", ".yml", ".json"}


class LibvirtHost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A libvirt whose running domains belong to the fleet."""

    uri: str
    host: str = ""
    labels: dict[str, str] = {}


class InventoryMachine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A machine as an inventory's file names it; without a name its source, as shown, is one."""

    source: Annotated[str, msgspec.Meta(min_length=1)]
    name: str = ""
    host: str = ""
    labels: dict[str, str] = {}


class InventoryFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an inventory's file may hold."""

    machine: tuple[InventoryMachine, ...] = ()
    libvirt: tuple[LibvirtHost, ...] = ()


DomainLister = Callable[[str | None], list[str]]


def read_inventory(
    words: Iterable[str],
    *,
    source_of: str = "",
    stdin: Callable[[], bytes] | None = None,
    domains: DomainLister = running_domains,
) -> FleetInventory:
    """Return the machines that these words name; see the table above.

    Args:
        words: files, folders, URIs, sources, ``-``.
        source_of: for a Kubernetes list: what names a machine, with ``{name}``, ``{namespace}`` and
            ``{host}`` in it.
        stdin: reads standard input; None: the process' own.
        domains: lists the running domains of a libvirt URI.

    Raises:
        ConfigError: a word names nothing, or a file is no inventory; says where.
        HostError: a file cannot be read.
    """
    found: list[FleetMachine | LibvirtHost] = []
    for word in words:
        if word == "-":
            content = (stdin or sys.stdin.buffer.read)()
            found += _of_text(content, "standard input", ".yaml", source_of)
        elif word.startswith("libvirt") and word.endswith(":"):
            uri = word[:-1].removeprefix("libvirt").removeprefix("+") or None
            found.append(LibvirtHost(uri or ""))
        else:
            found += _of_path(word, source_of)
    return FleetInventory(tuple(_with_domains(found, domains)))


def _with_domains(
    found: Iterable[FleetMachine | LibvirtHost], domains: DomainLister
) -> Iterator[FleetMachine]:
    """Yield the machines, each libvirt's where it was named; libvirts are asked side by side."""
    found = tuple(found)
    hosts = [each for each in found if isinstance(each, LibvirtHost)]
    listed = iter(side_by_side(lambda host: [*_of_libvirt(host, domains)], hosts, LISTED_AT_A_TIME))
    for each in found:
        yield from next(listed) if isinstance(each, LibvirtHost) else (each,)


def _of_path(word: str, source_of: str) -> Sequence[FleetMachine | LibvirtHost]:
    path = Path(word)
    try:
        if path.suffix.lower() in _SUFFIXES and path.is_file():
            content = path.read_bytes()[:LARGEST]
            return _of_text(content, word, path.suffix.lower(), source_of)
        if path.is_dir() and not any(path.glob("mtree*.txt")):
            inside = sorted(each for each in path.iterdir() if not each.name.startswith("."))
            if not inside:
                raise ConfigError(f"the folder {word!r} is empty: expected dumps, one a machine")
            return [FleetMachine(each.name, str(each.resolve())) for each in inside]
    except OSError as error:
        raise HostError(f"cannot read {word!r} ({error.strerror})", call="read") from error
    return [FleetMachine(path.name if path.exists() else redacted(word), _absolute(word))]


def _absolute(source: str) -> str:
    """Return a source that means the same in a worker's folder."""
    path = Path(source)
    return str(path.resolve()) if path.exists() else source


def _of_text(
    content: bytes, where: str, suffix: str, source_of: str
) -> Sequence[FleetMachine | LibvirtHost]:
    form = _form(content, where, suffix)
    if is_kubernetes_list(form):
        return machines_of_list(form, where, source_of)
    if isinstance(form, dict) and str(form.get("format", "")).startswith("guestmap."):
        return [FleetMachine(Path(where).stem, _absolute(where))]  # a snapshot
    try:
        told = msgspec.convert(form, InventoryFile)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where} is no inventory: {error}") from error
    if not told.machine and not told.libvirt:
        raise ConfigError(f"{where} names no machine: expected [[machine]] or [[libvirt]]")
    found = [
        FleetMachine(
            each.name or redacted(each.source), _absolute(each.source), each.host, each.labels
        )
        for each in told.machine
    ]
    return [*found, *told.libvirt]


def _form(content: bytes, where: str, suffix: str) -> Any:
    try:
        text = content.decode()
        if suffix == ".toml":
            return tomllib.loads(text)
        if suffix == ".json" or text.lstrip().startswith("{"):
            return msgspec.json.decode(content)
        return _yaml(text, where)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} cannot be understood: {error}") from error


def _yaml(text: str, where: str) -> Any:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"reading {where} needs PyYAML, which is not installed: pip install 'guestmap[fleet]'"
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not YAML: {' '.join(str(error).split())}") from error


def _of_libvirt(host: LibvirtHost, domains: DomainLister) -> Iterator[FleetMachine]:
    """Yield the running domains of a host; one that does not tell is a machine with a trouble."""
    prefix = f"libvirt+{host.uri}" if host.uri else "libvirt"
    place = host.host or _host_of(host.uri)
    try:
        names = domains(host.uri or None)
    except (ConfigError, HostError) as error:
        yield FleetMachine(
            f"{place or redacted(prefix)}:", f"{prefix}:", place, host.labels, str(error)
        )
        return
    for name in names:
        full = f"{place}/{name}" if place else name
        yield FleetMachine(full, f"{prefix}:{name}", place, host.labels)


def _host_of(uri: str) -> str:
    """Return the host that a URI names; "" for this one."""
    return uri.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
