"""What ``guestmap boot`` does, once its command line is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base import PeerError, parse_size
from guestmap.base.collector import collect_from_now_on
from guestmap.cli.boot_answer import BootTexts, Recorder
from guestmap.cli.boot_options import BootOptions
from guestmap.cli.boot_run import (
    is_given_up,
    managed_at,
    refuse_parked,
    refuse_to_stand,
    refuse_unreached,
    run_managed,
    run_until,
)
from guestmap.cli.boot_saved import (
    check_saving,
    is_there,
    keep_snapshots,
    make_machine,
    save_machine,
)
from guestmap.cli.boot_screen import check_screen, shown_screen, take_screenshot
from guestmap.cli.boot_told import Silence
from guestmap.cli.drives_asked import drives_asked
from guestmap.cli.output import warn
from guestmap.cli.serial_wire import serial_wire
from guestmap.cli.streams import is_terminal
from guestmap.machine.boards import BoardType, board_type, read_machine
from guestmap.machine.config import MachineConfig, check_ram_size
from guestmap.machine.observed import Event, MachineReset
from guestmap.machine.options.device import DeviceSpec
from guestmap.machine.options.memory import MemoryOption
from guestmap.machine.options.numa import parse_nodes
from guestmap.machine.options.object import ObjectSpec
from guestmap.machine.options.smp import CpuTopology
from guestmap.machine.phases import Phase
from guestmap.machine.vm import VirtualMachine

if TYPE_CHECKING:
    from pathlib import Path

    from guestmap.cli.tracing import Tracing

_SILENT_RESETS = 8


def boot_machine(options: BootOptions) -> int:
    """Boot, and tell what was asked for; return the exit status.

    Raises:
        GuestmapError: what was asked for cannot be, or did not come.
    """
    managers = managed_at(options)
    check_saving(options, managed=bool(managers))
    check_screen(options)
    tracing = _tracing(options)
    config = _config(options, must_run=not managers and options.restore is None)
    asked = options.mtree or options.flat or options.as_json
    told = _teller(options)
    recorder = Recorder()

    def observe(event: Event) -> None:
        told.tell(event)
        recorder.tell(event)
        if (isinstance(event, MachineReset) and (options.no_reboot or is_stuck())) or (
            not managers and is_given_up(event)
        ):
            vm.stop()

    def is_stuck() -> bool:
        return not managers and _is_stuck(vm, recorder)  # who manages it may reset it at will

    until = options.until or Phase.HALT
    with (
        make_machine(config, options.restore, options.engine, observe) as vm,
        serial_wire(vm, options.serial),
        shown_screen(vm, wanted=options.screen),
    ):
        refuse_parked(vm)
        if not managers:
            refuse_to_stand(vm, until)
        keep_snapshots(vm, options.snapshots)
        answer = _answer(vm, options) if asked else None
        _look_on(vm, tracing, flow=options.flow)
        collect_from_now_on()
        told.begin(vm)
        if managers:
            status = run_managed(vm, managers, told, paused=options.paused)
        else:
            status = 0 if is_there(vm, until) else run_until(vm, until)
        is_met = bool(options.stop_at) and vm.trace.stopped is not None
        if is_met:
            told.stopped(vm)
        told.end(vm)
        save_machine(vm, options.save, told)
        take_screenshot(vm, options.screenshot)
        if answer is not None:
            answer.give(recorder)
    if status:
        return status
    if is_stuck():
        raise PeerError(
            f"the firmware reset the machine {_SILENT_RESETS} times without a word: is"
            f" {vm.board.firmware_path} a PC BIOS?"
        )
    if tracing is not None and not managers:
        tracing.refuse_unmet(vm)
    is_stopped = is_met or (options.no_reboot and bool(recorder.resets))
    refuse_unreached(vm, options.until, is_stopped=is_stopped)
    return 0


def _teller(options: BootOptions) -> Silence:
    """Return what tells the story; what it needs is imported only where it tells anything."""
    typed = options.screen or (options.serial == "stdio" and is_terminal())
    quiet = options.quiet or (typed and not options.verbose)
    asked_by_name = options.trace or options.stop_at or options.flow
    if options.as_json or (quiet and not asked_by_name):
        return Silence()
    from guestmap.cli.boot_aloud import Aloud, AskedFor

    stdout_is_taken = options.mtree or options.flat
    return (AskedFor if quiet else Aloud)(stderr=stdout_is_taken, verbose=options.verbose)


def _look_on(vm: VirtualMachine, tracing: Tracing | None, *, flow: bool) -> None:
    """Begin to trace accesses, and to follow the firmware.

    Raises:
        UnsupportedError: the engine does not tell what its guest does.
    """
    if tracing is not None:
        tracing.begin(vm)
    if flow:
        from guestmap.machine.flow.following import follow

        vm.flow = follow(vm)


def _tracing(options: BootOptions) -> Tracing | None:
    """Return what is to be traced; None for nothing.

    Raises:
        ConfigError: a range that is none.
    """
    if not options.trace and not options.stop_at:
        return None
    from guestmap.cli.tracing import Tracing

    return Tracing(options)


def _config(options: BootOptions, *, must_run: bool) -> MachineConfig:
    """Return the machine that is asked for.

    Raises:
        ConfigError, UnsupportedError: it cannot be; or nobody boots it, and it must run.
    """
    objects = [ObjectSpec.parse(each) for each in options.object_]
    board = {"smm": None} | read_machine(options.machine or "pc")
    kind = board_type(board["machine"])
    if must_run:
        kind.refuse_to_boot()
    cpus = CpuTopology.parse([options.smp] if options.smp else [])
    memory = MemoryOption.parse([options.ram] if options.ram else [], kind.default_ram)
    if options.max_ram_below_4g:
        below = parse_size(options.max_ram_below_4g, what="--max-ram-below-4g")
        board["max_ram_below_4g"] = below
    devices = tuple(DeviceSpec.parse(each) for each in options.device)
    board |= _chosen(options, kind, devices)
    return MachineConfig(
        ram_size=_ram_size(options.ram, memory, kind),
        slots=memory.slots,
        max_ram=memory.maximum,
        bios=options.bios,
        debugcon=True,
        devices=devices,
        objects=tuple(objects),
        cpus=cpus.cpus,
        max_cpus=cpus.max_cpus,
        sockets=cpus.sockets,
        threads=cpus.threads,
        numa_nodes=parse_nodes(options.numa, objects, cpus.max_cpus),
        option_roms=_with_cautions(options.option_rom),
        vapic=options.vapic or options.defaults,
        kernel=options.kernel,
        initrd=options.initrd,
        append=options.append,
        kernel_entry=options.kernel_entry,
        **board,
    )


def _chosen(
    options: BootOptions, board: BoardType, devices: tuple[DeviceSpec, ...]
) -> dict[str, Any]:
    """Return what has a field of its own: adapter, ports and drives, QEMU's default ones too."""
    given: dict[str, Any] = {"drives": drives_asked(options)}
    given |= {"serial": True} if options.serial else {}
    given |= {"vga": options.vga} if options.vga else {}
    if not options.defaults:
        return given
    from guestmap.machine.options.defaults import with_defaults

    return with_defaults(board, given, devices)


def _with_cautions(roms: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return option ROMs, and say which of them firmware passes over."""
    from guestmap.firmware.option_roms import option_rom_files, why_not_run

    for path, image in zip(roms, option_rom_files(roms).values(), strict=True):
        if why := why_not_run(image):
            warn(f"caution: --option-rom {path}: firmware passes it over: {why}")
    return roms


def _ram_size(text: str, memory: MemoryOption, kind: BoardType) -> int:
    size = memory.size or kind.default_ram
    return check_ram_size(size, text) if size else 0


def _answer(vm: VirtualMachine, options: BootOptions) -> BootTexts:
    return BootTexts(
        vm,
        mtree=options.mtree,
        flat=options.flat,
        as_json=options.as_json,
        traced=bool(options.trace or options.stop_at),
    )


def _is_stuck(vm: VirtualMachine, recorder: Recorder) -> bool:
    """Tell whether the firmware only resets the machine, again and again."""
    recent = list(recorder.resets)[-_SILENT_RESETS:]
    if len(recent) < _SILENT_RESETS:
        return False
    return not vm.log or vm.log[-1].time_ns < recent[0].time_ns
