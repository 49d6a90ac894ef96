#!/bin/sh
# QEMU 7.2, 10.0 and 11.1: a machine that ends removes the pid file of another one.
#
# Scene: a machine runs with -pidfile P; somebody tidies P away (a cleaner of old files, a script that thinks the machine
# gone); another machine is started with the same -pidfile P, which QEMU allows, for the lock that it holds is on a file
# that has no name any more. Then the first machine ends.
# Expected: P is the second machine's, which runs, and stays: QEMU compares inodes where it takes such a file.
# Seen: the first removes whatever stands at that name. Whoever looks for the second by its pid file takes it for ended,
# and a third machine with the same file is not held off by the second's lock.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/three_qemus.sh" "$temp"
cd "$here/.."
python3 - "$temp" <<'END_OF_PROGRAM'
import os, subprocess, sys, time
from pathlib import Path
from tests.support.three_qemus import each

def machine(program, file):
    """Start one in the background; give its number, which is in the file by then."""
    subprocess.run([program, "-M", "none", "-S", "-display", "none", "-pidfile", file, "-daemonize"], check=True)
    return int(file.read_text())

def ended(number):
    os.kill(number, 15)
    while Path(f"/proc/{number}").exists():
        time.sleep(0.01)

def left_of_the_second(program, folder):
    file = folder / "pid"
    first = machine(program, file)
    file.rename(folder / "tidied away")
    second = machine(program, file)
    assert first != second
    ended(first)
    left = file.read_text() if file.exists() else None
    ended(second)
    return left == f"{second}\n"

for program, place in each(Path(sys.argv[1])):
    is_there = left_of_the_second(program, place)
    print("expected: the second machine's pid file is there after the first has ended: True")
    print("seen:    ", is_there)
    assert not is_there, "this has changed"
END_OF_PROGRAM
