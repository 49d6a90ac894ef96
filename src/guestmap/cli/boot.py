"""``guestmap boot``: run the firmware and show what becomes of the memory map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guestmap.cli.board_option import Board
from guestmap.cli.boot_machine import boot_machine
from guestmap.cli.boot_options import BootOptions
from guestmap.machine.phases import Phase


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
    smp: Annotated[
        str,
        typer.Option(metavar="CPUS", help="CPUs: N[,sockets=N][,cores=N][,threads=N]; else 1."),
    ] = "",
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
    vga: Annotated[
        str, typer.Option(metavar="ADAPTER", help="Add a display adapter: std, cirrus, or none.")
    ] = "",
    vapic: Annotated[
        bool,
        typer.Option("--vapic", help="Add QEMU's kvmvapic: a port, and an option ROM that is run."),
    ] = False,
    defaults: Annotated[
        bool,
        typer.Option(
            "--defaults",
            help="Add QEMU's default devices: display adapter, network card, serial and parallel"
            " port, empty drives, kvmvapic. What is named takes a default's place.",
        ),
    ] = False,
    drive: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DRIVE",
            help="Add a disk: file=FILE[,format=qcow2][,snapshot=on][,media=cdrom][,...].",
        ),
    ] = None,
    disk: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Add a hard disk, the file's bytes one for one."),
    ] = None,
    cdrom: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Add a CD-ROM drive with that ISO image.")
    ] = None,
    screenshot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write what the screen shows at the end: FILE.png or FILE.ppm."
        ),
    ] = None,
    screen: Annotated[
        bool,
        typer.Option(
            "--screen", help="Show the screen in this terminal, and type into it; Ctrl-A X ends."
        ),
    ] = False,
    kernel: Annotated[
        Path | None, typer.Option(help="A Linux kernel (bzImage) for the firmware to boot.")
    ] = None,
    initrd: Annotated[Path | None, typer.Option(help="The kernel's initial RAM disk.")] = None,
    append: Annotated[str, typer.Option(help="The kernel's command line.")] = "",
    kernel_entry: Annotated[
        int,
        typer.Option(
            metavar="BITS", help="Enter the kernel's 16-bit code, or its 32-bit code: 16 or 32."
        ),
    ] = 16,
    qmp: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Be managed at unix:PATH or tcp:HOST:PORT, until quit or Ctrl-C.",
        ),
    ] = None,
    gdb: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="Be debugged by GDB at tcp:HOST:PORT; begin with -S to wait."
        ),
    ] = "",
    paused: Annotated[
        bool,
        typer.Option("--paused", "-S", help="With --qmp or --gdb: wait for cont before the start."),
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
            help="What runs the CPU: unicorn, kvm or none; kvm:unicorn takes KVM where it is fast."
            " Else unicorn, or what ran a machine that is restored.",
        ),
    ] = "",
    trace: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RANGE[,r|w|x]",
            help="Tell each access in a range, with the region that answers and the instruction.",
        ),
    ] = None,
    stop_at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RANGE[,r|w|x]",
            help="Stop at the first access there, and show the registers; status 2 if none comes.",
        ),
    ] = None,
    flow: Annotated[
        bool,
        typer.Option(
            "--flow",
            help="Tell the firmware's modes, stacks, threads, windows for interrupts and entries.",
        ),
    ] = False,
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
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Do not tell the story; --trace, --stop-at and --flow print what they are for.",
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say how the engine does what it does.")
    ] = False,
) -> None:
    """Boot SeaBIOS on a PC and show how its memory map changes.

    Shown as it happens: the firmware's log, its phases, and each change of the map with its cause;
    at the end the flat view. With --mtree, --flat or --json only that is on stdout, and the story
    goes to stderr. --save keeps the machine as it is when the run ends, --restore goes on with one.
    A RANGE of --trace and --stop-at is c9000-c9fff or one address: physical, linear for x; on KVM
    x alone is watched, which is said as c9000,x.
    With --qmp or --gdb the machine goes on after that, until it is told to quit. Options
    that add something, and --qmp, may be given several times.
    """
    status = boot_machine(
        BootOptions(
            given=_given(ctx),
            machine=machine,
            ram=ram,
            bios=bios,
            until=until,
            max_ram_below_4g=max_ram_below_4g,
            device=tuple(device or ()),
            object_=tuple(object_ or ()),
            smp=smp,
            numa=tuple(numa or ()),
            option_rom=tuple(option_rom or ()),
            drive=tuple(drive or ()),
            disk=tuple(disk or ()),
            cdrom=cdrom,
            vga=vga,
            vapic=vapic,
            defaults=defaults,
            screenshot=screenshot,
            screen=screen,
            kernel=kernel,
            initrd=initrd,
            append=append,
            kernel_entry=kernel_entry,
            qmp=tuple(qmp or ()),
            gdb=gdb,
            paused=paused,
            serial=serial,
            no_reboot=no_reboot,
            save=save,
            restore=restore,
            snapshots=snapshots,
            engine=engine,
            flow=flow,
            mtree=mtree,
            flat=flat,
            as_json=as_json,
            quiet=quiet,
            verbose=verbose,
            trace=tuple(trace or ()),
            stop_at=tuple(stop_at or ()),
        )
    )
    if status:
        raise typer.Exit(status)


boot.collects = True  # type: ignore[attr-defined]  # once the machine is made


def _given(ctx: typer.Context) -> dict[str, str]:
    """Return the parameters that stand on the command line, each with an option that gives it."""
    sources = {each.name: ctx.get_parameter_source(each.name) for each in ctx.command.params}
    return {
        each.name: each.opts[0]
        for each in ctx.command.params
        if (source := sources[each.name]) is not None and source.name == "COMMANDLINE"
    }
