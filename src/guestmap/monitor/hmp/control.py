"""Running, stopping and resetting the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext


def stop(context: HmpContext, _values: Values) -> str:
    """Pause the machine."""
    context.vm.stop()
    return ""


def cont(context: HmpContext, _values: Values) -> str:
    """Let the machine run."""
    context.vm.cont()
    return ""


def system_reset(context: HmpContext, _values: Values) -> str:
    """Reset the machine."""
    context.vm.system_reset()
    return ""


def system_powerdown(context: HmpContext, _values: Values) -> str:
    """Press the power button."""
    context.vm.powerdown()
    return ""


def system_wakeup(context: HmpContext, _values: Values) -> str:
    """Wake a machine that sleeps in RAM."""
    context.vm.wake_up()
    return ""


def balloon(context: HmpContext, values: Values) -> str:
    """Ask the guest to have so much memory."""
    context.query("balloon", value=values["target"])
    return ""


def quit_machine(context: HmpContext, _values: Values) -> str:
    """End the machine."""
    context.vm.quit()
    return ""
