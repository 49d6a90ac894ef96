"""The words of a command line, each option of the tables one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guestmap.base import ConfigError, UnsupportedError
from guestmap.machine import config_of
from guestmap.machine.options.drive import DriveSpec
from guestmap.machine.options.words import Words
from tests.support.qemu import MACHINE

OF_THE_HOST = (
    "accel", "audiodev", "chardev", "display", "mon", "monitor", "msg", "overcommit", "pidfile",
    "qmp", "qmp-pretty", "qtest", "qtest-log", "rtc", "sandbox", "D", "d",
)  # fmt: skip
FLAGS = ("S", "no-user-config", "no-shutdown", "no-reboot", "daemonize", "enable-kvm")
WITH_AN_ARGUMENT = (
    "M", "bios", "boot", "device", "global", "m", "machine", "name", "numa", "object",
    "option-rom", "smp", "uuid", "vga",
)  # fmt: skip


@pytest.mark.parametrize("dashes", ["-", "--"])
@pytest.mark.parametrize("name", OF_THE_HOST)
def test_what_is_about_the_host_is_passed_over_with_its_argument(name: str, dashes: str) -> None:
    plain = config_of([*MACHINE, "-m", "64M"])
    assert config_of([*MACHINE, dashes + name, "-m", "-m", "64M"]) == plain


@pytest.mark.parametrize("name", FLAGS)
def test_flags_have_no_argument(name: str) -> None:
    plain = config_of([*MACHINE, "-m", "64M"])
    assert config_of([*MACHINE, f"-{name}", "-m", "64M"]) == plain
    assert config_of([*MACHINE, "-m", "64M", f"--{name}"]) == plain


@pytest.mark.parametrize("name", [*OF_THE_HOST, *WITH_AN_ARGUMENT])
def test_an_argument_that_is_missing(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^-{name}: requires an argument$"):
        Words.read(["-S", f"-{name}"])


@pytest.mark.parametrize(("word", "refusal"), [
    ("disk.img", "^disk image disk.img is not modelled$"),
    ("", "^disk image  is not modelled$"),
    ("-hda", "^QEMU option -hda is not modelled$"),
    ("---S", "^QEMU option ---S is not modelled$"),
    ("-s", "^QEMU option -s is not modelled$"),
])  # fmt: skip
def test_other_words(word: str, refusal: str) -> None:
    with pytest.raises(UnsupportedError, match=refusal):
        Words.read(["-S", word])


def test_the_programs_name_may_come_first() -> None:
    assert config_of(["qemu-system-x86_64", *MACHINE]) == config_of(MACHINE)
    assert Words.read([]) == Words()


@pytest.mark.parametrize(("text", "fine"), [
    ("strict=on", True), ("strict=off,strict=on", True), ("c", False), ("order=c", False),
    ("strict=on,menu=on", False), ("menu=on,strict=on", False), ("", False),
])  # fmt: skip
def test_of_the_boot_order_only_that_it_is_strict(text: str, fine: bool) -> None:
    if fine:
        assert Words.read(["-boot", text]) == Words()
    else:
        with pytest.raises(UnsupportedError, match=f"^-boot {text}: a boot order is not modelled"):
            Words.read(["-boot", text])


@pytest.mark.parametrize("text", ["a.b=c", "a.b=", "a.b=c=d", "a.b.c=d"])
def test_a_global_property(text: str) -> None:
    name, _, value = text.partition("=")
    assert Words.read(["-global", "x.y=1", "-global", text]).globals == {"x.y": "1", name: value}


@pytest.mark.parametrize("text", ["a.b", "ab=c", "", "="])
def test_what_is_no_global_property(text: str) -> None:
    name = text.partition("=")[0]
    with pytest.raises(ConfigError, match=f"^-global {text}: Invalid parameter '{name}'$"):
        Words.read(["-global", text])


_EMPTY_CD = DriveSpec(media="cdrom", index=2)
_EMPTY_FLOPPY = DriveSpec(interface="floppy", index=0)
_DEFAULTS: dict[str, Any] = {
    "vga": "std", "serial": True, "parallel": True, "nic": "e1000",
    "drives": (_EMPTY_CD, _EMPTY_FLOPPY),
}  # fmt: skip


@pytest.mark.parametrize(("words", "otherwise"), [
    ([], {}), (["-vga", "none"], {"vga": "none"}), (["-vga", "cirrus"], {"vga": "cirrus"}),
    (["-vga", "std"], {}), (["-serial", "none"], {"serial": False}),
    (["-parallel", "none"], {"parallel": False}), (["-nic", "none"], {"nic": "none"}),
    (["-net", "none"], {"nic": "none"}), (["-device", "VGA"], {"vga": "none"}),
    (["-cdrom", "/x"],
     {"drives": (DriveSpec(Path("/x"), media="cdrom", index=2), _EMPTY_FLOPPY)}),
    (["-drive", "file=/x"],
     {"drives": (DriveSpec(Path("/x"), index=0), _EMPTY_CD, _EMPTY_FLOPPY)}),
    (["-drive", "if=floppy,file=/x"],
     {"drives": (DriveSpec(Path("/x"), "floppy", index=0), _EMPTY_CD)}),
    (["-device", "ide-cd"], {"drives": (_EMPTY_FLOPPY,)}),
    (["-nodefaults"],
     {"vga": "none", "serial": False, "parallel": False, "nic": "none", "drives": ()}),
])  # fmt: skip
def test_default_devices(words: list[str], otherwise: dict[str, Any]) -> None:
    config = config_of(["-M", "pc", *words])
    assert {name: getattr(config, name) for name in _DEFAULTS} == _DEFAULTS | otherwise
    assert config_of(["-M", "none", "-nodefaults"]).machine == "none"


@pytest.mark.parametrize("word", ["-serial", "-parallel", "-nic", "-net"])
def test_of_a_default_device_only_that_it_is_not_there(word: str) -> None:
    with pytest.raises(UnsupportedError, match=f"^{word} null is not modelled: none is$"):
        Words.read([word, "null"])


@pytest.mark.parametrize(("words", "vga"), [
    ([], "none"), (["-vga", "none"], "none"), (["-vga", "std"], "std"),
    (["-vga", "cirrus"], "cirrus"),
])  # fmt: skip
def test_a_display_adapter_is_there_where_it_is_asked_for(words: list[str], vga: str) -> None:
    assert config_of(["-M", "pc", "-nodefaults", *words]).vga == vga


def test_other_display_adapters_are_not_modelled() -> None:
    with pytest.raises(
        UnsupportedError,
        match=r"^-vga qxl is not modelled for pc-i440fx-7.2: .* none, std, cirrus$",
    ):
        config_of(["-M", "pc", "-nodefaults", "-vga", "qxl"])


@pytest.mark.parametrize(("words", "serial"), [([], True), (["-nodefaults"], False)])
def test_a_serial_port_is_a_default_device(words: list[str], serial: bool) -> None:
    assert config_of(["-M", "microvm", *words]).serial is serial
    assert not config_of(MACHINE).serial


@pytest.mark.parametrize("name", ["apic-common.vapic", "PIIX4_PM.memory-hotplug-support"])
@pytest.mark.parametrize(("text", "on"), [
    *((text, True) for text in ("on", "yes", "true", "y")),
    *((text, False) for text in ("off", "no", "false", "n")),
])  # fmt: skip
def test_switches_that_are_global(name: str, text: str, on: bool) -> None:
    config = config_of([*MACHINE, "-global", f"{name}={text}"])
    other = config_of(MACHINE)
    got = (config.vapic, config.memory_hotplug)
    assert (other.vapic, other.memory_hotplug) == (True, True)
    assert got == ((on, True) if name.startswith("apic") else (True, on))
