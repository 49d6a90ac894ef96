"""A debugger's packets at a machine with a program of ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import pytest

from guestmap.base import UnsupportedError
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.monitor import TcpAddress
from guestmap.monitor.gdb import GdbServer
from tests.monitor.gdb.client import Debugger

pytestmark = pytest.mark.unicorn

# mov ax, 1000h; mov ds, ax; again: inc cx; mov [9], cl; mov bl, [9]; jmp again
_PROGRAM = bytes.fromhex("b80010 8ed8 41 880e0900 8a1e0900 ebf5")
_AT, _DATA = 0xFFF00, 0x10009
_INC, _STORE, _LOAD, _JUMP = _AT + 5, _AT + 6, _AT + 10, _AT + 14
_RESET = 0xFFFFFFF0
_STOPPED = "T05thread:1;"


@pytest.fixture
def vm(tmp_path: Path) -> Iterator[VirtualMachine]:
    image = bytearray(0x10000)
    image[_AT & 0xFFFF : (_AT & 0xFFFF) + len(_PROGRAM)] = _PROGRAM
    image[0xFFF0:0xFFF5] = bytes.fromhex("ea00ff00f0")
    (tmp_path / "bios").write_bytes(image)
    with VirtualMachine(MachineConfig(bios=tmp_path / "bios")) as vm:
        yield vm


@pytest.fixture
def server(vm: VirtualMachine) -> Iterator[GdbServer]:
    with GdbServer(vm, TcpAddress("127.0.0.1", 0)) as server:
        vm.start(paused=True)
        yield server


@pytest.fixture
def debugger(server: GdbServer) -> Iterator[Debugger]:
    with closing(Debugger(server.address)) as debugger:
        yield debugger


def test_a_machine_stands_at_reset(debugger):
    assert debugger.ask("?") == _STOPPED
    registers = debugger.registers()
    assert (registers["eip"], registers["cs"], registers["eflags"]) == (_RESET, 0xF000, 2)


def test_steps_and_a_breakpoint_in_real_mode(debugger):
    assert debugger.ask("vCont;s:1") == _STOPPED
    assert debugger.registers()["eip"] == _AT
    assert debugger.ask(f"Z0,{_STORE:x},1") == "OK"
    assert debugger.ask("vCont;c") == _STOPPED
    assert debugger.registers()["eip"] == _STORE
    count = debugger.registers()["ecx"]
    assert debugger.ask(f"z0,{_STORE:x},1") == "OK"
    assert debugger.ask("s") == _STOPPED
    assert debugger.ask(f"Z1,{_STORE:x},1") == "OK"
    assert debugger.ask("c") == _STOPPED
    assert debugger.registers()["ecx"] == count + 1


@pytest.mark.parametrize(
    ("kind", "word", "behind"),
    [(2, "watch", _LOAD), (3, "rwatch", _JUMP), (4, "awatch", _LOAD)],
)
def test_a_watchpoint_stops_behind_the_access(debugger, kind, word, behind):
    assert debugger.ask(f"Z{kind},{_DATA:x},1") == "OK"
    assert debugger.ask("c") == f"T05thread:1;{word}:{_DATA:x};"
    assert debugger.registers()["eip"] == behind
    assert debugger.ask(f"z{kind},{_DATA:x},1") == "OK"


def test_a_machine_that_runs_is_interrupted_and_goes_on(debugger):
    debugger.send("c")
    debugger.socket.sendall(b"\x03")
    assert debugger.receive() == "T02thread:1;"
    assert _AT <= debugger.registers()["eip"] <= _JUMP or debugger.registers()["eip"] == _RESET
    debugger.send("c")
    debugger.socket.sendall(b"\x03")
    assert debugger.receive() == "T02thread:1;"


def test_registers_are_set_and_used(debugger):
    debugger.ask(f"Z0,{_STORE:x},1")
    debugger.ask("c")
    assert debugger.ask("P1=41000000") == "OK"  # ecx
    assert debugger.ask("p1") == "41000000"
    debugger.ask(f"z0,{_STORE:x},1")
    debugger.ask("s")
    assert debugger.ask(f"m{_DATA:x},1") == "41"
    assert debugger.ask(f"P8={_INC.to_bytes(4, 'little').hex()}") == "OK"  # eip
    debugger.ask("s")
    assert debugger.registers()["ecx"] == 0x42
    assert debugger.ask("P8=00000020") == "E22"  # not in the code segment
    assert debugger.ask("pff") == "E14"
    values = debugger.ask("g")
    assert debugger.ask("G" + "78563412" + values[8:]) == "OK"
    assert debugger.registers()["eax"] == 0x12345678


def test_memory_is_read_and_written_and_nothing_else(debugger):
    assert debugger.ask(f"m{_RESET:x},5") == "ea00ff00f0"
    assert debugger.ask("M1000,4:11223344") == "OK"
    assert debugger.ask("m1000,4") == "11223344"
    assert debugger.ask("m9fffe,6") != "E14"
    assert debugger.ask("mfed00000,4") == "E14"  # a device
    assert debugger.ask("m80000000,4") == "E14"  # nobody
    assert debugger.ask(f"M{_RESET:x},1:00") == "E14"  # ROM
    assert debugger.ask("m1000,900") == "E22"  # more than a packet holds
    assert debugger.ask("mnonsense") == "E22"


def test_physical_addresses_on_request(debugger):
    assert debugger.ask("qqemu.PhyMemMode") == "0"
    assert debugger.ask("Qqemu.PhyMemMode:1") == "OK"
    assert debugger.ask("qqemu.PhyMemMode") == "1"
    assert debugger.ask(f"m{_RESET:x},1") == "ea"


def test_the_description_comes_in_pieces_and_is_xml(debugger):
    text, at = "", 0
    while True:
        piece = debugger.ask(f"qXfer:features:read:target.xml:{at:x},200")
        text, at = text + piece[1:], at + 0x200
        if piece[0] == "l":
            break
    root = ElementTree.fromstring(text.split("\n", 2)[2])
    names = [each.attrib["name"] for each in root.iter("reg")]
    widths = [int(each.attrib["bitsize"]) for each in root.iter("reg")]
    assert names[:10] == ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags"]
    assert root.find("architecture") is None  # else GDB reads no 16-bit code
    assert len(debugger.ask("g")) == sum(widths) // 4


def test_the_human_monitor_answers(debugger):
    debugger.send("qRcmd," + b"info mtree -f".hex())
    text = ""
    while (piece := debugger.receive()) != "OK":
        assert piece[0] == "O"
        text += bytes.fromhex(piece[1:]).decode()
    assert "pc.bios" in text
    assert text.count("\n") > 50


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        ("p-1", "E22"), ("p1_0", "E22"), ("p", "E22"), ("P-1=00", "E22"),
        ("P0=" + 17 * "ff", "E22"), ("P28=" + 17 * "ff", "E22"), ("G00", "E22"),
        ("m10000000000000000,1", "E22"), ("mffffffffffffffff,8", "E14"),
        ("Mffffffffffffffff,2:0000", "E14"), ("Z0,10000000000000000,1", "E22"),
        ("Z2,0,10000000000000000", "E22"), ("Z2,ffffffffffffffff,8", "E14"),
        ("Z2,0,ffffffffffffffff",
         "E.0xffffffffffffffff bytes at 0x0 cannot be watched: at most 0x100000"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(debugger, packet, answer):
    before = debugger.ask("g")
    assert debugger.ask(packet) == answer
    assert debugger.ask("g") == before


def test_of_registers_that_cannot_all_be_set_none_is(debugger):
    values = debugger.ask("g")
    flipped = f"{int(values[-8:], 16) ^ 1:08x}"  # the last one cannot be set
    assert debugger.ask("G" + "78563412" + values[8:-8] + flipped) == "E22"
    assert debugger.ask("g") == values
    assert debugger.ask("P1=41000000") == "OK"
    assert debugger.registers()["eax"] == 0


@pytest.mark.parametrize("packet", ["!", "qNothing", "vNothing", "Znonsense", "z9,0,1", "x0,0", ""])
def test_what_is_not_known_is_no_error_of_ours(debugger, packet):
    assert debugger.ask(packet) in {"", "E22"}
    assert debugger.ask("?") == _STOPPED


def test_a_detached_machine_runs_on_without_breakpoints(debugger, vm):
    debugger.ask(f"Z0,{_STORE:x},1")
    assert debugger.ask("D") == "OK"
    assert vm.state == "running"
    assert not vm.wait(0.2)
    assert vm.state == "running"


def test_a_debugger_that_goes_leaves_the_machine_standing(debugger, server, vm):
    debugger.ask(f"Z0,{_STORE:x},1")
    debugger.ask("c")
    debugger.close()
    assert vm.state == "paused"
    with closing(_next(server)) as another:
        assert another.registers()["eip"] == _STORE
        another.ask("s")
        another.send("c")
        another.socket.sendall(b"\x03")
        assert another.receive() == "T02thread:1;"  # the breakpoint has gone


def test_a_step_is_of_one_run(debugger, server, vm):
    running = _resumed(vm)
    debugger.ask("s")
    debugger.send("c")
    debugger.socket.sendall(b"\x03")
    assert debugger.receive() == "T02thread:1;"
    assert debugger.ask("s") == _STOPPED
    running.clear()
    vm.cont()  # somebody else's, while the debugger is there
    assert running.wait(30)
    assert not vm.wait(0.2)
    assert vm.state == "running"
    vm.stop()


def test_a_debugger_that_goes_takes_its_step_with_it(debugger, server, vm):
    assert debugger.ask("s") == _STOPPED
    debugger.close()
    _next(server).close()
    vm.cont()
    assert not vm.wait(0.2)
    assert vm.state == "running"


def test_a_debugger_that_goes_in_the_middle_leaves_the_machine_running(debugger, server, vm):
    running = _resumed(vm)
    debugger.send("c")
    assert running.wait(30)
    debugger.close()
    assert not vm.wait(0.2)
    assert vm.state == "running"
    with closing(_next(server)) as another:
        assert another.ask("?") == _STOPPED
        assert vm.state == "paused"


def _resumed(vm: VirtualMachine) -> threading.Event:
    """Return what is set as the machine goes on."""
    begun = threading.Event()
    vm.events.subscribe(lambda event: begun.set() if event.name == "RESUME" else None)
    return begun


def _next(server: GdbServer) -> Debugger:
    """Connect once the debugger before is known to have gone."""
    for _ in range(100):
        try:
            return Debugger(server.address)
        except (EOFError, ConnectionError):
            pass
    raise AssertionError("the debugger that has gone is still thought to be there")


def test_a_second_debugger_is_refused(debugger, server):
    with pytest.raises((EOFError, ConnectionError)):
        Debugger(server.address)
    assert debugger.ask("?") == _STOPPED


def test_a_machine_that_is_killed_ends(debugger, vm):
    debugger.send("k")
    assert vm.wait(30)
    assert vm.state == "shutdown"


def test_a_machine_that_ends_by_itself_is_told_of(debugger, vm):
    begun = _resumed(vm)
    debugger.send("c")
    assert begun.wait(30)
    vm.quit()
    assert debugger.receive() == "W00"


def test_a_damaged_packet_is_asked_for_again(server):
    with closing(Debugger(server.address)) as debugger:
        debugger.socket.sendall(b"$?#00")
        assert debugger.ask("?") == _STOPPED


def test_an_engine_that_cannot_be_watched_is_refused_at_once():
    with (
        VirtualMachine(MachineConfig(), engine="none") as vm,
        pytest.raises(UnsupportedError, match="'none' does not tell"),
    ):
        GdbServer(vm, TcpAddress("127.0.0.1", 0))
