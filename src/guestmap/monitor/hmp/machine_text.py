"""What the machine is and does, as text: from the values that QMP's queries return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

QmpObject = Mapping[str, Any]

_PLACES = ("node-id", "socket-id", "die-id", "cluster-id", "core-id", "thread-id")


def status_text(status: QmpObject) -> str:
    """Return ``info status`` from ``query-status``."""
    if status["running"]:
        return "VM status: running\n"
    why = "" if status["status"] == "paused" else f" ({status['status']})"
    return f"VM status: paused{why}\n"


def version_text(version: QmpObject) -> str:
    """Return ``info version`` from ``query-version``."""
    qemu = version["qemu"]
    return f"{qemu['major']}.{qemu['minor']}.{qemu['micro']}{version['package']}\n"


def name_text(name: QmpObject) -> str:
    """Return ``info name`` from ``query-name``; nothing for a machine without a name."""
    return f"{name['name']}\n" if "name" in name else ""


def uuid_text(uuid: QmpObject) -> str:
    """Return ``info uuid`` from ``query-uuid``."""
    return f"{uuid['UUID']}\n"


def kvm_text(kvm: QmpObject) -> str:
    """Return ``info kvm`` from ``query-kvm``."""
    if not kvm["present"]:
        return "kvm support: not compiled\n"
    return f"kvm support: {'enabled' if kvm['enabled'] else 'disabled'}\n"


def cpus_text(cpus: Iterable[QmpObject]) -> str:
    """Return ``info cpus`` from ``query-cpus-fast``; the first is the one that is looked at."""
    return "".join(
        f"{' ' if cpu['cpu-index'] else '*'} CPU #{cpu['cpu-index']}:"
        f" thread_id={cpu['thread-id']}\n"
        for cpu in cpus
    )


def hotpluggable_cpus_text(cpus: Iterable[QmpObject]) -> str:
    """Return ``info hotpluggable-cpus`` from ``query-hotpluggable-cpus``."""
    return "".join(["Hotpluggable CPUs:\n", *(_hotpluggable(cpu) for cpu in cpus)])


def _hotpluggable(cpu: QmpObject) -> str:
    lines = [f'  type: "{cpu["type"]}"', f'  vcpus_count: "{cpu["vcpus-count"]}"']
    if "qom-path" in cpu:
        lines.append(f'  qom_path: "{cpu["qom-path"]}"')
    lines.append("  CPUInstance Properties:")
    place = cpu["props"]
    lines += [f'    {name}: "{place[name]}"' for name in _PLACES if name in place]
    return "".join(f"{line}\n" for line in lines)
