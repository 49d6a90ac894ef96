"""Running, stopping and resetting the machine, and what can be said of it in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from guestmap.machine import RunState
from guestmap.monitor.commands.identity import VERSION

if TYPE_CHECKING:
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import Context

_NO_UUID = UUID(int=0)


def stop(context: Context, _values: Values) -> str:
    """Pause the machine."""
    context.vm.stop()
    return ""


def cont(context: Context, _values: Values) -> str:
    """Let the machine run."""
    context.vm.cont()
    return ""


def system_reset(context: Context, _values: Values) -> str:
    """Reset the machine."""
    context.vm.system_reset()
    return ""


def system_powerdown(context: Context, _values: Values) -> str:
    """Press the power button."""
    context.vm.powerdown()
    return ""


def quit_machine(context: Context, _values: Values) -> str:
    """End the machine."""
    context.vm.quit()
    return ""


def info_status(context: Context, _values: Values) -> str:
    """Say whether the machine runs, and why not."""
    state = context.vm.state
    if state is RunState.RUNNING:
        return "VM status: running\n"
    why = "" if state is RunState.PAUSED else f" ({state})"
    return f"VM status: paused{why}\n"


def info_version(_context: Context, _values: Values) -> str:
    """Say which QEMU this behaves as, and which version of this program it is."""
    qemu = VERSION["qemu"]
    return f"{qemu['major']}.{qemu['minor']}.{qemu['micro']}{VERSION['package']}\n"


def info_name(context: Context, _values: Values) -> str:
    """Say what the machine is called, if it has a name."""
    name = context.pc.config.name
    return f"{name}\n" if name else ""


def info_uuid(context: Context, _values: Values) -> str:
    """Say the machine's UUID, which is nil where none was given."""
    return f"{context.pc.config.uuid or _NO_UUID}\n"


def info_kvm(_context: Context, _values: Values) -> str:
    """Say that KVM runs no machine of ours."""
    return "kvm support: disabled\n"
