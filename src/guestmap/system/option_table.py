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
        reason: what it means; or why it is accepted or refused.
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


def _flag(name: str, meaning: str) -> Option:
    return Option(name, False, OptionFate.MEANT, meaning)


def _meant(name: str, meaning: str) -> Option:
    return Option(name, True, OptionFate.MEANT, meaning)


def _accepted(name: str, reason: str, values: str | None = ".*") -> Option:
    return Option(name, values is not None, OptionFate.ACCEPTED, reason, values or "")


def _refused(names: str, reason: str, *, takes: bool = True) -> tuple[Option, ...]:
    return tuple(Option(name, takes, OptionFate.REFUSED, reason) for name in names.split())


_ROWS: Final = (
    _flag("S", "wait for cont before the first instruction"),
    _flag("daemonize", "go to the background once the monitor answers"),
    _flag("no-hpet", "no high precision event timer: the same as -machine hpet=off"),
    _flag("no-shutdown", "a guest that switches itself off waits for a reset, and ends nothing"),
    _flag("no-acpi", "no ACPI tables, and no memory hot-plug"),
    _flag("usb", "a USB controller, with nothing on it: the same as -machine usb=on"),
    _flag("nodefaults", "no device that is not named: none of QEMU's default ones"),
    _flag("h", "this list"),
    _flag("help", "this list"),
    _flag("version", "what this is"),
    _meant("name", "what the machine is called: [guest=]NAME"),
    _meant("uuid", "the machine's UUID"),
    _meant("M", "the same as -machine"),
    _meant("machine", "the board and its properties: pc, microvm, none"),
    _meant("accel", "what runs the CPU: tcg, which is Unicorn, kvm, or kvm:tcg"),
    _meant("cpu", "the CPU: qemu64"),
    _meant("m", "RAM: [size=]SIZE[,slots=N,maxmem=SIZE]"),
    _meant("smp", "CPUs, and their sockets, cores and threads; the first one runs"),
    _meant("numa", "a NUMA node: node[,nodeid=N][,cpus=N-M][,memdev=ID]"),
    _meant("object", "memory-backend-ram, -file, -memfd, secret, monitor-qmp; or JSON"),
    _meant("device", "a device: DRIVER[,PROPERTY=VALUE...] or JSON; isa-serial among them"),
    _meant("drive", "a disk or a CD-ROM: file=FILE[,if=ide|none][,format=raw|qcow2][,...]"),
    _meant("blockdev", "a file, or a format of one, that a device ide-hd or ide-cd names; or JSON"),
    _meant("cdrom", "a CD-ROM drive with that image"),
    _meant("vga", "a display adapter: std, cirrus, none"),
    _meant("serial", "none: no serial port but one of -device"),
    _meant("parallel", "none: no parallel port"),
    _meant("nic", "none: no network card but those of -device"),
    _meant("net", "none: the same as -nic none"),
    _meant("global", "a property of all devices of a type"),
    _meant("incoming", "defer: wait for a machine that was saved, which migrate-incoming names"),
    _meant("chardev", "a character device: socket, pty, null, file"),
    _meant("mon", "a monitor on a character device: QMP, mode=control"),
    _meant("qmp", "a monitor: unix:PATH or tcp:HOST:PORT, server=on,wait=off"),
    _meant("pidfile", "a file for the number of the process"),
    _meant("bios", "the firmware's image"),
    _meant("kernel", "a Linux kernel for the firmware to boot"),
    _meant("initrd", "its initial RAM disk"),
    _meant("append", "its command line"),
    _meant("option-rom", "an option ROM, which the firmware runs"),
    _accepted("no-user-config", "there are no configuration files", None),
    _accepted("nographic", "there is no screen, and nothing is put on the terminal unasked", None),
    _accepted("display", "there is no screen", "none"),
    _accepted("audiodev", "there is no sound", r'\{.*"driver"\s*:\s*"none".*\}|none\b.*'),
    _accepted("overcommit", "memory is not locked", r"mem-lock=off(,cpu-pm=off)?"),
    _accepted("rtc", "the clock is UTC", r"base=utc(,driftfix=(none|slew))?"),
    _accepted("boot", "nothing boots but firmware and -kernel", r"strict=(on|off)"),
    _accepted("sandbox", "there is none to switch off", r"off(,.*)?"),
    _accepted("msg", "messages are single lines, which carry no time", r"timestamp=(on|off)"),
    _accepted("monitor", "there is no other monitor than those of -mon and -qmp", "none"),
    *_refused("hda hdb hdc hdd", "give -drive file=FILE"),
    *_refused("fda fdb", "give -drive file=FILE,if=floppy"),
    *_refused("snapshot", "give -drive file=FILE,snapshot=on", takes=False),
    *_refused("netdev", "network devices are not modelled"),
    *_refused("vnc spice", "there is no screen to show"),
    *_refused("fsdev virtfs", "shared folders are not modelled"),
    *_refused("tpmdev", "TPMs are not modelled"),
    *_refused("loadvm", "give guestmap boot --restore"),
    *_refused("gdb", "give guestmap boot --gdb"),
    *_refused("usbdevice", "USB has controllers here, and nothing to put on them"),
    *_refused("enable-kvm", "give -accel kvm", takes=False),
    *_refused("no-reboot", "give guestmap boot --no-reboot", takes=False),
    *_refused("smbios acpitable fw_cfg", "the firmware's tables are the machine's own"),
    *_refused("runas chroot", "whoever starts the program chooses that"),
    *_refused("readconfig", "options are read from the command line alone"),
    *_refused("add-fd", "files are not inherited: give a port a terminal or a socket, and no log"),
    *_refused("watchdog watchdog-action", "watchdogs are not modelled"),
)  # fmt: skip
OPTIONS: Final = {each.name: each for each in _ROWS}


def listing() -> str:
    """Return the table as text: a line for each option, those that mean something first."""
    rows = sorted(OPTIONS.values(), key=lambda each: list(OptionFate).index(each.fate))
    return "".join(f"  -{each.name:<15} {_told(each)}\n" for each in rows)


def _told(option: Option) -> str:
    if option.fate is OptionFate.MEANT:
        return option.reason
    return f"{option.fate.value}: {option.reason}"
