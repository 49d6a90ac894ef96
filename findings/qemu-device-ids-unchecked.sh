#!/bin/sh
# QEMU 10.0: device_add over QMP takes an id that begins with a digit; object-add, -device and other versions refuse it.
#
# Expected: one rule for ids (a letter, then letters, digits, '-', '.', '_'), whichever way a device comes: -device
# holds to it, and so do 7.2 and 11.1 in device_add.
# Seen: 10.0's device_add takes "1x" and query-memory-devices tells it; a command line that is made from that (to
# start the same machine as the target of a migration) is refused.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/qemu_root.sh" trixie "$temp" x86
python3 - "$temp/starters/qemu-system-x86_64" <<'END'
import json, subprocess, sys

PINNED = "10.0.13"
MIB = 1 << 20
common = [sys.argv[1], "-M", "pc", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio",
          "-m", "128M,slots=2,maxmem=1G"]

def run(more, *requests):
    talk = [{"execute": "qmp_capabilities"}, *requests, {"execute": "quit"}]
    return subprocess.run([*common, *more], input="\n".join(map(json.dumps, talk)),
                          capture_output=True, text=True, timeout=60)

backend = {"qom-type": "memory-backend-ram", "id": "m", "size": 128 * MIB}
dimm = {"driver": "pc-dimm", "id": "1x", "memdev": "m"}
done = run([], {"execute": "object-add", "arguments": backend},
           {"execute": "device_add", "arguments": dimm}, {"execute": "query-memory-devices"})
messages = [json.loads(line) for line in done.stdout.splitlines()]
version = "{major}.{minor}.{micro}".format(**messages[0]["QMP"]["version"]["qemu"])
_, _, added, devices, *_ = [each for each in messages if "return" in each or "error" in each]
started = run(["-object", f"memory-backend-ram,id=m,size={128 * MIB}",
               "-device", "pc-dimm,id=1x,memdev=m"])
print("QEMU", version)
print("expected: refused by device_add and by -device")
print("seen:     device_add answers", json.dumps(added), "and there is",
      devices["return"][0]["data"]["id"] if devices["return"] else "nothing")
print("          -device says", started.stderr.strip().splitlines()[0])
assert version == PINNED, f"another version than {PINNED}: look again"
assert added == {"return": {}}, "this has changed"
assert started.returncode != 0 and "identifier" in started.stderr, "this has changed"
END
