"""What this is: version, the kind of machine, its name, where the monitor listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import guestmap
from guestmap.machine.boards import BOARDS, BoardType
from guestmap.monitor.claim import QemuClaim
from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.monitor.commands.cpus import TARGET
from guestmap.qmp import BOOL, INT, STR, Array, Command, Enum, Member, Struct, Type


def version_of(claim: QemuClaim) -> dict[str, Any]:
    """Return the QEMU that is claimed, and what answers: as ``query-version`` tells it."""
    return {"qemu": claim.triple, "package": f"guestmap {guestmap.__version__}"}


_NO_UUID = "00000000-0000-0000-0000-000000000000"


def _query_version(context: Context, _arguments: Arguments) -> dict[str, Any]:
    return version_of(context.commands.claim)


def _query_target(_context: Context, _arguments: Arguments) -> dict[str, Any]:
    return {"arch": "x86_64"}


def _query_kvm(context: Context, _arguments: Arguments) -> dict[str, Any]:
    return {"enabled": context.runs_on_kvm, "present": context.runs_on_kvm}


def _query_accelerators(context: Context, _arguments: Arguments) -> dict[str, Any]:
    present = ["kvm", "tcg"] if context.runs_on_kvm else ["tcg"]
    return {"enabled": present[0], "present": present}


def _query_name(context: Context, _arguments: Arguments) -> dict[str, Any]:
    name = context.vm.board.config.name
    return {"name": name} if name else {}


def _query_uuid(context: Context, _arguments: Arguments) -> dict[str, Any]:
    return {"UUID": str(context.vm.board.config.uuid or _NO_UUID)}


def _query_machines(context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    return [_machine(board, context.commands.claim) for board in BOARDS]


def _machine(board: BoardType, claim: QemuClaim) -> dict[str, Any]:
    more = {"acpi": _may_have_acpi(board)} if claim.machine_acpi else {}
    optional = {
        "default-cpu-type": board.cpu_type,
        "is-default": board.is_default,
        "default-ram-id": board.ram_id,
        "alias": board.alias,
    }
    return (
        {
            "name": board.name,
            "hotpluggable-cpus": board.cpus_are_listed,
            "numa-mem-supported": False,
            "cpu-max": board.max_cpus,
            "deprecated": False,
        }
        | more
        | {name: value for name, value in optional.items() if value}
    )


def _may_have_acpi(board: BoardType) -> bool:
    return any(each.name == "acpi" for each in board.options)


def _query_chardev(context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    return [
        {"frontend-open": True, "filename": each.filename, "label": each.label}
        for each in context.endpoints()
    ]


_VERSION_INFO = Struct(
    "VersionInfo",
    (
        Member(
            "qemu",
            Struct(
                "VersionTriple", (Member("major", INT), Member("minor", INT), Member("micro", INT))
            ),
        ),
        Member("package", STR),
    ),
)
_TARGET_INFO = Struct("TargetInfo", (Member("arch", TARGET),))
_KVM_INFO = Struct("KvmInfo", (Member("enabled", BOOL), Member("present", BOOL)))
_ACCELERATOR = Enum("Accelerator", ("kvm", "tcg"))
_ACCELERATOR_INFO = Struct(
    "AcceleratorInfo", (Member("enabled", _ACCELERATOR), Member("present", Array(_ACCELERATOR)))
)
_MACHINE_INFO = (
    Member("name", STR),
    Member("alias", STR, optional=True),
    Member("is-default", BOOL, optional=True),
    Member("cpu-max", INT),
    Member("hotpluggable-cpus", BOOL),
    Member("numa-mem-supported", BOOL),
    Member("deprecated", BOOL),
    Member("default-cpu-type", STR, optional=True),
    Member("default-ram-id", STR, optional=True),
)
_CHARDEV_INFO = Struct(
    "ChardevInfo", (Member("label", STR), Member("filename", STR), Member("frontend-open", BOOL))
)


def _command(
    name: str,
    returns: Type,
    run: Callable[[Context, Arguments], Any],
    *,
    preconfig: bool = True,
) -> MonitorCommand:
    declaration = Command(name, None, returns, allow_preconfig=preconfig)
    return MonitorCommand(declaration, run, Need.NOTHING)


_NAME_INFO = Struct("NameInfo", (Member("name", STR, optional=True),))


def commands(claim: QemuClaim) -> tuple[MonitorCommand, ...]:
    """Return the commands of the QEMU that is claimed."""
    acpi = (Member("acpi", BOOL),) if claim.machine_acpi else ()
    machines = Array(Struct("MachineInfo", (*_MACHINE_INFO, *acpi)))
    accelerators = _command("query-accelerators", _ACCELERATOR_INFO, _query_accelerators)
    return (
        _command("query-version", _VERSION_INFO, _query_version),
        _command("query-target", _TARGET_INFO, _query_target),
        _command("query-kvm", _KVM_INFO, _query_kvm, preconfig=False),
        *((accelerators,) if claim.accelerators else ()),
        _command("query-name", _NAME_INFO, _query_name),
        _command("query-uuid", Struct("UuidInfo", (Member("UUID", STR),)), _query_uuid),
        _command("query-machines", machines, _query_machines),
        _command("query-chardev", Array(_CHARDEV_INFO), _query_chardev),
    )
