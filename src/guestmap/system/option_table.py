"""Every option of QEMU's command line that is known here, and what becomes of it: one table.

An option *means* something, is *accepted* although it changes nothing here, for the reason that
stands beside it, or is *refused* for one. What is not in the table is no option.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple


class OptionFate(Enum):
    """What becomes of an option."""

    MEANT = "means something"
    ACCEPTED = "changes nothing here"
    REFUSED = "is refused"


class Option(NamedTuple):
    """One option.

    Attributes:
        name: without its dash.
        takes: whether an argument follows.
        fate: what becomes of it.
        reason: why, where it is accepted or refused.
        values: the arguments that are accepted: a regular expression for all of one.
    """

    name: str
    takes: bool
    fate: OptionFate
    reason: str = ""
    values: str = ".*"

    def accepts(self, value: str) -> bool:
        """Tell whether an argument is one that changes nothing."""
        return re.fullmatch(self.values, value, re.DOTALL) is not None


def _meant(names: str, *, takes: bool = True) -> tuple[Option, ...]:
    return tuple(Option(name, takes, OptionFate.MEANT) for name in names.split())


def _accepted(name: str, reason: str, values: str | None = ".*") -> Option:
    return Option(name, values is not None, OptionFate.ACCEPTED, reason, values or "")


def _refused(names: str, reason: str, *, takes: bool = True) -> tuple[Option, ...]:
    return tuple(Option(name, takes, OptionFate.REFUSED, reason) for name in names.split())


_ROWS: Final = (
    *_meant("S daemonize no-acpi nodefaults", takes=False),
    *_meant("name uuid M machine accel cpu m smp numa object device global chardev mon qmp"),
    *_meant("pidfile bios kernel initrd append option-rom"),
    _accepted("no-user-config", "there are no configuration files", None),
    _accepted("nographic", "there is no screen, and nothing is put on the terminal unasked", None),
    _accepted("no-shutdown", "a guest that switches itself off ends the program, as libvirt would",
              None),
    _accepted("display", "there is no screen", "none"),
    _accepted("vga", "there is no screen", "none"),
    _accepted("audiodev", "there is no sound", r'\{.*"driver"\s*:\s*"none".*\}|none\b.*'),
    _accepted("overcommit", "memory is not locked", r"mem-lock=off(,cpu-pm=off)?"),
    _accepted("rtc", "it is so", r"base=utc(,driftfix=(none|slew))?"),
    _accepted("boot", "nothing boots but firmware and -kernel", r"strict=(on|off)"),
    _accepted("sandbox", "there is none to switch off", r"off(,.*)?"),
    _accepted("msg", "messages are single lines, which carry no time", r"timestamp=(on|off)"),
    _accepted("serial", "there are no serial ports but those of -device", "none"),
    _accepted("monitor", "there is no other monitor than those of -mon and -qmp", "none"),
    _accepted("parallel", "there is no parallel port", "none"),
    *_refused("drive blockdev hda hdb hdc hdd cdrom fda fdb snapshot", "disks are not modelled"),
    *_refused("netdev nic net", "network devices are not modelled"),
    *_refused("vnc spice", "there is no screen to show"),
    *_refused("fsdev virtfs", "shared folders are not modelled"),
    *_refused("tpmdev", "TPMs are not modelled"),
    *_refused("incoming", "a machine that another QEMU saved cannot be read"),
    *_refused("loadvm", "give guestmap boot --restore"),
    *_refused("gdb", "give guestmap boot --gdb"),
    *_refused("usb", "USB is not modelled", takes=False),
    *_refused("usbdevice", "USB is not modelled"),
    *_refused("enable-kvm", "the CPU is Unicorn's: leave it out", takes=False),
    *_refused("no-reboot", "give guestmap boot --no-reboot", takes=False),
    *_refused("no-hpet", "the board's HPET stays", takes=False),
    *_refused("smbios acpitable fw_cfg", "the firmware's tables are the machine's own"),
    *_refused("runas chroot", "whoever starts the program chooses that"),
    *_refused("readconfig", "options are read from the command line alone"),
)  # fmt: skip
OPTIONS: Final = {each.name: each for each in _ROWS}
