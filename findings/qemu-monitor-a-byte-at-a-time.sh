#!/bin/sh
# QEMU 7.2, 10.0 and 11.1: what a QMP command costs the machine grows with its letters, not with what it asks for.
#
# Scene: a command with a thousand-odd letters of arguments, as -object and -device in JSON have them soon, sent again and
# again; beside it the same command with few. What it asks for is the same and nearly nothing.
# Expected: the machine reads what has come in blocks, and a command of 1,500 bytes costs little more than one of 50.
# Seen: some 2.5 us of the machine's processor for each byte, so that reading a command may cost more than doing it: the
# monitor takes one byte at a time from its socket. A manager of many machines makes room for them by sending less.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/three_qemus.sh" "$temp"
cd "$here/.."
python3 - "$temp" <<'END_OF_PROGRAM'
import json, os, socket, subprocess, sys
from pathlib import Path
from tests.support.three_qemus import each

TIMES = 300
FEW, MANY = 10, 1500

def spent(process):
    """Return seconds of processor time, its threads' together."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

def cost_of(letters, wire, process):
    """Return microseconds of the machine for one question with an id of so many letters."""
    line = json.dumps({"execute": "query-name", "id": "x" * letters}) + "\n"
    before = spent(process)
    for _ in range(TIMES):
        wire.write(line)
        wire.flush()
        assert "return" in json.loads(wire.readline())
    return (spent(process) - before) / TIMES * 1e6

def costs(program, folder):
    at = str(folder / "qmp")
    words = [program, "-M", "none", "-S", "-display", "none", "-qmp", f"unix:{at},server=on,wait=on"]
    qemu = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            while client.connect_ex(at):
                pass
            wire = client.makefile("rw")
            wire.readline()
            wire.write('{"execute": "qmp_capabilities"}\n')
            wire.flush()
            wire.readline()
            return [cost_of(letters, wire, qemu.pid) for letters in (FEW, MANY)]
    finally:
        qemu.kill()
        qemu.wait()

for program, place in each(Path(sys.argv[1])):
    few, many = costs(program, place)
    print(f"expected: a question of {MANY} letters costs a machine at most twice what one of {FEW} costs")
    print(f"seen:     {few:.0f} us and {many:.0f} us of processor time")
    assert many > 3 * few, "this has changed"
END_OF_PROGRAM
