"""``guestmap boot``: run the firmware and show what becomes of the memory map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guestmap.base import PeerError, parse_size
from guestmap.cli.board_option import Board
from guestmap.cli.boot_answer import Answer, Recorder
from guestmap.cli.boot_run import (
    is_given_up,
    managed_at,
    refuse_unreached,
    run_managed,
    run_until,
)  # fmt: skip
from guestmap.cli.boot_saved import (
    check_saving,
    is_there,
    keep_snapshots,
    make_machine,
    save_machine,
)
from guestmap.cli.boot_told import teller
from guestmap.cli.collector import collect_from_now_on
from guestmap.cli.serial_wire import serial_wire
from guestmap.cli.terminal import is_terminal
from guestmap.machine import (
    DeviceSpec,
    Event,
    MachineConfig,
    MachineReset,
    MemoryOption,
    ObjectSpec,
    Phase,
    VirtualMachine,
    board_type,
    check_ram_size,
    parse_nodes,
    read_machine,
)

_SILENT_RESETS = 8


def boot(
    ctx: typer.Context,
    machine: Board = "",
    ram: Annotated[
        str,
        typer.Option(
            "-m", help="RAM in QEMU's syntax: 96M, 4G, or 1G,slots=4,maxmem=8G; else 128M."
        ),
    ] = "",
    bios: Annotated[
        Path | None,
        typer.Option(help="Firmware image; else $GUESTMAP_BIOS, else the distribution's SeaBIOS."),
    ] = None,
    until: Annotated[
        Phase | None,
        typer.Option(
            help="Stop as the firmware enters this phase (else halt); status 2 if it never does."
        ),
    ] = None,
    max_ram_below_4g: Annotated[
        str,
        typer.Option(
            "--max-ram-below-4g", help="RAM below 4 GiB at most, for example 2G; else 3584M."
        ),
    ] = "",
    device: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DEVICE", help="Add a device, PCI or pc-dimm: DRIVER[,PROPERTY=VALUE...]."
        ),
    ] = None,
    object_: Annotated[
        list[str] | None,
        typer.Option(
            "--object",
            metavar="BACKEND",
            help="Add a memory back-end: TYPE,id=NAME,size=SIZE[,...].",
        ),
    ] = None,
    numa: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE", help="Add a NUMA node: node[,cpus=N][,memdev=ID]."),
    ] = None,
    option_rom: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Add an option ROM: a file whose code the firmware runs."
        ),
    ] = None,
    kernel: Annotated[
        Path | None, typer.Option(help="A Linux kernel (bzImage) for the firmware to boot.")
    ] = None,
    initrd: Annotated[Path | None, typer.Option(help="The kernel's initial RAM disk.")] = None,
    append: Annotated[str, typer.Option(help="The kernel's command line.")] = "",
    qmp: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Be managed at unix:PATH or tcp:HOST:PORT, until quit or Ctrl-C.",
        ),
    ] = None,
    paused: Annotated[
        bool, typer.Option("--paused", "-S", help="With --qmp: wait for cont before the start.")
    ] = False,
    serial: Annotated[
        str, typer.Option(help="Add a serial port: a file, stdio, or unix:PATH to connect to.")
    ] = "",
    no_reboot: Annotated[
        bool, typer.Option("--no-reboot", help="Stop where the machine would be reset.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save the machine where the run ends, or at Ctrl-C."),
    ] = None,
    restore: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Go on with a machine that was saved."),
    ] = None,
    snapshots: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="With --qmp: where savevm and loadvm keep machines."),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            "--accel",
            help="What runs the CPU: unicorn, kvm or none; kvm:unicorn takes KVM where it is fast.",
        ),
    ] = "unicorn",
    mtree: Annotated[
        bool, typer.Option("--mtree", help="Print 'info mtree' of the end on stdout.")
    ] = False,
    flat: Annotated[
        bool, typer.Option("--flat", help="Print 'info mtree -f' of the end on stdout.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as one JSON object on stdout.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Do not tell the story while it happens.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say how the engine does what it does.")
    ] = False,
) -> None:
    """Boot SeaBIOS on a PC and show how its memory map changes.

    Shown as it happens: the firmware's log, its phases, and each change of the map with its cause;
    at the end the flat view. With --mtree, --flat or --json only that is on stdout, and the story
    goes to stderr. --save keeps the machine as it is when the run ends, --restore goes on with one.
    With --qmp the machine goes on after that, until it is told to quit. Options
    that add something, and --qmp, may be given several times.
    """
    addresses = managed_at(qmp or (), paused=paused, until=until)
    check_saving(ctx, restore, save, managed=bool(addresses))
    objects = [ObjectSpec.parse(each) for each in object_ or ()]
    board = read_machine(machine or "pc")
    kind = board_type(board["machine"])
    if not addresses and restore is None:
        kind.refuse_to_boot()
    memory = MemoryOption.parse([ram] if ram else [], kind.default_ram)
    size = memory.size or kind.default_ram
    if max_ram_below_4g:
        board["max_ram_below_4g"] = parse_size(max_ram_below_4g, what="--max-ram-below-4g")
    config = MachineConfig(
        ram_size=check_ram_size(size, ram) if size else 0,
        slots=memory.slots,
        max_ram=memory.maximum,
        bios=bios,
        debugcon=True,
        serial=bool(serial),
        devices=tuple(DeviceSpec.parse(each) for each in device or ()),
        objects=tuple(objects),
        numa_nodes=parse_nodes(numa or (), objects, cpus=1),
        option_roms=tuple(option_rom or ()),
        kernel=kernel,
        initrd=initrd,
        append=append,
        **board,
    )
    asked = mtree or flat or as_json
    quiet = quiet or (serial == "stdio" and is_terminal() and not verbose)
    told = teller(quiet=quiet or as_json, stderr=asked, verbose=verbose)
    recorder = Recorder()

    def observe(event: Event) -> None:
        told.tell(event)
        recorder.tell(event)
        if (isinstance(event, MachineReset) and (no_reboot or is_stuck())) or (
            not addresses and is_given_up(event)
        ):
            vm.stop()

    def is_stuck() -> bool:
        return not addresses and _is_stuck(vm, recorder)  # who manages it may reset it at will

    with make_machine(config, restore, engine, observe) as vm, serial_wire(vm, serial):
        keep_snapshots(vm, snapshots)
        answer = Answer(vm, mtree=mtree, flat=flat, as_json=as_json) if asked else None
        collect_from_now_on()
        told.begin(vm)
        if addresses:
            status = run_managed(vm, addresses, told, paused=paused)
        elif is_there(vm, until or Phase.HALT):
            status = 0
        else:
            status = run_until(vm, until or Phase.HALT)
        told.end(vm)
        save_machine(vm, save, told)
        if answer is not None:
            answer.give(recorder)
    if status:
        raise typer.Exit(status)
    if is_stuck():
        raise PeerError(
            f"the firmware reset the machine {_SILENT_RESETS} times without a word: is"
            f" {vm.board.firmware_path} a PC BIOS?"
        )
    refuse_unreached(vm, until, is_stopped=no_reboot and bool(recorder.resets))


boot.collects = True  # type: ignore[attr-defined]  # once the machine is made


def _is_stuck(vm: VirtualMachine, recorder: Recorder) -> bool:
    """Tell whether the firmware only resets the machine, again and again."""
    recent = list(recorder.resets)[-_SILENT_RESETS:]
    if len(recent) < _SILENT_RESETS:
        return False
    return not vm.log or vm.log[-1].time_ns < recent[0].time_ns
