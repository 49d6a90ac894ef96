"""What ``guestmap doctor`` looks at: packages, engines, firmware, programs, the host."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import import_module, metadata
from pathlib import Path

import guestmap
from guestmap.base import ConfigError, GuestmapError, format_size

_REQUIREMENT = re.compile(r"([\w.-]+)(\[[\w,-]+\])?([^;]*)(?:;.*\bextra == ['\"](\w+)['\"])?")
_COLLECTIONS = frozenset({"all", "boot", "dev", "fuzz", "audit"})
"""Extras that are made of others, or for who works on guestmap."""
_IMPORTED = {"libvirt-python": "libvirt"}  # others are imported by their own names
_PROBED = frozenset({"unicorn", "libvirt-python"})
"""Packages with a C library, which may be there and not load."""
_PROGRAMS = {
    "qemu-system-x86_64": ("somebody's QEMU to look at and to plug memory into",
                           "apt install qemu-system-x86"),
    "virsh": ("libvirt's domains (libvirt:NAME)", "apt install libvirt-clients"),
    "gdb": ("debugging a guest", "apt install gdb"),
}  # fmt: skip
_KVM = Path("/dev/kvm")
_PATIENCE_S = 5


class Health(Enum):
    """How something that was looked at is."""

    OK = "ok"
    ABSENT = "absent"  # what needs it does not work; the rest does
    BROKEN = "broken"  # it is there, or was named, and cannot be used


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        area: what it belongs to.
        name: what was looked at.
        health: how it is.
        found: what there is, a version or a path.
        needed_for: what works with it, and not without.
        remedy: how it is got, or mended; "" where nothing is to be done.
    """

    area: str
    name: str
    health: Health
    found: str = ""
    needed_for: str = ""
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the check as JSON-able values."""
        return {
            "area": self.area, "name": self.name, "health": self.health.value,
            "found": self.found, "needed_for": self.needed_for, "remedy": self.remedy,
        }  # fmt: skip


def all_checks() -> Iterator[Check]:
    """Look at everything; nothing is changed, and nothing outlives it."""
    where = Path(guestmap.__file__).parent
    yield Check("guestmap", "guestmap", Health.OK, f"{guestmap.__version__} in {where}")
    yield Check("guestmap", "Python", Health.OK, f"{platform.python_version()} ({sys.executable})")
    yield from _packages()
    yield from _engines()
    yield from _firmware()
    yield from _programs()
    yield from _host()


# -- packages --------------------------------------------------------------------------------------


def _packages() -> Iterator[Check]:
    for line in metadata.requires("guestmap") or ():
        found = _REQUIREMENT.match(line)
        if found is None or found[1] == "guestmap" or found[4] in _COLLECTIONS:
            continue
        yield _package(found[1], found[4] or "")


def _package(name: str, extra: str) -> Check:
    needed_for = {
        "cli": "the command line", "libvirt": "libvirt:NAME",
        "domain": "domain: libvirt's words for broken XML, and its schema",
        "unicorn": "boot", "view": "draw and serve", "fleet": "fleet",
        "parquet": "fleet audit --parquet", "": "everything",
    }.get(extra, extra)  # fmt: skip
    remedy = f"pip install 'guestmap[{extra}]'" if extra else f"pip install {name}"
    try:
        version = metadata.version(name)
        if name in _PROBED:
            import_module(_IMPORTED.get(name, name))
    except metadata.PackageNotFoundError:
        return Check("packages", name, Health.ABSENT, "", needed_for, remedy)
    except (ImportError, OSError) as error:
        mend = f"pip install --force-reinstall {name}"
        return Check("packages", name, Health.BROKEN, f"does not load: {error}", needed_for, mend)
    return Check("packages", name, Health.OK, version, needed_for)


# -- engines ---------------------------------------------------------------------------------------


def _engines() -> Iterator[Check]:
    from guestmap.accel import ACCELERATORS, NoInterrupts, open_accelerator
    from guestmap.memory import MemorySystem

    for name in ACCELERATORS:
        system = MemorySystem()
        spaces = [system.address_space(each, system.container(each, 1 << 32)) for each in "mi"]
        try:
            with open_accelerator(name, spaces[0], spaces[1], [NoInterrupts()]) as engine:
                ways = ", ".join(sorted(set(engine.parts.values())))
        except GuestmapError as error:
            absent = name == "kvm" or "not installed" in str(error)
            health = Health.ABSENT if absent else Health.BROKEN
            yield Check("engines", name, health, str(error), "boot --engine " + name)
        else:
            yield Check("engines", name, Health.OK, ways, f"boot --engine {name}")
        finally:
            system.close()
    yield _kvm()


def _kvm() -> Check:
    needed_for = "QEMU's own speed; guestmap's machines run without it"
    if not _KVM.exists():
        remedy = "load the kernel's kvm module, or allow nested virtualization"
        return Check("engines", str(_KVM), Health.ABSENT, "", needed_for, remedy)
    if not os.access(_KVM, os.R_OK | os.W_OK):
        found = "there, and this user may not open it"
        return Check(
            "engines", str(_KVM), Health.ABSENT, found, needed_for, "sudo usermod -aG kvm $USER"
        )
    return Check("engines", str(_KVM), Health.OK, "can be opened", needed_for)


# -- firmware --------------------------------------------------------------------------------------


def _firmware() -> Iterator[Check]:
    from guestmap.firmware.images import BIOS_VARIABLE, find_bios, load_bios, seabios_version
    from guestmap.machine.boards import BOARDS

    for board in BOARDS:
        for name, how in board.firmware:
            needed_for = f"boot -M {board.alias or board.name}"
            try:
                path = find_bios(None, name=name)
                version = seabios_version(load_bios(path))
            except ConfigError as error:
                named = BIOS_VARIABLE in os.environ
                told = str(error).splitlines()[0] if named else ""
                health = Health.BROKEN if named else Health.ABSENT
                remedy = f"unset {BIOS_VARIABLE}" if named else how
                yield Check("firmware", name, health, told, needed_for, remedy)
            else:
                made = f"SeaBIOS {version}, " if version else ""
                yield Check("firmware", name, Health.OK, f"{made}{path}", needed_for)


# -- programs, and the host ------------------------------------------------------------------------


def _programs() -> Iterator[Check]:
    for name, (needed_for, remedy) in _PROGRAMS.items():
        path = shutil.which(name)
        if path is None:
            yield Check("programs", name, Health.ABSENT, "", needed_for, remedy)
            continue
        version = _version(path)
        health = Health.OK if version else Health.BROKEN
        found = f"{version}, {path}" if version else f"{path} does not say its version"
        yield Check("programs", name, health, found, needed_for)


def _version(program: str) -> str:
    """Return the first number that a program says of itself; "" where it says none."""
    try:
        told = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"\d+(?:\.\d+)+", told.stdout)
    return found[0] if found else ""


def _host() -> Iterator[Check]:
    facts = _meminfo()
    free = facts.get("MemAvailable", 0)
    yield Check("host", "memory", Health.OK, f"{format_size(free)} available", "guests' RAM")
    pages, size = facts.get("HugePages_Free", 0), facts.get("Hugepagesize", 0)
    needed_for = "memory-backend-memfd with hugetlb=on"
    if pages:
        found = f"{pages} free, of {format_size(size)} each"
        yield Check("host", "huge pages", Health.OK, found, needed_for)
    else:
        remedy = "sudo sysctl vm.nr_hugepages=N"
        yield Check("host", "huge pages", Health.ABSENT, "none set aside", needed_for, remedy)


def _meminfo() -> dict[str, int]:
    """Return what the kernel tells of memory: bytes, or counts where it gives no unit."""
    facts = {}
    with open("/proc/meminfo") as file:
        for line in file:
            name, _, rest = line.partition(":")
            number, _, unit = rest.strip().partition(" ")
            facts[name] = int(number) * (1024 if unit == "kB" else 1)
    return facts
