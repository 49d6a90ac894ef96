"""Files behind DIMMs, values at the edges, and a reset in between: asked of our machine and QEMU.

What makes QEMU 7.2 end itself is not asked for: sizes that round up to 2**64, and ``realized`` of a
device that can be.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hotplug.sides import (
    Message,
    OurSide,
    QemuSide,
    events_of,
    guest_view,
    settled,
    tree_of_pluggable,
)

pytestmark = [
    pytest.mark.qemu_7_2("how it plugs, and its words"),
    pytest.mark.qemu,
    pytest.mark.seabios,
]

MIB = 1 << 20
LINE = (
    "-m", "128M,slots=4,maxmem=4G", "-smp", "2",
    "-object", "memory-backend-ram,id=r0,size=64M", "-object", "memory-backend-ram,id=r1,size=64M",
    "-numa", "node,memdev=r0", "-numa", "node,memdev=r1",
)  # fmt: skip
EDGES: tuple[dict[str, Any], ...] = (
    *({"slot": value} for value in (-1, -2, 4, 256, 1 << 31, -(1 << 31), 1 << 63, "1", True)),
    *({"node": value} for value in (2, -1, (1 << 32) - 1, 1 << 32)),
    *({"addr": value} for value in (-1, 1, 1 << 32, 1 << 63, (1 << 64) - (2 << 20), (1 << 64) - 1)),
    *({"addr": value} for value in (1 << 64, None, 1.5)),
    *({"memdev": value} for value in (1, "", "/objects/m", "nope", "/machine", "r0", "ro")),
    {"size": 1}, {"hotplugged": True},  {"realized": False},
)  # fmt: skip


class Dialogue:
    """What one side is asked, and what it says; the folder's name left out."""

    def __init__(self, side: OurSide | QemuSide, folder: Path) -> None:
        self.side, self.folder = side, folder
        self.heard: list[Any] = []

    def ask(self, command: str, **arguments: Any) -> None:
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        request: Message = {"execute": command, "arguments": arguments}
        said = json.dumps([request, settled(self.side.request(request))])
        self.heard.append(said.replace(str(self.folder), "FOLDER"))

    def file(self, name: str, size: int, file: str, **more: Any) -> None:
        path = str(self.folder / file)
        self.ask(
            "object-add", qom_type="memory-backend-file", id=name, size=size, mem_path=path, **more
        )

    def dimm(self, name: str, **more: Any) -> None:
        self.ask("device_add", id=name, driver="pc-dimm", **more)

    def look(self) -> None:
        self.ask("query-memory-devices")
        self.ask("query-memdev")
        self.heard += [guest_view(self.side), tree_of_pluggable(self.side), events_of(self.side)]

    def eject(self, name: str) -> None:
        """Play the guest that lets a DIMM go, where there is one of that name."""
        for device in self.side.request({"execute": "query-memory-devices"})["return"]:
            if device["data"].get("id") == name:
                self.side.out(0xA00, device["data"]["slot"], 4)
                self.side.out(0xA14, 8, 1)


def files(talk: Dialogue) -> None:
    for name, size in (("read", 4 * MIB), ("small", MIB), ("odd", 3 * MIB + 123), ("gone", MIB)):
        (talk.folder / name).write_bytes(b"x" * size)
    talk.file("ro", 4 * MIB, "read", readonly=True, share=True)
    talk.dimm("dro", memdev="ro", node=1)
    talk.file("small", 4 * MIB, "small", share=True)
    talk.file("small", 4 * MIB, "small", readonly=True)
    talk.file("odd", 3 * MIB, "odd")
    talk.dimm("dodd", memdev="odd")
    talk.file("new", 4 * MIB, "new", share=True, align=4 * MIB)
    talk.dimm("dnew", memdev="new", addr=0x140200000)
    talk.dimm("dnew", memdev="new")
    for align in (3, 1 << 63, (1 << 64) - 1):
        talk.file("al", 4 * MIB, "read", align=align)
    talk.file("nowhere", 4 * MIB, "no/where")
    talk.file("gone", MIB, "gone", share=True, discard_data=True)
    talk.ask("object-del", id="gone")
    while (talk.folder / "gone").read_bytes() != bytes(MIB):
        talk.side.request({"execute": "query-status"})  # it goes when nobody reads it any more
    talk.look()


def edges(talk: Dialogue) -> None:
    for size in (0, 1, 4095, 4097, 1 << 63, 1 << 64, 1.0, "4M"):
        talk.ask("object-add", qom_type="memory-backend-ram", id="e", size=size)
        talk.ask("object-del", id="e")
    talk.file("ro", 2 * MIB, "ro")
    talk.ask("object-add", qom_type="memory-backend-memfd", id="m", size=2 * MIB)
    for properties in EDGES:
        talk.dimm("d", **({"memdev": "m"} | properties))
        talk.look()
        talk.eject("d")


def resets(talk: Dialogue) -> None:
    talk.ask("object-add", qom_type="memory-backend-memfd", id="m", size=2 * MIB, prealloc=True)
    talk.dimm("d", memdev="m")
    talk.ask("device_del", id="d")
    talk.ask("system_reset")
    told: list[Message] = []
    while not told or told[-1]["event"] != "RESET":
        told += events_of(talk.side)
    talk.heard.append(told)
    for slot in range(5):
        talk.side.out(0xA00, slot, 4)
        talk.heard.append([talk.side.read(0xA00 + offset, 4) for offset in range(0, 24, 4)])
    talk.ask("device_del", id="d")
    talk.ask("object-del", id="m")
    talk.eject("d")
    talk.look()
    talk.ask("object-del", id="m")


@pytest.mark.parametrize("story", [files, edges, resets])
def test_both_say_the_same(story: Any, tmp_path: Path) -> None:
    heard = []
    for name in ("ours", "theirs"):
        folder = tmp_path / name
        folder.mkdir()
        side = OurSide(tmp_path, *LINE) if name == "ours" else QemuSide(*LINE)
        with side:
            talk = Dialogue(side, folder)
            story(talk)
            heard.append(talk.heard)
    for ours, theirs in zip(*heard, strict=True):
        assert ours == theirs
