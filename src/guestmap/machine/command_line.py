"""QEMU's command line, as far as it describes a machine that we have."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from guestmap.base import ConfigError, UnsupportedError, parse_size
from guestmap.machine.config import (
    DEFAULT_MAX_RAM_BELOW_4G,
    DEFAULT_RAM,
    DeviceSpec,
    MachineConfig,
    parse_ram_size,
)

_MACHINES = frozenset({"pc", "pc-i440fx-7.2"})


class _Parser(argparse.ArgumentParser):
    """Standard option parsing whose refusals are errors of ours."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"command line: {message}")


def config_of(command_line: Sequence[str]) -> MachineConfig:
    """Return the machine that a QEMU command line describes.

    Options that are about the host (``-display``, ``-qmp``, ``-accel``, ...) are passed over.

    Args:
        command_line: the words, with or without the program's name in front.

    Raises:
        UnsupportedError: another machine type, or default devices; the message names it.
        ConfigError: words that are no option, or values that are impossible.
    """
    words = list(command_line)
    if words and not words[0].startswith("-"):
        words = words[1:]
    options, unknown = _parser().parse_known_args(words)
    if unknown:
        raise UnsupportedError(f"QEMU option {unknown[0]} is not modelled")
    if not options.nodefaults or options.vga != "none":
        raise UnsupportedError(
            "QEMU's default devices (VGA, network, floppy) are not modelled:"
            " add -nodefaults -vga none"
        )
    machine, properties = _machine_options(options.machine)
    if machine not in _MACHINES:
        raise UnsupportedError(f"machine type {machine} is not modelled")
    return MachineConfig(
        ram_size=parse_ram_size(options.m) if options.m else DEFAULT_RAM,
        max_ram_below_4g=(
            parse_size(properties["max-ram-below-4g"], what="max-ram-below-4g")
            if "max-ram-below-4g" in properties
            else DEFAULT_MAX_RAM_BELOW_4G
        ),
        cpus=_cpus(options.smp),
        smm=properties.get("smm", "on") not in {"off", "false", "no"},
        vapic="apic-common.vapic=off" not in options.global_,
        bios=Path(options.bios) if options.bios else None,
        devices=tuple(DeviceSpec.parse(each) for each in options.device),
        qemu_readonly_rules=True,
    )


def _parser() -> _Parser:
    parser = _Parser(prog="qemu", add_help=False, allow_abbrev=False)
    parser.add_argument("-machine", "-M", default="pc")
    parser.add_argument("-m")
    parser.add_argument("-smp", default="1")
    parser.add_argument("-vga", default="std")
    parser.add_argument("-bios")
    parser.add_argument("-device", action="append", default=[])
    parser.add_argument("-global", dest="global_", action="append", default=[])
    parser.add_argument("-nodefaults", action="store_true")
    parser.add_argument("-S", action="store_true")
    for about_the_host in ("-display", "-accel", "-qtest", "-qmp", "-mon", "-chardev", "-monitor",
                           "-qtest-log", "-name", "-pidfile"):  # fmt: skip
        parser.add_argument(about_the_host, action="append")
    return parser


def _machine_options(text: str) -> tuple[str, dict[str, str]]:
    name, *rest = text.split(",")
    properties = dict(item.partition("=")[::2] for item in rest)
    return properties.pop("type", name.removeprefix("type=")), properties


def _cpus(text: str) -> int:
    first = text.partition(",")[0].removeprefix("cpus=")
    if not first.isdigit():
        raise ConfigError(f"-smp {text}: {first!r} is not a number of CPUs")
    return int(first)
