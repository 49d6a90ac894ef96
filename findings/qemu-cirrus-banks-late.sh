#!/bin/sh
# QEMU 7.2 and 10.0: the Cirrus adapter's bank windows appear in the map one write too late.
#
# Expected: once a guest has unlocked the extended registers, chosen chain-4 and switched SR7 to an extended mode,
# the legacy window A0000h shows the video memory (vga.bank0, vga.bank1); the same value written once more changes nothing.
# Seen: the write of SR7 leaves the map as it was, for the map is made from the register's value before. The same value
# written again, or any later write that has the map made anew, brings the banks. Until then each access of the guest
# goes through the device's callbacks, and a listing of the map disagrees with the registers.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
for suite in bookworm trixie; do
    "$here/../tools/qemu_root.sh" "$suite" "$temp/$suite" x86
done
python3 - "$temp" <<'END_OF_PROGRAM'
import json, socket, subprocess, sys
from pathlib import Path

PINNED = {"bookworm": (7, 2), "trixie": (10, 0)}
SEQUENCER = 0x3C4
MODE = [(2, 0x0F), (4, 0x0E), (6, 0x12)]  # all planes, chain-4, unlocked
EXTENDED = (7, 0x01)  # 256 colours, linear addresses

def seen_by(suite, place):
    at = place / "qtest"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(at))
        server.listen()
        server.settimeout(60)
        words = [str(place / suite / "starters/qemu-system-x86_64"), "-M", "pc", "-S", "-nodefaults",
                 "-vga", "cirrus", "-display", "none", "-qtest", f"unix:{at}", "-qtest-log", "none",
                 "-qmp", "stdio"]
        qemu = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            wire = server.accept()[0].makefile("rw")
            greeting = json.loads(qemu.stdout.readline())["QMP"]["version"]["qemu"]

            def ask(**message):
                print(json.dumps(message), file=qemu.stdin, flush=True)
                while "return" not in (reply := json.loads(qemu.stdout.readline())):
                    pass
                return reply["return"]

            def write(index, value):
                for port, byte in ((SEQUENCER, index), (SEQUENCER + 1, value)):
                    print(f"outb {port:#x} {byte:#x}", file=wire, flush=True)
                    assert wire.readline().startswith("OK")

            def has_banks():
                return "vga.bank0" in ask(execute="human-monitor-command", arguments={"command-line": "info mtree"})

            ask(execute="qmp_capabilities")
            for index, value in MODE:
                write(index, value)
            found = []
            for _ in range(2):
                write(*EXTENDED)
                found.append(has_banks())
            return (greeting["major"], greeting["minor"]), found
        finally:
            qemu.kill()
            qemu.wait()
            at.unlink()

for suite, pinned in PINNED.items():
    version, found = seen_by(suite, Path(sys.argv[1]))
    print("QEMU", *version)
    print("expected: banks in the map after SR7 is written, and after it is written again:", [True, True])
    print("seen:    ", found)
    assert version == pinned, f"another version than {pinned}: look again"
    assert found == [False, True], "this has changed"
END_OF_PROGRAM
