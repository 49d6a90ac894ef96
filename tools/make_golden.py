"""Record a small golden set from a real QEMU, into tests/golden/qemu-VERSION/.

    python tools/make_golden.py                            the 7.2 that our machine is held to
    GUESTMAP_QEMU_ROOT=DIR python tools/make_golden.py     another: texts of today's machines

``texts/`` holds ``info mtree`` with its flags, ``vectors/`` a region tree with QEMU's views of it,
``qtest/`` a seeded sequence of accesses with QEMU's replies and views. Each file holds the command
line that made it. Everything QEMU is asked for is the same in every run of one version, but for the
order of blocks, which QEMU leaves to a hash.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.qemu import Qemu  # noqa: E402
from tests.support.qemu_program import MODELLED, find_qemu  # noqa: E402

from guestmap.conform import VectorCase, check_vector, read_case  # noqa: E402
from guestmap.inspect import RangeInfo, RegionInfo  # noqa: E402
from guestmap.inspect.text.mtree import assemble, read_mtree  # noqa: E402

FLAGS = ("", "-o", "-D", "-o -D", "-f", "-f -o", "-f -d")
SEABIOS = "1.16.2"
"""The firmware of Debian 12's QEMU 7.2; what is read of it is in the recordings."""
FIELDS = ("start", "size", "priority", "nonvolatile", "type", "name", "offset_in_region", "owner")

READONLY_ALIASES = {"pam-rom"}
ANSWERING_PARENTS = {"io", "rtc"}
EMPTY_CONTAINERS = {"pci_bridge_io", "pci_bridge_pci"}
"""What text does not tell of the machines below: which regions with subregions answer themselves,
which without do not, and which aliases are read-only (QEMU, hw/pci-host/pam.c, pci_bridge.c).
A vector that were wrong here would not give QEMU's views, which is checked."""

PC = ("-machine", "pc-i440fx-7.2,smm=off", "-nodefaults", "-vga", "none")


@dataclass(frozen=True)
class Case:
    """A machine, and what is recorded of it besides its texts."""

    name: str
    command: tuple[str, ...]
    vector: bool = True
    qtest: int | None = None
    """Seed of the accesses to record, or None."""
    arch: str = "x86_64"


CASES = (
    Case("pc-128M", (*PC, "-m", "128M"), qtest=100),
    Case("pc-smm-4G-smp2", ("-machine", "pc-i440fx-7.2", "-nodefaults", "-vga", "none",
                            "-m", "4G", "-smp", "2"), qtest=102),
    Case("pc-testdev", (*PC, "-m", "64M", "-device", "pci-testdev,membar=64K"), qtest=104),
    Case("pc-bridge", (*PC, "-m", "64M", "-device", "pci-bridge,id=b1,chassis_nr=1,addr=8",
                       "-device", "pci-testdev,bus=b1,addr=2,membar=2M"), qtest=106),
    Case("pc-nvdimm", ("-machine", "pc-i440fx-7.2,smm=off,nvdimm=on", "-nodefaults", "-vga", "none",
                       "-m", "128M,slots=2,maxmem=1G", "-object",
                       "memory-backend-ram,id=n0,size=128M", "-device", "nvdimm,memdev=n0")),
    Case("pc-vga", ("-machine", "pc-i440fx-7.2", "-m", "128M"), vector=False),
    Case("q35", ("-machine", "pc-q35-7.2", "-m", "2G"), vector=False),
)  # fmt: skip

BARE = ("-nodefaults", "-vga", "none")
TODAY = (
    Case("pc-pflash", ("-machine", "pc", *BARE, "-m", "64M", "-drive",
                       "if=pflash,format=raw,readonly=on,file=FLASH"), vector=False),
    Case("q35-dimm-bridge", (
        "-machine", "q35", *BARE, "-m", "128M,slots=2,maxmem=1G", "-object",
        "memory-backend-ram,id=m0,size=128M", "-device", "pc-dimm,memdev=m0,id=d0", "-device",
        "pcie-root-port,id=r0,chassis=1", "-device", "pci-testdev,membar=1M,bus=r0"), vector=False),
    Case("virt", ("-machine", "virt", *BARE, "-m", "64M"), vector=False, arch="aarch64"),
)  # fmt: skip
"""Machines of other versions; FLASH is an empty flash, which QEMU names by its path alone."""


def main() -> None:
    program = find_qemu()
    if program is None:
        raise SystemExit("there is no QEMU to record")
    with Qemu("-m", "64M") as qemu:
        version = ".".join(
            str(qemu.qmp("query-version")["qemu"][p]) for p in ("major", "minor", "micro")
        )
    target = ROOT / "tests" / "golden" / f"qemu-{version}"
    for case in CASES if program.version == MODELLED else TODAY:
        if find_qemu(case.arch) is None:
            print(f"{case.name}: no program for {case.arch}, left out")
            continue
        with contextlib.closing(_start(case)) as qemu:
            texts = {flags: qemu.hmp(f"info mtree {flags}".strip()) for flags in FLAGS}
        head = {"qemu": version, "cmdline": _cmdline(case)}
        _write(target / "texts" / f"{case.name}.json.gz", {**head, "texts": texts})
        if case.vector:
            _write(target / "vectors" / f"{case.name}.json.gz", {**head, **_vector(case, texts)})
        if case.qtest is not None:
            path = target / "qtest" / f"{case.qtest}.json.gz"
            _write(
                path, {**head, "seed": case.qtest, "seabios": SEABIOS, **_record(case, case.qtest)}
            )


def _start(case: Case) -> Qemu:
    with tempfile.NamedTemporaryFile() as flash:  # QEMU has it open when this returns
        flash.truncate(256 << 10)
        words = [word.replace("FLASH", flash.name) for word in case.command]
        return Qemu(*words, machine=False, vapic=True, arch=case.arch).start()


def _cmdline(case: Case) -> list[str]:
    return [f"qemu-system-{case.arch}", "-S", "-display", "none", *case.command]


def _write(path: Path, form: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(form, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


# vectors


def _vector(case: Case, texts: dict[str, str]) -> dict[str, Any]:
    snapshot = assemble(read_mtree(texts["-o -D"]), read_mtree(texts["-f -o"]))
    form = {
        "range_fields": FIELDS,
        "regions": [_region(region) for region in snapshot.regions],
        "address_spaces": [{"name": s.name, "root": s.root} for s in snapshot.address_spaces],
        "flatviews": [
            {
                "as": [[user.name, user.root] for user in view.users],
                "root": view.root or "(none)",
                "ranges": [_range(each, FIELDS) for each in view.ranges],
            }
            for view in snapshot.views
        ],
    }
    recorded = read_case(json.dumps(form).encode())
    assert isinstance(recorded, VectorCase)
    difference = check_vector(recorded)
    if difference is not None:
        raise SystemExit(f"{case.name}: the facts assumed do not give QEMU's views: {difference}")
    return form


def _region(region: RegionInfo) -> dict[str, Any]:
    form: dict[str, Any] = {
        name: getattr(region, name)
        for name in ("id", "name", "addr", "size", "priority", "type", "enabled", "terminates",
                     "readonly", "nonvolatile", "children", "owner")
    }  # fmt: skip
    if region.alias is not None:
        form |= {"alias": region.alias, "alias_offset": region.alias_offset}
        form["readonly"] = region.name in READONLY_ALIASES
    elif region.name in ANSWERING_PARENTS | EMPTY_CONTAINERS:
        form["terminates"] = region.name in ANSWERING_PARENTS
    return form


def _range(each: RangeInfo, fields: tuple[str, ...]) -> list[Any]:
    return [getattr(each, name) for name in fields]


# qtest


def _record(case: Case, seed: int) -> dict[str, Any]:
    """Drive the machine for a while; after each step look at every view."""
    rng = random.Random(seed)
    views: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    with contextlib.closing(_start(case)) as qemu:
        for what, commands in [("start", []), *_sequence(rng, bridge="pci-bridge" in str(case))]:
            ops = [[command, _perform(qemu, command)] for command in commands]
            spaces = _spaces(qemu, views)
            same = bool(steps) and spaces == steps[-1].get("full")
            steps.append({"what": what, "ops": ops, "full": spaces, "same": same})
    for step in steps:
        spaces = step.pop("full")
        if not step["same"]:
            del step["same"]
            step["as"] = spaces
    return {"views": views, "steps": steps}


def _perform(qemu: Qemu, command: str) -> str:
    if command == "qmp system_reset":
        qemu.qmp("system_reset")
        qemu.wait_event("RESET")
        return ""
    return qemu.qtest(command)


def _spaces(qemu: Qemu, views: list[dict[str, Any]]) -> list[list[Any]]:
    spaces: list[list[Any]] = []
    for view in read_mtree(qemu.hmp("info mtree -f")).views:
        form = {
            "root": view.root or "(none)",
            "ranges": [_range(each, FIELDS[:-1]) for each in view.ranges],
        }
        if form not in views:
            views.append(form)
        spaces += [[user.name, user.root, views.index(form)] for user in view.users]
    return sorted(spaces)


def _sequence(rng: random.Random, *, bridge: bool) -> list[tuple[str, list[str]]]:
    """Return steps: what they are, and their commands."""
    steps = [("identify", [c for slot in range(0, 0x50, 8) for c in _config_read(slot, 0)])]
    makers = [_pam, _smram, _command, _bar, _memory, _pm, *([_bridge] if bridge else [])]
    steps += [rng.choice(makers)(rng) for _ in range(28)]
    steps += [("reset", ["qmp system_reset"]), _memory(rng), _pam(rng), _command(rng)]
    return steps


def _address(devfn: int, register: int) -> str:
    return f"outl 0xcf8 {1 << 31 | devfn << 8 | register & 0xFC:#x}"


def _config_read(devfn: int, register: int) -> list[str]:
    return [_address(devfn, register), "inl 0xcfc"]


def _config_write(devfn: int, register: int, size: str, value: int) -> list[str]:
    return [_address(devfn, register), f"out{size} {0xCFC + (register & 3):#x} {value:#x}"]


def _pam(rng: random.Random) -> tuple[str, list[str]]:
    register = rng.randrange(0x59, 0x60)
    write = _config_write(0, register, "b", rng.choice([0x00, 0x11, 0x22, 0x33, 0x30, 0x10]))
    return "pam", [*write, *_config_read(0, register)]


def _smram(rng: random.Random) -> tuple[str, list[str]]:
    write = _config_write(0, 0x72, "b", rng.choice([0x02, 0x0A, 0x4A, 0x48, 0x08]))
    return "smram", [*write, *_config_read(0, 0x72)]


def _command(rng: random.Random) -> tuple[str, list[str]]:
    devfn = rng.choice([0x00, 0x08, 0x09, 0x0B, 0x10, 0x40])
    return "cmd", [*_config_write(devfn, 4, "w", rng.randrange(8)), *_config_read(devfn, 4)]


def _bar(rng: random.Random) -> tuple[str, list[str]]:
    devfn, register = rng.choice([(0x10, 0x10), (0x10, 0x14), (0x10, 0x18), (0x09, 0x20)])
    value = rng.choice([0xE000_0000, 0xFEB0_0000, 0xC000, 0xC040, 0x000A_0000, 0xFFFF_FFFF])
    write = _config_write(devfn, register, "l", value)
    return "bar", [*write, *_config_read(devfn, register), *_config_write(devfn, 4, "w", 7)]


def _bridge(rng: random.Random) -> tuple[str, list[str]]:
    base = rng.choice([0xE000, 0xE010, 0xF000])
    writes = _config_write(0x40, 0x20, "l", rng.choice([base << 16 | base, base]))
    writes += _config_write(0x40, 0x18, "l", 0x0001_0100)
    writes += _config_write(0x40, 4, "w", rng.choice([0, 2, 7]))
    return "bridge", [*writes, *_config_read(0x40, 0x20)]


def _pm(rng: random.Random) -> tuple[str, list[str]]:
    writes = _config_write(0x0B, 0x40, "l", rng.choice([0x601, 0xB001, 0x1]))
    return "piix4-pm", [*writes, *_config_write(0x0B, 0x80, "b", rng.randrange(2))]


def _memory(rng: random.Random) -> tuple[str, list[str]]:
    commands: list[str] = []
    for _ in range(4):
        address = rng.choice([0x8000, 0xC4000, 0xD8000, 0xE8000, 0x100000]) + 4 * rng.randrange(8)
        commands += [f"writel {address:#x} {rng.getrandbits(32):#x}", f"readl {address:#x}"]
    return "rw", commands


if __name__ == "__main__":
    main()
