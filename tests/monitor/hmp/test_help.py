"""``help``: the commands and what they take."""

from __future__ import annotations

import pytest

from guestmap.monitor.hmp import HumanMonitor
from tests.monitor.hmp.beside import Beside


def _usages(text: str) -> dict[str, str]:
    """Return what stands before the dashes by a command's name, without explanations."""
    lines = [line for line in text.splitlines() if " -- " in line]
    usages = (line.partition(" -- ")[0] for line in lines)
    return {usage.removeprefix("info ").split(" ")[0]: usage for usage in usages}


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize("line", ["help", "help info", "info", "?", "help  ", "info "])
def test_what_a_command_takes_is_said_as_in_qemu(plain: Beside, line: str) -> None:
    answers = plain.ask(line)
    ours, theirs = _usages(answers.ours), _usages(answers.qemu)
    assert ours == {name: theirs[name] for name in ours}
    assert list(ours) == [name for name in theirs if name in ours]


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize("words", ["xp", "c", "s x", "info mtree", "info mtree x y", '"xp"', "?"])
def test_one_commands_help_has_qemus_shape(plain: Beside, words: str) -> None:
    answers = plain.ask(f"help {words}")
    assert _usages(answers.ours) == _usages(answers.qemu)


def test_every_command_is_explained(monitor: HumanMonitor) -> None:
    for line in (*monitor.execute("help").splitlines(), *monitor.execute("info").splitlines()):
        usage, dashes, about = line.partition(" -- ")
        assert usage, line
        assert dashes, line
        assert about, line


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_options_are_listed_as_in_qemu(plain: Beside) -> None:
    plain.check(
        "object_add memory-backend-ram,help",
        "object_add memory-backend-file,help",
        "object_add memory-backend-ram,?",
        "object_add memory-backend-ram,id=m,size=1M,help",
        "object_add qom-type=memory-backend-ram,help,size=x",
        "device_add pc-dimm,help",
        "device_add pc-dimm,?",
        "device_add pc-dimm,nohelp",
        "device_add pc-dimm,help=1",
        "device_add pci-testdev,help",
        "device_add pci-bridge,help",
        "device_add PIIX4_PM,help",
        "device_add foo,help",
    )


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize("line", ["object_add help", "object_add ?", "object_add x,help"])
def test_the_objects_that_can_be_added_are_among_qemus(plain: Beside, line: str) -> None:
    ours, theirs = (text.splitlines() for text in plain.ask(line))
    assert ours[0] == theirs[0]
    assert [each.strip() for each in ours[1:]] == [
        "memory-backend-file", "memory-backend-memfd", "memory-backend-ram", "secret",
    ]  # fmt: skip
    assert set(ours) <= set(theirs)


@pytest.mark.parametrize("line", ["device_add help", "device_add ?", "device_add help,x=1"])
def test_the_devices_that_can_be_added_are_listed(monitor: HumanMonitor, line: str) -> None:
    assert monitor.execute(line) == 'name "pc-dimm"\r\n'
