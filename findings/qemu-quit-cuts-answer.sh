#!/bin/sh
# QEMU 10.0: an answer that is longer than the pipe's buffer is cut where `quit` came right behind its question.
#
# Expected: commands are answered in their order, each whole, as a client that sends several at once may rely on:
# the answer to `quit` comes last.
# Seen: the process ends while most of the answer waits for its reader. What arrived is as much as the pipe had room
# for, without a line's end, and nothing says that more was meant: the exit status is 0, stderr is empty. A reader that
# is already waiting gets a little more or all of it, so a script works for years and fails on a busy host.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/qemu_root.sh" trixie "$temp" x86
python3 - "$temp/starters/qemu-system-x86_64" <<'END'
import json, subprocess, sys

PINNED = "10.0.13"
words = [sys.argv[1], "-machine", "none", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio"]

def answers(*commands, first):
    """Send commands at once; read from then on, or when the process has ended."""
    talk = "".join(json.dumps({"execute": each}) + "\n" for each in commands)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as run:
        run.stdin.write(talk)
        run.stdin.flush()
        if not first:
            run.wait(60)
        lines = [run.stdout.readline() for _ in range(3)]
        if first:
            run.stdin.write(json.dumps({"execute": "quit"}))
            run.stdin.close()
        return lines[0], lines[2], run.wait(60), run.stderr.read()

greeting, whole, *ended = answers("qmp_capabilities", "query-qmp-schema", first=True)
_, cut, *ended_too = answers("qmp_capabilities", "query-qmp-schema", "quit", first=False)
version = "{major}.{minor}.{micro}".format(**json.loads(greeting)["QMP"]["version"]["qemu"])
print("QEMU", version)
print("expected:", len(whole), "characters of an answer, which is what comes where quit is sent after it was read")
print("seen:    ", len(cut), "characters, exit status and complaint:", *map(repr, ended_too))
assert version == PINNED, f"another version than {PINNED}: look again"
json.loads(whole)
assert whole.startswith(cut) and len(cut) < len(whole) and not cut.endswith("\n"), "this has changed"
assert ended == ended_too == [0, ""], "this has changed"
END
