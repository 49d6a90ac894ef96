"""``guestmap boot`` as a user runs it."""

from __future__ import annotations

import json
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from guestmap.accel import Exit, ExitReason
from guestmap.cli.boot_run import Managers, run_managed
from guestmap.cli.boot_told import Silence
from guestmap.machine import MachineConfig, Phase, VirtualMachine
from guestmap.monitor import UnixAddress
from tests.support.processes import popen
from tests.support.program import Done, assert_one_clear_line, run_program
from tests.support.qmp_socket import QmpSocket

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios]


def _silent(code: bytes = b"\xeb\xfe") -> bytes:
    """Return a firmware of what stands at the reset vector; by default a jump to itself."""
    image = bytearray(0x10000)
    image[0xFFF0 : 0xFFF0 + len(code)] = code
    return bytes(image)


def _boot(*args: str) -> Done:
    return run_program("boot", *args)


def test_a_boot_tells_its_story_and_ends_well():
    run = _boot("-m", "64M")
    assert run.status == 0, run
    for words in ("== reset", "== preinit", "== init", "== setup", "== prepboot", "== boot",
                  "== halt", "No bootable device.", "PAM 59h <- 30h", "F0000-FFFFF ROM -> RAM",
                  "at reset", "at the end"):  # fmt: skip
        assert words in run.stdout


def test_json_has_all_of_it():
    run = _boot("-m", "64M", "--json")
    report = json.loads(run.stdout)
    assert [p["name"] for p in report["phases"]][-1] == "halt"
    assert report["log"][-1]["text"] == "No bootable device."
    assert any(c["cause"].startswith("PAM 59h <- 30h") for c in report["commits"])
    assert report["before"] != report["after"]
    ways = report["machine"]["engine_parts"]
    assert {"exceptions", "stores", "long mode"} <= ways.keys()
    assert all(way == "internals" or way.startswith("documented: ") for way in ways.values())


# An option ROM whose INT 19h handler stores 5678h where it lies itself, and halts.
_INT_19 = bytes.fromhex(
    "55aa01"
    "1e 6a00 1f"  # push ds; push 0; pop ds
    "c70664001300 8c0e6600"  # mov word [4 * 19h], handler; mov [4 * 19h + 2], cs
    "1f cb"  # pop ds; retf
    "6800c0 1f"  # handler, at 13h: push C000h; pop ds
    "c70600017856"  # at 17h: mov word [100h], 5678h
    "fa f4"  # cli; hlt
)


def test_a_write_to_rom_is_told_with_its_instruction(tmp_path):
    image = _INT_19.ljust(511, b"\0")
    rom = tmp_path / "int19.rom"
    rom.write_bytes(image + bytes([-sum(image) & 0xFF]))
    run = _boot("--option-rom", str(rom), "--json")
    kept = json.loads(run.stdout)["in_vain"]
    (entry,) = (each for each in kept["entries"] if each["why"] == "rom")
    assert (entry["kind"], entry["size"], entry["count"], entry["exact"]) == ("write", 2, 1, True)
    assert (entry["cs"], entry["ip"], entry["region"]) == (0xC000, 0x17, "pc.ram")
    assert (entry["first"]["address"], entry["first"]["value"]) == (0xC0100, 0x5678)
    assert kept["unlisted"] == 0
    told = _boot("--option-rom", str(rom)).stdout
    line = next(line for line in told.splitlines() if "000c0100" in line)
    for words in ("write 2 B", "0x5678", "c000:00000017", "pc.ram is read-only here"):
        assert words in line


def test_an_option_rom_that_firmware_passes_over_is_told(tmp_path):
    text = tmp_path / "hello.txt"
    text.write_text("hello world\n")
    run = _boot("--option-rom", str(text), "-q", "--until", "preinit")
    assert run.status == 0
    assert run.stderr == (
        f"caution: --option-rom {text}: firmware passes it over: it does not begin with 55h AAh\n"
    )


def test_verbose_says_how_the_engine_works(monkeypatch):
    monkeypatch.setenv("GUESTMAP_UNICORN", "documented")
    first = _boot("-v", "--until", "reset").stdout.splitlines()[0]
    assert first.startswith("engine unicorn; registers, halts, ")
    assert first.endswith(": documented: asked for")


def test_until_stops_as_the_phase_begins():
    report = json.loads(_boot("--until", "init", "--json").stdout)
    assert [p["name"] for p in report["phases"]] == ["reset", "preinit", "init"]


@pytest.mark.parametrize("phase", list(Phase))
def test_until_ends_for_every_phase_or_says_why(phase):
    run = _boot("-m", "64M", "--until", phase, "-q")
    if phase in {Phase.RESUME, Phase.RUNTIME}:
        assert_one_clear_line(run, str(phase), "it halted")
    else:
        assert (run.status, run.err) == (0, b"")


def test_until_reset_stops_before_the_first_instruction():
    report = json.loads(_boot("-m", "64M", "--until", "reset", "--json").stdout)
    assert [p["name"] for p in report["phases"]] == ["reset"]
    assert report["state"] == "paused"
    assert report["before"]["views"] == report["after"]["views"]
    assert report["statistics"]["port_writes"] == 0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (b"\xf4", ["boot", "halted"]),  # hlt, interrupts off
    ],
)
def test_until_a_phase_that_a_firmware_never_enters_says_why(tmp_path, code, words):
    image = tmp_path / "bios.bin"
    image.write_bytes(_silent(code))
    assert_one_clear_line(_boot("--bios", str(image), "--until", "boot", "-q"), *words)


def test_what_the_engine_cannot_run_is_an_error_with_a_reason(monkeypatch):
    def give_up(self):
        return Exit(ExitReason.ERROR, "a riddle at f000:fff0")

    monkeypatch.setattr("guestmap.accel.RunLoop.run", give_up)
    assert_one_clear_line(_boot("-q"), "the CPU cannot go on: a riddle at f000:fff0")


def test_mtree_and_flat_have_stdout_for_themselves():
    run = _boot("-m", "64M", "--mtree", "--flat", "-q")
    assert run.stdout.startswith("address-space: ")
    assert "\nFlatView #0\n" in run.stdout
    assert "SeaBIOS" not in run.stdout


@pytest.mark.parametrize(
    ("ram", "words"),
    [("-5", "-5"), ("lots", "lots"), ("1.5.2G", "below 2^64"), ("2T", "2 TiB of RAM is impossible"),
     ("512K", "1M to 1T"), ("128M,slots=2", "no max-size"), ("128M,maxmem=64M", "maxmem")],
)  # fmt: skip
def test_impossible_ram_is_one_clear_line(ram, words):
    assert_one_clear_line(_boot("-m", ram), words)


def test_more_ram_than_the_host_can_back_is_one_clear_line():
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, before[1]))
    try:
        assert_one_clear_line(_boot("-m", "64G"), "pc.ram", "Cannot allocate")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"", "empty"),
        (bytes(1000), "64 KiB"),
        (bytes(17 << 20), "16 MiB"),
    ],
)
def test_a_file_that_is_no_bios_is_one_clear_line(tmp_path, content, words):
    image = tmp_path / "bios.bin"
    if content is not None:
        image.write_bytes(content)
    assert_one_clear_line(_boot("--bios", str(image)), str(image), words)


def test_no_bios_anywhere_lists_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("GUESTMAP_BIOS", str(tmp_path / "nowhere"))
    assert_one_clear_line(_boot(), "nowhere", "GUESTMAP_BIOS")


def test_an_image_that_only_faults_does_not_run_for_ever(tmp_path):
    image = tmp_path / "bios.bin"
    image.write_bytes(b"\x0f\x01\x1e\x00\x00\xcc" * 10922 + b"\xcc" * 4)  # lidt [0]; int3
    assert_one_clear_line(_boot("--bios", str(image), "-q"), "without a word")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--initrd", "i"], "-initrd only allowed with -kernel option"),
        (["--append", "quiet"], "-append only allowed with -kernel option"),
        (["--kernel-entry", "32"], "-kernel-entry only allowed with -kernel option"),
        (["--kernel", "no-such-kernel"], "could not open kernel file 'no-such-kernel'"),
        (["--kernel", __file__], "is not a Linux kernel"),
    ],
)
def test_a_kernel_that_cannot_be_booted_is_one_clear_line(args, words):
    assert_one_clear_line(_boot(*args), words)


def test_an_unknown_device_is_named():
    assert_one_clear_line(_boot("--device", "rtl8139"), "rtl8139")


def test_ctrl_c_ends_cleanly(tmp_path):
    """In the middle of a firmware that does nothing at all: the reset vector jumps to itself."""
    silent = tmp_path / "silent.bin"
    silent.write_bytes(_silent())
    command = [sys.executable, "-m", "guestmap", "boot", "--bios", str(silent)]
    with popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "== reset" in line:
                break
        run.send_signal(signal.SIGINT)
        rest, errors = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "at the end" in rest
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_managed_machine_in_order(tmp_path, number):
    path = tmp_path / "q"
    command = [sys.executable, "-m", "guestmap", "boot", "-S", "--qmp", f"unix:{path}"]
    with popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        while "QMP at" not in run.stdout.readline():
            pass
        with QmpSocket(UnixAddress(str(path))) as client:
            run.send_signal(number)
            told = client.event("SHUTDOWN")
        rest, errors = run.communicate(timeout=30)
    assert told["data"]["reason"] == "host-signal"
    assert run.returncode == 128 + number
    assert "at the end" in rest
    assert errors == ""
    assert not path.exists()


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["--qmp", "nonsense"], "no place to listen at"),
        (["--qmp", "tcp:localhost:4444,server=off"], "server=on"),
        (["-S"], "--paused needs --qmp"),
    ],
)
def test_nonsense_about_the_monitor_is_one_clear_line(args, word):
    assert_one_clear_line(_boot(*args), word)


def test_who_manages_a_machine_may_reset_it_again_and_again(tmp_path):
    path, silent = tmp_path / "q", tmp_path / "silent.bin"
    silent.write_bytes(_silent())
    command = [sys.executable, "-m", "guestmap", "boot", "-q", "--bios", str(silent)]
    with popen([*command, "--qmp", f"unix:{path}"], stdout=subprocess.DEVNULL) as run:
        while not path.exists():
            assert run.poll() is None
        with QmpSocket(UnixAddress(str(path))) as client:
            for _ in range(12):
                client.ask("system_reset")
                client.event("RESET")
            assert client.ask("query-status")["running"]
            client.ask("quit")
        assert run.wait(30) == 0


def _writes_to_rom(path):
    """Make a firmware that writes 5678h to C0009h with its third instruction, and halts."""
    # mov ax, 0c000h; mov ds, ax; mov word [9], 5678h; hlt
    path.write_bytes(_silent(bytes.fromhex("b800c0 8ed8 c70609007856 f4")))
    return str(path)


def test_a_trace_tells_each_access_where_it_happens(tmp_path):
    run = _boot("--bios", _writes_to_rom(tmp_path / "bios"), "--trace", "c0000-c0fff")
    assert run.status == 0, run
    (line,) = [each for each in run.stdout.splitlines() if "write   2 B at" in each]
    assert "write   2 B at 00000000000c0009 = 0x5678  pc.rom @9  by f000:0000fff5" in line


def test_a_stop_shows_the_registers(tmp_path):
    run = _boot("--bios", _writes_to_rom(tmp_path / "bios"), "--stop-at", "c0000-c0fff,w")
    assert run.status == 0, run
    assert "EIP=0000fffb" in run.stdout
    assert "DS =c000 000c0000" in run.stdout
    assert "machine paused" in run.stdout


def test_what_is_asked_for_by_name_is_told_without_the_story(tmp_path):
    bios = _writes_to_rom(tmp_path / "bios")
    traced = _boot("--bios", bios, "--trace", "c0000-c0fff", "-q")
    assert traced.status == 0, traced
    (line,) = traced.stdout.splitlines()
    assert "write   2 B at 00000000000c0009 = 0x5678" in line
    stopped = _boot("--bios", bios, "--stop-at", "c0000-c0fff,w", "--quiet").stdout.splitlines()
    assert "write   2 B at 00000000000c0009 = 0x5678" in stopped[0]
    assert stopped[1] == "stopped there:"
    assert any("EIP=0000fffb" in line for line in stopped)
    assert all("=" in line for line in stopped[2:])
    flow = _boot("--flow", "--until", "preinit", "-q").stdout
    assert "entered by the reset vector: power on" in flow
    assert "the firmware's flow" in flow
    assert "at reset" not in flow
    quiet = _boot("--bios", bios, "--trace", "c0000-c0fff", "--mtree", "-q")
    assert "000c0009" not in quiet.stdout
    assert "000c0009" in quiet.stderr


def test_a_stop_in_json(tmp_path):
    bios = _writes_to_rom(tmp_path / "bios")
    run = _boot("--bios", bios, "--stop-at", "fffffff5-fffffff5,x", "--json", "-q")
    told = json.loads(run.stdout)["trace"]
    (access,) = told["accesses"]
    assert access == told["stopped"]
    assert (access["kind"], access["address"], access["value"]) == ("execute", 0xFFFFFFF5, None)
    assert told["registers"]["general"]["eip"] == 0xFFF5
    assert told["registers"]["segments"]["ds"]["base"] == 0xC0000
    assert told["forgotten"] == 0


def test_a_stop_that_never_comes_is_told(tmp_path):
    run = _boot("--bios", _writes_to_rom(tmp_path / "bios"), "--stop-at", "c0000-c0fff,r")
    assert run.status == 2
    assert "guestmap: the guest does not come to c0000-c0fff,r\n" in run.stderr


def test_the_flow_is_told_as_it_happens_and_at_the_end():
    run = _boot("--flow", "--until", "preinit")
    assert run.status == 0, run
    for words in ("entered by the reset vector: power on", "mode 16-bit -> 32-bit",
                  "stack 0 main begins in pc.ram @7000", "the firmware's flow",
                  "power on: not yet decided", "main stack"):  # fmt: skip
        assert words in run.stdout


def test_the_flow_in_json():
    flow = json.loads(_boot("--flow", "--until", "preinit", "--json", "-q").stdout)["flow"]
    assert flow["modes"] == [{"before": "16-bit", "after": "32-bit", "count": 1}]
    (entry,), (stack,) = flow["entries"], flow["stacks"]
    assert (entry["cause"], entry["decision"]) == ("power on", "not yet decided")
    assert (stack["kind"], stack["high"], stack["place"]) == ("main", 0x7000, "pc.ram @7000")
    assert [each["text"] for each in flow["events"]] == [
        "entered by the reset vector: power on", "stack 0 main begins in pc.ram @7000",
        "mode 16-bit -> 32-bit",
    ]  # fmt: skip


def test_a_range_that_is_none_is_refused_before_anything_runs():
    run = _boot("--trace", "c0000,q")
    assert_one_clear_line(run, "'q' is none of r (read), w (write), x (execute)")


def test_a_debugger_comes_to_a_machine_that_waits(tmp_path):
    bios = _writes_to_rom(tmp_path / "bios")
    path = tmp_path / "gdb"
    options = ["--bios", bios, "--gdb", f"unix:{path}", "-S", "-q"]
    process = popen([sys.executable, "-m", "guestmap", "boot", *options])
    try:
        with socket.socket(socket.AF_UNIX) as debugger:
            _connect(debugger, str(path))
            debugger.sendall(b"+$?#3f")
            assert debugger.recv(64).endswith(b"$T05thread:1;#d7")
            debugger.sendall(b"+$k#6b")
            assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_a_debugger_that_comes_at_once_stops_the_machine(tmp_path, monkeypatch):
    address = UnixAddress(str(tmp_path / "gdb"))
    config = MachineConfig(bios=Path(_writes_to_rom(tmp_path / "bios")))
    with VirtualMachine(config) as vm, socket.socket(socket.AF_UNIX) as debugger:
        begin = vm.start

        def start_late(*, paused):
            debugger.connect(address.path)
            time.sleep(0.3)
            begin(paused=paused)

        def look():
            debugger.settimeout(60)
            debugger.sendall(b"+$?#3f")
            seen.append(debugger.recv(64))
            seen.append(vm.state)
            vm.quit()

        seen = []
        monkeypatch.setattr(vm, "start", start_late)
        looking = threading.Timer(0.5, look)
        looking.start()
        run_managed(vm, Managers(gdb=address), Silence(), paused=False)
        looking.join()
    assert seen == [b"+$T05thread:1;#d7", "paused"]


def _connect(client, path):
    for _ in range(600):
        try:
            return client.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.1)
    raise AssertionError(f"nobody listens at {path}")


def test_a_pause_that_nobody_ends_is_refused():
    assert_one_clear_line(_boot("--paused"), "--paused needs --qmp or --gdb")
