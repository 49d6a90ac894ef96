"""From the options that were given to the machine that they describe, and who is connected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from guestmap.base import ConfigError, UnsupportedError
from guestmap.base.dataclass import dataclass
from guestmap.hw.parallel import ParallelPort
from guestmap.hw.serial import Serial16550
from guestmap.machine.options.command_line import config_of
from guestmap.machine.options.device import DeviceSpec
from guestmap.machine.options.strings import last_values, option, split_options
from guestmap.system.chardevs import (
    CharDev,
    read_chardevs,
    read_monitor,
    read_monitor_object,
    read_parallel,
    read_serial,
)
from guestmap.system.command_line import Given

if TYPE_CHECKING:
    from guestmap.machine.config import MachineConfig

_ACCELERATORS: Final = {"tcg": "unicorn", "kvm": "kvm"}
"""What runs the CPU, by QEMU's name: Unicorn is QEMU's TCG as a library."""
_PORTS: Final = {
    Serial16550.TYPE.name: ("serial", read_serial),
    ParallelPort.TYPE.name: ("parallel", read_parallel),
}
"""Devices with a character device: what they are called, and who reads their properties."""
_CPU: Final = "qemu64"
_SWITCHED_OFF: Final = frozenset({"usb", "nvdimm", "mem-merge"})
"""Properties of a machine that may be off on any board; on, where the board has such a thing."""
_NO_EFFECT: Final = frozenset({"dump-guest-core"})


@dataclass(frozen=True, slots=True)
class Described:
    """What the command line says.

    Attributes:
        config: the machine.
        engine: what runs its CPU.
        monitors: sockets of ``-mon`` and ``-object monitor-qmp``.
        qmp: addresses of ``-qmp``.
        serial: the other end of the serial port; None where it was not named.
        parallel: the other end of the parallel port.
        paused: wait for ``cont``.
        pid_file: gets the process's number; None for no file.
        daemonize: go to the background once the monitor answers.
        awaits_another: a machine that was saved is to come.
        stays_off: a guest that switches itself off does not end the program.
    """

    config: MachineConfig
    engine: str
    monitors: tuple[CharDev, ...]
    qmp: tuple[str, ...]
    serial: CharDev | None
    parallel: CharDev | None
    paused: bool
    pid_file: Path | None
    daemonize: bool
    stays_off: bool
    awaits_another: bool


def described(given: Given) -> Described:
    """Return what the options say.

    Raises:
        ConfigError, UnsupportedError: they do not go together, or are not modelled; names what.
    """
    chardevs = read_chardevs(given.get("chardev", ()))
    monitors = [read_monitor(text, chardevs) for text in given.get("mon", ())]
    given, more = _without_monitors(given, chardevs)
    specs = [DeviceSpec.parse(text) for text in given.get("device", ())]
    serial, parallel = (_port(specs, driver, chardevs) for driver in _PORTS)
    _check_cpu(given)
    words, accelerator = _words(given)
    config = config_of(words)
    return Described(
        config=_with(
            config,
            given,
            serial=config.serial or serial is not None,
            parallel=config.parallel or parallel is not None,
        ),
        engine=_engine(given.get("accel", []) or accelerator),
        monitors=(*monitors, *more),
        qmp=tuple(given.get("qmp", ())),
        serial=serial,
        parallel=parallel,
        paused="S" in given,
        pid_file=Path(given["pidfile"][-1]) if "pidfile" in given else None,
        daemonize="daemonize" in given,
        stays_off="no-shutdown" in given,
        awaits_another=_awaits_another(given),
    )


def _without_monitors(given: Given, chardevs: dict[str, CharDev]) -> tuple[Given, list[CharDev]]:
    """Return the options without the objects that are monitors, and those monitors' devices."""
    texts = given.get("object", [])
    found = [read_monitor_object(text, chardevs) for text in texts]
    rest = [text for text, monitor in zip(texts, found, strict=True) if monitor is None]
    return given | {"object": rest}, [each for each in found if each is not None]


def _port(specs: list[DeviceSpec], driver: str, chardevs: dict[str, CharDev]) -> CharDev | None:
    """Return what the port of that driver is connected to; None where none was named."""
    ports = [each for each in specs if each.driver == driver]
    kind, read = _PORTS[driver]
    if len(ports) > 1:
        raise UnsupportedError(f"{ports[1].option}: one {kind} port is modelled, and no more")
    for port in ports:
        with option("device", port.option.removeprefix("-device ")):
            return read(port.text(), chardevs)
    return None


def _awaits_another(given: Given) -> bool:
    for text in given.get("incoming", ()):
        if text != "defer":
            raise UnsupportedError(
                f"-incoming {text}: a machine comes by migrate-incoming: give defer"
            )
    return "incoming" in given


def _words(given: Given) -> tuple[list[str], list[str]]:
    """Return the options about the machine, as QEMU's words, and the accelerators among them."""
    words: list[str] = []
    accelerators: list[str] = []
    for name in ("nodefaults", "no-acpi"):
        words += [f"-{name}"] * (name in given)
    for name, told in (("no-hpet", "hpet=off"), ("usb", "usb=on")):
        words += ["-machine", told] * (name in given)
    for text in given.get("machine", ()):
        told, accelerator = _machine(text)
        words += ["-machine", told]
        accelerators += accelerator
    for name in (
        "vga",
        "serial",
        "parallel",
        "nic",
        "net",
        "name",
        "uuid",
        "m",
        "smp",
        "numa",
        "object",
        "global",
        "bios",
        "option-rom",
        "drive",
        "blockdev",
        "cdrom",
    ):
        for text in given.get(name, ()):
            words += [f"-{name}", text]
    for text in given.get("device", ()):
        if DeviceSpec.parse(text).driver not in _PORTS:
            words += ["-device", text]
    return words, accelerators


def _machine(text: str) -> tuple[str, list[str]]:
    """Return ``-machine`` without what changes nothing here, and the accelerators it names."""
    with option("machine", text):
        values = last_values(split_options(text, "type"))
        accelerator = values.pop("accel", None)
        off = {each for each in _SWITCHED_OFF if values.get(each) == "off"}
        for name in _NO_EFFECT | off:
            values.pop(name, None)
        kind = values.pop("type", "pc")
        _check_properties(kind, values)
    told = ",".join([kind, *(f"{name}={value}" for name, value in values.items())])
    return told, [] if accelerator is None else [accelerator]


def _check_properties(kind: str, values: dict[str, str]) -> None:
    from guestmap.machine.boards import board_names, board_type

    if kind not in board_names():
        known = ", ".join(board_names())
        raise UnsupportedError(f"unsupported machine type '{kind}': there are {known}")
    board = board_type(kind)
    board.check_names(values)
    board.read(values.items())  # strictly: what is only passed over is not modelled


def _check_cpu(given: Given) -> None:
    for text in given.get("cpu", ()):
        if text != _CPU:
            raise UnsupportedError(f"-cpu {text}: the CPU is a {_CPU}, without more or less")


def _engine(accelerators: list[str]) -> str:
    """Return the engine; of several accelerators those that are known, the first one before all."""
    for text in accelerators[-1:]:
        names = text.partition(",")[0].split(":")
        if known := [_ACCELERATORS[each] for each in names if each in _ACCELERATORS]:
            return ":".join(known)
        there = " and ".join(_ACCELERATORS)
        raise UnsupportedError(f"-accel {text}: invalid accelerator here: {there} are")
    return _ACCELERATORS["tcg"]


def _with(config: MachineConfig, given: Given, serial: bool, parallel: bool) -> MachineConfig:
    """Return a machine with what :func:`config_of` does not read."""
    from dataclasses import replace

    def last(name: str) -> str | None:
        return given[name][-1] if name in given else None

    def path(name: str) -> Path | None:
        return Path(found) if (found := last(name)) is not None else None

    if config.kernel is None and "kernel" not in given and ("initrd" in given or "append" in given):
        raise ConfigError("-initrd and -append only allowed with -kernel option")
    return replace(
        config,
        serial=serial,
        parallel=parallel,
        kernel=path("kernel"),
        initrd=path("initrd"),
        append=last("append") or "",
    )
